// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

//! What only a woven program does: `weft cargo test --with interrupts` runs these, plain `cargo test` has none of them.

#![cfg(weft_interrupts)]

use std::hint::black_box;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// About 0.1 s of integers. No calls in the loop, in unoptimised builds neither.
fn work() -> u64 {
    let mut x = black_box(88_172_645_463_325_252_u64);
    let mut i = black_box(50_000_000_u32);
    while i > 0 {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        i -= 1;
    }
    black_box(x)
}

/// Works until the handler was called, and fails if that never comes.
fn work_until_called(calls: &AtomicU64) {
    let (start, before) = (Instant::now(), calls.load(Ordering::Relaxed));
    while calls.load(Ordering::Relaxed) == before {
        assert!(
            start.elapsed() < Duration::from_secs(60),
            "no interrupt came"
        );
        work();
    }
}

#[test]
fn a_handler_is_called_with_the_cumulative_count_until_deregistered() {
    static CALLS: AtomicU64 = AtomicU64::new(0);
    static LAST: AtomicI64 = AtomicI64::new(0);
    static FALLEN: AtomicU64 = AtomicU64::new(0);
    fn handler(count: i64) {
        CALLS.fetch_add(1, Ordering::Relaxed);
        if LAST.swap(count, Ordering::Relaxed) > count {
            FALLEN.fetch_add(1, Ordering::Relaxed);
        }
    }
    // SAFETY: the handler touches atomics only.
    unsafe { compiler_interrupts::register(100_000, 200_000, handler) };
    for _ in 0..3 {
        work_until_called(&CALLS);
    }
    unsafe { compiler_interrupts::deregister() };
    let calls = CALLS.load(Ordering::Relaxed);
    work();
    assert_eq!(CALLS.load(Ordering::Relaxed), calls);
    assert_eq!(FALLEN.load(Ordering::Relaxed), 0);
}

#[test]
fn disabling_nests_and_runs_the_hooks() {
    static CALLS: AtomicU64 = AtomicU64::new(0);
    static DISABLED: AtomicU64 = AtomicU64::new(0);
    static ENABLED: AtomicU64 = AtomicU64::new(0);
    fn handler(_: i64) {
        CALLS.fetch_add(1, Ordering::Relaxed);
    }
    // SAFETY: the handler and the hooks touch atomics only, and each `enable` undoes a `disable`.
    unsafe {
        compiler_interrupts::register_disable_hook(|| {
            DISABLED.fetch_add(1, Ordering::Relaxed);
        });
        compiler_interrupts::register_enable_hook(|| {
            ENABLED.fetch_add(1, Ordering::Relaxed);
        });
        compiler_interrupts::disable();
        compiler_interrupts::disable();
        compiler_interrupts::register(100_000, 200_000, handler);
        compiler_interrupts::enable();
        work();
        assert_eq!(CALLS.load(Ordering::Relaxed), 0);
        compiler_interrupts::enable();
        compiler_interrupts::deregister_disable_hook();
        compiler_interrupts::deregister_enable_hook();
        work_until_called(&CALLS);
        compiler_interrupts::disable();
        compiler_interrupts::enable();
        compiler_interrupts::deregister();
    }
    assert_eq!(DISABLED.load(Ordering::Relaxed), 2);
    assert_eq!(ENABLED.load(Ordering::Relaxed), 2);
}

#[test]
fn a_region_without_probes_is_not_interrupted() {
    static CALLS: AtomicU64 = AtomicU64::new(0);
    fn handler(_: i64) {
        CALLS.fetch_add(1, Ordering::Relaxed);
    }
    // SAFETY: the handler touches an atomic only.
    unsafe { compiler_interrupts::register(100_000, 200_000, handler) };
    let mut x = black_box(88_172_645_463_325_252_u64);
    let mut i = black_box(50_000_000_u32);
    let before = CALLS.load(Ordering::Relaxed);
    // No calls in here: they would keep their probes.
    unsafe { compiler_interrupts::instr_disable() };
    while i > 0 {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        i -= 1;
    }
    unsafe { compiler_interrupts::instr_enable() };
    let inside = CALLS.load(Ordering::Relaxed) - before;
    black_box(x);
    work_until_called(&CALLS);
    unsafe { compiler_interrupts::deregister() };
    // One may fall due on the way in, one on the way out.
    assert!(inside <= 2, "{inside} calls");
}
