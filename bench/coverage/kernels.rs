//! Six kernels for the cost of counting: `kernels NAME PASSES THREADS` runs one on each thread and prints the fastest pass
//! in nanoseconds and a checksum. kernels.c does the same work in C's idiom.

use std::collections::HashMap;
use std::fmt::Write;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::Barrier;
use std::time::Instant;

struct Random(u32);

impl Random {
    fn next(&mut self) -> u32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 17;
        self.0 ^= self.0 << 5;
        self.0
    }
}

struct Parser<'a> {
    text: &'a [u8],
    at: usize,
}

impl Parser<'_> {
    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    fn skip_spaces(&mut self) {
        while self.peek() == Some(b' ') {
            self.at += 1;
        }
    }

    fn sum(&mut self) -> i64 {
        let mut value = self.product();
        loop {
            self.skip_spaces();
            match self.peek() {
                Some(b'+') => {
                    self.at += 1;
                    value = value.wrapping_add(self.product());
                }
                Some(b'-') => {
                    self.at += 1;
                    value = value.wrapping_sub(self.product());
                }
                _ => return value,
            }
        }
    }

    fn product(&mut self) -> i64 {
        let mut value = self.atom();
        loop {
            self.skip_spaces();
            match self.peek() {
                Some(b'*') => {
                    self.at += 1;
                    value = value.wrapping_mul(self.atom());
                }
                Some(b'/') => {
                    self.at += 1;
                    let by = self.atom();
                    value = if by == 0 { 0 } else { value.wrapping_div(by | 1) };
                }
                _ => return value,
            }
        }
    }

    fn atom(&mut self) -> i64 {
        self.skip_spaces();
        match self.peek() {
            Some(b'(') => {
                self.at += 1;
                let value = self.sum();
                if self.peek() == Some(b')') {
                    self.at += 1;
                }
                value
            }
            Some(b'-') => {
                self.at += 1;
                self.atom().wrapping_neg()
            }
            _ => {
                let mut value = 0i64;
                while let Some(digit @ b'0'..=b'9') = self.peek() {
                    value = value * 10 + i64::from(digit - b'0');
                    self.at += 1;
                }
                value
            }
        }
    }
}

fn write_expression(to: &mut String, random: &mut Random, depth: u32) {
    if depth == 0 || random.next().is_multiple_of(8) {
        write!(to, "{}", random.next() % 1000).unwrap();
        return;
    }
    to.push('(');
    write_expression(to, random, depth - 1);
    write!(to, " {} ", ["+", "-", "*", "/"][random.next() as usize % 4]).unwrap();
    write_expression(to, random, depth - 1);
    to.push(')');
}

fn parse(work: &mut Work) -> u64 {
    if work.text.is_empty() {
        write_expression(&mut work.text, &mut Random(7), 14);
    }
    (0..60).fold(0u64, |total, _| {
        let mut parser = Parser { text: work.text.as_bytes(), at: 0 };
        let sum = parser.sum() as u64;
        total.wrapping_mul(31).wrapping_add(sum).wrapping_add(parser.at as u64)
    })
}

fn matmul(work: &mut Work) -> u64 {
    const N: usize = 200;
    let (a, b, c) = (&mut work.a, &mut work.b, &mut work.c);
    for m in [&mut *a, b, c] {
        m.resize(N * N, 0.0);
    }
    for i in 0..N {
        for j in 0..N {
            a[i * N + j] = (i + j) as f64;
            b[i * N + j] = i as f64 - j as f64;
            c[i * N + j] = 0.0;
        }
    }
    for i in 0..N {
        for k in 0..N {
            let factor = a[i * N + k];
            for (to, from) in c[i * N..][..N].iter_mut().zip(&b[k * N..][..N]) {
                *to += factor * from;
            }
        }
    }
    (0..N).map(|i| c[i * N + i]).sum::<f64>() as u64
}

fn sieve(work: &mut Work) -> u64 {
    const N: usize = 2_000_000;
    work.composite.clear();
    work.composite.resize(N, false);
    let composite = &mut work.composite;
    let mut primes = 0;
    for i in 2..N {
        if composite[i] {
            continue;
        }
        primes += 1;
        let mut j = i * i;
        while j < N {
            composite[j] = true;
            j += i;
        }
    }
    primes
}

