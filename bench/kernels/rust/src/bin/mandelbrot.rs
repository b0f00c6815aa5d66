// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

//! Threads: two threads take the rows of the Mandelbrot set by turns and count how soon points escape.

use harness::{mix, run, thread_begin, thread_end};
use std::thread;

const SIZE: usize = 320;
const MOST: usize = 200;
const THREADS: usize = 2;

type Histogram = [u64; MOST + 1];

fn escape(re: f64, im: f64) -> usize {
    let (mut x, mut y) = (0.0, 0.0);
    for i in 0..MOST {
        let (xx, yy) = (x * x, y * y);
        if xx + yy > 4.0 {
            return i;
        }
        (x, y) = (xx - yy + re, 2.0 * x * y + im);
    }
    MOST
}

fn rows(first: usize) -> Histogram {
    thread_begin();
    let mut histogram = [0; MOST + 1];
    for row in (first..SIZE).step_by(THREADS) {
        let im = row as f64 * (2.5 / SIZE as f64) - 1.25;
        for column in 0..SIZE {
            let re = column as f64 * (2.5 / SIZE as f64) - 2.0;
            histogram[escape(re, im)] += (row ^ column) as u64 + 1;
        }
    }
    thread_end();
    histogram
}

#[no_mangle]
pub extern "C" fn kernel() -> u64 {
    thread_end(); // waiting
    let histograms: [Histogram; THREADS] = thread::scope(|scope| {
        let threads: [_; THREADS] = std::array::from_fn(|first| scope.spawn(move || rows(first)));
        threads.map(|thread| thread.join().expect("no row panics"))
    });
    thread_begin();
    (0..=MOST)
        .fold(0, |checksum, i| mix(checksum, histograms.iter().map(|histogram| histogram[i]).sum()))
}

fn main() {
    run("mandelbrot", 40, kernel);
}
