// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

//! What only a woven program does: `weft cargo test --with interrupts` runs these, plain `cargo test` has none of them.

#![cfg(weft_interrupts)]

use std::cell::{Cell, RefCell};
use std::ffi::c_void;
use std::hint::black_box;
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{mpsc, Arc};
use std::thread;
use std::time::{Duration, Instant};
use weft::interrupts::{self, raw, Clock, Error, Interval, Registration};

/// One that every build has, short against `work`.
fn short() -> Interval {
    match interrupts::build_clock() {
        Clock::Instructions => Interval::instructions(100_000),
        _ => Interval::time(Duration::from_micros(200)),
    }
}

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

/// Works until `done`, and fails if that never comes.
fn work_until(mut done: impl FnMut() -> bool) {
    let start = Instant::now();
    while !done() {
        assert!(
            start.elapsed() < Duration::from_secs(60),
            "no interrupt came"
        );
        work();
    }
}

/// A handler that counts its calls.
fn counting() -> (&'static AtomicU64, impl FnMut(u64) + Send + 'static) {
    let calls: &AtomicU64 = Box::leak(Box::new(AtomicU64::new(0)));
    let handler = |_| {
        calls.fetch_add(1, Ordering::Relaxed);
    };
    (calls, handler)
}

/// Shorter to write below.
///
/// # Safety
///
/// As for `interrupts::register`.
unsafe fn register(handler: impl FnMut(u64) + Send + 'static) -> Registration {
    // SAFETY: promised by the caller.
    unsafe { interrupts::register(short(), handler) }.unwrap()
}

#[test]
fn the_program_is_woven() {
    assert!(interrupts::active());
    assert!(interrupts::ticks_per_second() > 1_000_000);
    let before = interrupts::count();
    work();
    assert_eq!(
        interrupts::count() > before,
        interrupts::build_clock() != Clock::Flag
    );
}

#[test]
fn a_handler_is_called_with_a_rising_count_and_keeps_its_state() {
    let (sender, receiver) = mpsc::channel();
    let mut calls = 0_u64;
    // SAFETY: captures of its own, and a channel.
    let registration = unsafe {
        register(move |count| {
            calls += 1;
            let _ = sender.send((calls, count));
        })
    };
    let fired = interrupts::fired();
    work();
    registration.finish();
    let fired = interrupts::fired() - fired;

    let seen: Vec<_> = receiver.iter().collect();
    assert!(seen.len() > 10, "{} calls", seen.len());
    assert!(fired <= seen.len() as u64);
    assert!(seen.iter().map(|call| call.0).eq(1..=seen.len() as u64));
    assert!(seen.windows(2).all(|pair| pair[0].1 <= pair[1].1));
}

#[test]
fn calls_end_with_the_registration() {
    let (calls, handler) = counting();
    // SAFETY: an atomic.
    let registration = unsafe { register(handler) };
    work_until(|| calls.load(Ordering::Relaxed) > 0);
    drop(registration);
    let before = (calls.load(Ordering::Relaxed), interrupts::fired());
    work();
    assert_eq!((calls.load(Ordering::Relaxed), interrupts::fired()), before);
}

#[test]
fn an_atomic_is_set() {
    let due = Arc::new(AtomicBool::new(false));
    let registration = interrupts::register_atomic(short(), due.clone()).unwrap();
    for _ in 0..2 {
        work_until(|| due.swap(false, Ordering::Acquire));
    }
    registration.finish();
}

#[test]
fn other_threads_are_left_alone() {
    let (calls, handler) = counting();
    // SAFETY: an atomic.
    let registration = unsafe { register(handler) };
    let other = thread::spawn(|| {
        work();
        interrupts::fired()
    });
    assert_eq!(other.join().unwrap(), 0);
    work_until(|| calls.load(Ordering::Relaxed) > 0);
    registration.finish();
}

#[test]
fn units_are_an_interval() {
    const INTERVAL: u64 = 1_000_000;
    let (calls, handler) = counting();
    // SAFETY: an atomic.
    let registration =
        match unsafe { interrupts::register(Interval::instructions(INTERVAL), handler) } {
            Ok(registration) => registration,
            Err(error) => {
                let expected = (Error::ClockNotWoven, Clock::Flag);
                assert_eq!((error, interrupts::build_clock()), expected);
                return;
            }
        };
    let before = interrupts::count();
    work();
    let units = interrupts::count() - before;
    registration.finish();
    let calls = calls.load(Ordering::Relaxed);
    assert!(calls > 0);
    assert!(
        calls <= units / INTERVAL + 1,
        "{calls} calls in {units} units"
    );
}