fn quicksort(mut v: &mut [u32]) {
    while v.len() > 1 {
        let pivot = v[v.len() / 2];
        let (mut i, mut j) = (0, v.len() - 1);
        loop {
            while v[i] < pivot {
                i += 1;
            }
            while v[j] > pivot {
                j -= 1;
            }
            if i >= j {
                break;
            }
            v.swap(i, j);
            i += 1;
            j -= 1;
        }
        let (left, right) = v.split_at_mut(i);
        if left.len() < right.len() {
            quicksort(left);
            v = right;
        } else {
            quicksort(right);
            v = left;
        }
    }
}

fn sort(work: &mut Work) -> u64 {
    let mut random = Random(99);
    work.numbers.clear();
    work.numbers.extend((0..200_000).map(|_| random.next()));
    quicksort(&mut work.numbers);
    work.numbers.iter().step_by(1000).fold(0u64, |total, &n| total.wrapping_mul(31).wrapping_add(u64::from(n)))
}

fn iterate(work: &mut Work) -> u64 {
    let v = &mut work.series;
    if v.is_empty() {
        v.extend((0..1u32 << 16).map(|i| i.wrapping_mul(2_654_435_761) >> 8));
    }
    let mut result = 0u64;
    for _ in 0..100 {
        let mut total: u64 = v.iter().filter(|x| *x % 3 != 0).map(|&x| u64::from(x) * u64::from(x)).map(|x| x >> 3).sum();
        total ^= v.windows(2).filter(|pair| pair[0] < pair[1]).fold(0, |all, pair| all ^ u64::from(pair[0]));
        result = result.wrapping_add(total);
    }
    result
}

#[derive(Default)]
struct Multiplicative(u64);

impl Hasher for Multiplicative {
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u32(u32::from(*byte));
        }
    }

    fn write_u32(&mut self, n: u32) {
        self.0 = (self.0 ^ u64::from(n)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    }

    fn finish(&self) -> u64 {
        self.0 ^ self.0 >> 32
    }
}

fn hash(work: &mut Work) -> u64 {
    let mut random = Random(5);
    let map = &mut work.map;
    map.clear();
    for i in 0..320_000u32 {
        let slot = map.entry(random.next() % 40_000 + 1).or_insert(0u32);
        *slot = slot.wrapping_add(i);
    }
    map.iter().fold(0u64, |total, (key, value)| total.wrapping_add(u64::from(*key) * u64::from(*value)))
}

/// What a thread keeps from pass to pass.
#[derive(Default)]
struct Work {
    text: String,
    a: Vec<f64>,
    b: Vec<f64>,
    c: Vec<f64>,
    composite: Vec<bool>,
    numbers: Vec<u32>,
    series: Vec<u32>,
    map: HashMap<u32, u32, BuildHasherDefault<Multiplicative>>,
}

type Kernel = fn(&mut Work) -> u64;

const KERNELS: [(&str, Kernel); 6] = [("parse", parse), ("matmul", matmul), ("sieve", sieve), ("sort", sort), ("iterate", iterate), ("hash", hash)];

fn run(kernel: Kernel, passes: u32, barrier: &Barrier) -> (u64, u64) {
    let mut work = Work::default();
    let (mut fastest, mut result) = (u64::MAX, 0);
    barrier.wait();
    for _ in 0..passes {
        let start = Instant::now();
        result = kernel(&mut work);
        fastest = fastest.min(start.elapsed().as_nanos() as u64);
    }
    (fastest, result)
}

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, name, passes, threads] = &arguments[..] else { std::process::exit(2) };
    let kernel = KERNELS.iter().find(|k| k.0 == name).expect("a kernel's name").1;
    let (passes, threads) = (passes.parse().unwrap(), threads.parse().unwrap());
    let barrier = Barrier::new(threads);
    let outcomes: Vec<(u64, u64)> = std::thread::scope(|scope| {
        let others: Vec<_> = (1..threads).map(|_| scope.spawn(|| run(kernel, passes, &barrier))).collect();
        let own = run(kernel, passes, &barrier);
        std::iter::once(own).chain(others.into_iter().map(|t| t.join().unwrap())).collect()
    });
    println!("{} {:016x}", outcomes.iter().map(|o| o.0).max().unwrap(), outcomes[0].1);
}
