// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

//! How exact are intervals? Registers a handler with several, and prints percentiles of how many cycles each interval was
//! longer (or, negative, shorter) than it should have been.

use std::hint::black_box;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

const MOST: usize = 200_000;
const TARGETS: [i64; 5] = [2000, 5000, 10_000, 50_000, 100_000];
const PERCENTILES: [usize; 7] = [1, 10, 25, 50, 75, 90, 99];

static INTERVALS: [AtomicU64; MOST] = [const { AtomicU64::new(0) }; MOST];
static RECORDED: AtomicUsize = AtomicUsize::new(0);
static LAST: AtomicU64 = AtomicU64::new(0);

#[cfg(target_arch = "x86_64")]
fn cycles() -> u64 {
    // SAFETY: every x86_64 has the instruction.
    unsafe { core::arch::x86_64::_rdtsc() }
}

#[cfg(target_arch = "aarch64")]
fn cycles() -> u64 {
    let value: u64;
    // SAFETY: reads a register.
    unsafe { core::arch::asm!("mrs {}, cntvct_el0", out(reg) value, options(nomem, nostack)) };
    value
}

fn handler(_count: i64) {
    let now = cycles();
    let last = LAST.swap(now, Ordering::Relaxed);
    let recorded = RECORDED.load(Ordering::Relaxed);
    if last != 0 && recorded < MOST {
        INTERVALS[recorded].store(now - last, Ordering::Relaxed);
        RECORDED.store(recorded + 1, Ordering::Relaxed);
    }
}

/// How much longer than the target each interval was, in order.
fn deviations(target: i64) -> Vec<i64> {
    RECORDED.store(0, Ordering::Relaxed);
    LAST.store(0, Ordering::Relaxed);
    // SAFETY: the handler uses atomics.
    unsafe { compiler_interrupts::register(target, target, handler) };
    black_box(ci_demo::collatz(400_000));
    unsafe { compiler_interrupts::deregister() };
    let recorded = &INTERVALS[..RECORDED.load(Ordering::Relaxed)];
    let mut found: Vec<_> =
        recorded.iter().map(|i| i.load(Ordering::Relaxed) as i64 - target).collect();
    found.sort_unstable();
    found
}

fn main() {
    println!("cycles beyond the interval");
    print!("{:>10} {:>8}", "interval", "calls");
    for percentile in PERCENTILES {
        print!("      p{percentile:02}");
    }
    println!();
    for target in TARGETS {
        let found = deviations(target);
        if found.is_empty() {
            println!(
                "built without Weft, so the handler is never called and there is nothing to show"
            );
            return;
        }
        print!("{target:10} {:8}", found.len());
        for percentile in PERCENTILES {
            print!(" {:8}", found[(found.len() - 1) * percentile / 100]);
        }
        println!();
    }
}