#[test]
fn a_panic_of_the_handler_goes_on_at_the_drop() {
    let (calls, mut handler) = counting();
    // SAFETY: an atomic.
    let registration = unsafe {
        register(move |count| {
            handler(count);
            panic!("in the handler");
        })
    };
    work_until(|| calls.load(Ordering::Relaxed) > 0);
    work();
    assert_eq!(calls.load(Ordering::Relaxed), 1, "not called again");
    let panic = catch_unwind(AssertUnwindSafe(|| drop(registration))).unwrap_err();
    assert_eq!(panic.downcast_ref(), Some(&"in the handler"));
    let (calls, handler) = counting();
    // SAFETY: an atomic.
    let registration = unsafe { register(handler) };
    work_until(|| calls.load(Ordering::Relaxed) > 0);
    registration.finish();
}

#[test]
fn a_panic_of_the_handler_gives_way_to_one_that_is_under_way() {
    let (calls, mut handler) = counting();
    let panic = catch_unwind(AssertUnwindSafe(|| {
        // SAFETY: an atomic.
        let _registration = unsafe {
            register(move |count| {
                handler(count);
                panic!("in the handler");
            })
        };
        work_until(|| calls.load(Ordering::Relaxed) > 0);
        panic!("in the work");
    }))
    .unwrap_err();
    assert_eq!(panic.downcast_ref(), Some(&"in the work"));
}

#[test]
fn no_handler_is_called_in_a_critical_section() {
    let (calls, handler) = counting();
    // SAFETY: an atomic.
    let registration = unsafe { register(handler) };
    let inside = interrupts::critical(|| {
        let before = calls.load(Ordering::Relaxed);
        interrupts::critical(work);
        work();
        calls.load(Ordering::Relaxed) - before
    });
    assert_eq!(inside, 0);
    work_until(|| calls.load(Ordering::Relaxed) > 0);
    registration.finish();
}

#[test]
fn critical_sections_make_a_thread_local_safe_to_share() {
    thread_local! {
        static QUEUE: RefCell<Vec<u64>> = const { RefCell::new(Vec::new()) };
    }
    // SAFETY: QUEUE is used in critical sections only.
    let registration =
        unsafe { register(|count| QUEUE.with_borrow_mut(|queue| queue.push(count))) };
    let mut taken = 0;
    work_until(|| {
        taken += interrupts::critical(|| {
            QUEUE.with_borrow_mut(|queue| {
                let length = queue.len();
                work();
                assert_eq!(queue.len(), length);
                queue.clear();
                length
            })
        });
        taken > 0
    });
    registration.finish();
}

#[test]
fn with_lends_what_the_caller_has() {
    let mut calls = 0_u64;
    let mut results = Vec::new();
    // SAFETY: the handler touches `calls` only, which nothing else can use meanwhile.
    unsafe {
        interrupts::with(
            short(),
            |_| calls += 1,
            || {
                for _ in 0..3 {
                    results.push(work());
                }
            },
        )
    }
    .unwrap();
    assert_eq!(results, [work(); 3]);
    assert!(calls > 10, "{calls} calls");
    let fired = interrupts::fired();
    work();
    assert_eq!(interrupts::fired(), fired);
}

#[test]
fn with_ends_when_the_work_panics() {
    let mut calls = 0_u64;
    let panic = catch_unwind(AssertUnwindSafe(|| {
        // SAFETY: the handler touches `calls` only, which nothing else can use meanwhile.
        let result: Result<(), Error> = unsafe {
            interrupts::with(
                short(),
                |_| calls += 1,
                || {
                    work();
                    panic!("in the work");
                },
            )
        };
        result
    }))
    .unwrap_err();
    assert_eq!(panic.downcast_ref(), Some(&"in the work"));
    assert!(calls > 0);
    let fired = interrupts::fired();
    work();
    assert_eq!(interrupts::fired(), fired);
}

#[test]
fn a_panic_of_the_handler_waits_for_the_work_of_with() {
    let mut worked = false;
    let panic = catch_unwind(AssertUnwindSafe(|| {
        // SAFETY: the handler touches nothing.
        let result = unsafe {
            interrupts::with(
                short(),
                |_| panic!("in the handler"),
                || {
                    work();
                    worked = true;
                },
            )
        };
        result
    }))
    .unwrap_err();
    assert_eq!(panic.downcast_ref(), Some(&"in the handler"));
    assert!(worked);
}

#[test]
fn a_flag_is_raised_by_another_thread() {
    let (calls, handler) = counting();
    // SAFETY: an atomic.
    let registration = unsafe { interrupts::register(Interval::flag_by_hand(), handler) }.unwrap();
    work();
    assert_eq!(calls.load(Ordering::Relaxed), 0, "nobody raised it");
    let flag = interrupts::flag();
    for raised in 1..=3 {
        let flag = flag.clone();
        assert!(thread::spawn(move || flag.raise()).join().unwrap());
        work_until(|| calls.load(Ordering::Relaxed) >= raised);
        assert_eq!(calls.load(Ordering::Relaxed), raised);
    }
    registration.finish();
}

#[test]
fn a_handler_may_raise_the_flag_that_its_thread_is_raising() {
    let flag = interrupts::flag();
    let own = flag.clone();
    // SAFETY: flags are for all threads.
    let registration = unsafe { register(move |_| assert!(own.raise())) };
    let start = Instant::now();
    while start.elapsed() < Duration::from_millis(100) {
        assert!(flag.raise());
    }
    registration.finish();
}

