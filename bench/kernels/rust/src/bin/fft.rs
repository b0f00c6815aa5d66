// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

//! Floating point: a fast Fourier transform there and back, over arrays that do not fit the first-level cache.

use harness::{mix, run, Random};
use std::ops::{Add, Mul, Sub};

const SIZE: usize = 1 << 15;
const ROUNDS: usize = 20;

#[derive(Clone, Copy)]
struct Complex {
    re: f64,
    im: f64,
}

impl Add for Complex {
    type Output = Complex;

    fn add(self, other: Complex) -> Complex {
        Complex { re: self.re + other.re, im: self.im + other.im }
    }
}

impl Sub for Complex {
    type Output = Complex;

    fn sub(self, other: Complex) -> Complex {
        Complex { re: self.re - other.re, im: self.im - other.im }
    }
}

impl Mul for Complex {
    type Output = Complex;

    fn mul(self, other: Complex) -> Complex {
        Complex {
            re: self.re * other.re - self.im * other.im,
            im: self.re * other.im + self.im * other.re,
        }
    }
}

/// The first half of the roots of unity, by halving angles: square roots are the same everywhere, sines are not.
fn roots() -> Vec<Complex> {
    let mut roots = vec![Complex { re: 1.0, im: 0.0 }; SIZE / 2];
    let mut root = Complex { re: -1.0, im: 0.0 };
    let mut step = SIZE / 2;
    while step > 1 {
        root = Complex { re: ((1.0 + root.re) / 2.0).sqrt(), im: -((1.0 - root.re) / 2.0).sqrt() };
        step /= 2;
        for i in (step..SIZE / 2).step_by(2 * step) {
            roots[i] = roots[i - step] * root;
        }
    }
    roots
}

fn transform(values: &mut [Complex], roots: &[Complex]) {
    let bits = values.len().trailing_zeros();
    for i in 0..values.len() {
        let j = i.reverse_bits() >> (usize::BITS - bits);
        if i < j {
            values.swap(i, j);
        }
    }
    let mut half = 1;
    while half < values.len() {
        let stride = roots.len() / half;
        for block in values.chunks_exact_mut(2 * half) {
            let (low, high) = block.split_at_mut(half);
            for ((a, b), root) in low.iter_mut().zip(high).zip(roots.iter().step_by(stride)) {
                let turned = *b * *root;
                (*a, *b) = (*a + turned, *a - turned);
            }
        }
        half *= 2;
    }
}

/// The transform of the reversed values, divided by their number.
fn transform_back(values: &mut [Complex], roots: &[Complex]) {
    transform(values, roots);
    values[1..].reverse();
    for value in values {
        value.re /= SIZE as f64;
        value.im /= SIZE as f64;
    }
}

#[no_mangle]
pub extern "C" fn kernel() -> u64 {
    let mut random = Random(37);
    let roots = roots();
    let mut values: Vec<Complex> = (0..SIZE)
        .map(|_| Complex { re: (random.draw() >> 44) as f64 / 1048576.0 - 0.5, im: 0.0 })
        .collect();
    let mut checksum = 0;
    for _ in 0..ROUNDS {
        transform(&mut values, &roots);
        checksum = mix(checksum, (values[SIZE / 3].re * 1e6).round() as i64 as u64);
        values.swap(1, 2);
        transform_back(&mut values, &roots);
    }
    values
        .iter()
        .step_by(61)
        .fold(checksum, |checksum, value| mix(checksum, (value.re * 1e6).round() as i64 as u64))
}

fn main() {
    run("fft", 12, kernel);
}