#[test]
fn a_timer_raises_the_flag() {
    let (calls, handler) = counting();
    let interval = Interval::flag(Duration::from_millis(1));
    // SAFETY: an atomic.
    let registration = unsafe { interrupts::register(interval, handler) }.unwrap();
    work_until(|| calls.load(Ordering::Relaxed) > 5);
    registration.finish();
}

#[test]
fn an_uninstrumented_region_has_no_probes() {
    let (calls, handler) = counting();
    // SAFETY: an atomic.
    let registration = unsafe { register(handler) };
    let mut x = black_box(88_172_645_463_325_252_u64);
    let mut i = black_box(50_000_000_u32);
    let before = calls.load(Ordering::Relaxed);
    // No calls in here: they would keep their probes.
    interrupts::instr_disable();
    while i > 0 {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        i -= 1;
    }
    interrupts::instr_enable();
    let inside = calls.load(Ordering::Relaxed) - before;
    black_box(x);
    work_until(|| calls.load(Ordering::Relaxed) > 10);
    registration.finish();
    // One may fall due on the way in, one on the way out.
    assert!(inside <= 2, "{inside} calls");
}

thread_local! {
    static OWN: RefCell<Option<Registration>> = const { RefCell::new(None) };
}

#[test]
fn a_handler_may_end_its_own_registration() {
    let alive = Arc::new(AtomicU64::new(0));
    let captured = alive.clone();
    // SAFETY: OWN is used in critical sections and handlers only.
    let registration = unsafe {
        register(move |_| {
            drop(OWN.take());
            captured.fetch_add(1, Ordering::Relaxed);
        })
    };
    interrupts::critical(|| OWN.set(Some(registration)));
    work_until(|| alive.load(Ordering::Relaxed) > 0);
    work();
    assert_eq!(alive.load(Ordering::Relaxed), 1);
    assert_eq!(Arc::strong_count(&alive), 1, "the handler was freed");
    // The thread is free again.
    let (calls, handler) = counting();
    // SAFETY: an atomic.
    let registration = unsafe { register(handler) };
    work_until(|| calls.load(Ordering::Relaxed) > 0);
    registration.finish();
}

#[test]
fn a_closure_is_not_called_within_itself() {
    thread_local! {
        static DEPTH: Cell<u32> = const { Cell::new(0) };
    }
    let deepest = Arc::new(AtomicU64::new(0));
    let calls = Arc::new(AtomicU64::new(0));
    let (seen, counted) = (deepest.clone(), calls.clone());
    // SAFETY: atomics, and a cell of the handler's own.
    let registration = unsafe {
        register(move |_| {
            if counted.fetch_add(1, Ordering::Relaxed) > 3 {
                return;
            }
            DEPTH.set(DEPTH.get() + 1);
            seen.fetch_max(DEPTH.get().into(), Ordering::Relaxed);
            // SAFETY: a handler may, if it disables them again.
            raw::enable();
            work();
            raw::disable();
            DEPTH.set(DEPTH.get() - 1);
        })
    };
    work_until(|| calls.load(Ordering::Relaxed) > 5);
    registration.finish();
    assert_eq!(deepest.load(Ordering::Relaxed), 1);
}

#[test]
fn a_raw_handler_gets_its_argument() {
    unsafe extern "C" fn handler(_count: u64, argument: *mut c_void) {
        // SAFETY: the static below.
        let calls = unsafe { &*argument.cast::<AtomicU64>() };
        calls.fetch_add(1, Ordering::Relaxed);
    }
    static CALLS: AtomicU64 = AtomicU64::new(0);
    let argument = (&raw const CALLS).cast_mut().cast();
    // SAFETY: an atomic that lives for ever.
    unsafe { raw::register(short(), handler, argument) }.unwrap();
    work_until(|| CALLS.load(Ordering::Relaxed) > 0);
    raw::deregister();
    let calls = CALLS.load(Ordering::Relaxed);
    work();
    assert_eq!(CALLS.load(Ordering::Relaxed), calls);
}

#[test]
fn hooks_run_at_every_critical_section() {
    thread_local! {
        static CALLS: Cell<(u32, u32)> = const { Cell::new((0, 0)) };
    }
    extern "C" fn disabled() {
        let (disabled, enabled) = CALLS.get();
        CALLS.set((disabled + 1, enabled));
    }
    extern "C" fn enabled() {
        let (disabled, enabled) = CALLS.get();
        CALLS.set((disabled, enabled + 1));
    }
    raw::set_disable_hook(Some(disabled));
    raw::set_enable_hook(Some(enabled));
    interrupts::critical(|| interrupts::critical(|| ()));
    raw::set_disable_hook(None);
    raw::set_enable_hook(None);
    interrupts::critical(|| ());
    assert_eq!(CALLS.get(), (2, 2));
}
