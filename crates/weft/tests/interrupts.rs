// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

//! These pass with and without Weft. What only woven code does is in `interrupts_woven.rs`.

use std::error::Error as _;
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::Arc;
use std::thread;
use std::time::Duration;
use weft::interrupts::{self, Clock, Critical, Error, Flag, Interval, Registration};

/// Possible with every clock of a build.
fn interval() -> Interval {
    match interrupts::build_clock() {
        Clock::Instructions => Interval::instructions(10_000),
        _ => Interval::time(Duration::from_micros(10)),
    }
}

fn work() -> u64 {
    (0..100_000).map(std::hint::black_box).sum()
}

fn register() -> Result<Registration, Error> {
    // SAFETY: the handler touches nothing.
    unsafe { interrupts::register(interval(), |_| ()) }
}

#[test]
fn without_weft_nothing_is_counted_or_called() {
    let called = Arc::new(AtomicBool::new(false));
    let registration = interrupts::register_atomic(interval(), called.clone()).unwrap();
    work();
    registration.finish();
    let seen = (
        called.load(Ordering::Relaxed),
        interrupts::fired() > 0,
        interrupts::count() > 0,
    );
    if !interrupts::active() {
        assert_eq!(seen, (false, false, false));
        assert_eq!(interrupts::build_clock(), Clock::Cycles);
        assert_eq!(interrupts::ticks_per_second(), 1_000_000_000);
    }
}

#[test]
fn a_thread_has_one_registration_at_a_time() {
    let first = register().unwrap();
    assert_eq!(register().unwrap_err(), Error::AlreadyRegistered);
    // SAFETY: the handler touches nothing.
    let nested = unsafe { interrupts::with::<()>(interval(), |_| (), || panic!("not done")) };
    assert_eq!(nested, Err(Error::AlreadyRegistered));
    thread::spawn(|| register().unwrap().finish())
        .join()
        .unwrap();
    drop(first);
    register().unwrap().finish();
}

#[test]
fn a_failed_registration_leaves_the_thread_free_and_drops_the_handler() {
    let alive = Arc::new(());
    let captured = alive.clone();
    // SAFETY: the handler touches nothing that changes.
    let result = unsafe {
        interrupts::register(Interval::cycles(0), move |_| {
            let _ = &captured;
        })
    };
    assert_eq!(result.unwrap_err(), Error::BadInterval);
    assert_eq!(Arc::strong_count(&alive), 1);
    register().unwrap().finish();
}

#[test]
fn the_end_of_a_registration_drops_the_handler() {
    let alive = Arc::new(());
    let captured = alive.clone();
    // SAFETY: the handler touches nothing that changes.
    let registration = unsafe {
        interrupts::register(interval(), move |_| {
            let _ = &captured;
        })
    }
    .unwrap();
    assert_eq!(Arc::strong_count(&alive), 2);
    registration.finish();
    assert_eq!(Arc::strong_count(&alive), 1);
}

#[test]
fn with_returns_what_the_work_did_and_both_borrow() {
    let mut calls = 0_u64;
    let numbers = [1_u64, 2, 3];
    let mut sum = 0;
    // SAFETY: the handler touches `calls` only, which nothing else can use meanwhile.
    let result = unsafe {
        interrupts::with(
            interval(),
            |_| calls += 1,
            || {
                sum = numbers.iter().sum::<u64>();
                numbers.len()
            },
        )
    };
    assert_eq!((result, sum), (Ok(3), 6));
    assert!(interrupts::active() || calls == 0);
}

#[test]
fn a_panic_of_the_work_ends_the_registration() {
    let result = catch_unwind(|| {
        // SAFETY: the handler touches nothing.
        unsafe { interrupts::with::<()>(interval(), |_| (), || panic!("work")) }.unwrap();
    });
    assert_eq!(result.unwrap_err().downcast_ref(), Some(&"work"));
    register().unwrap().finish();
}

#[test]
fn critical_sections_nest_and_return() {
    let result = interrupts::critical(|| interrupts::critical(|| 6) + 1);
    assert_eq!(result, 7);
    let outer = Critical::enter();
    let inner = Critical::enter();
    drop(outer);
    drop(inner);
    let panicked = catch_unwind(AssertUnwindSafe(|| {
        interrupts::critical::<()>(|| panic!("inside"))
    }));
    assert!(panicked.is_err());
}

#[test]
fn uninstrumented_returns_what_its_work_did() {
    assert_eq!(interrupts::uninstrumented(work), work());
}

#[test]
fn a_flag_outlives_its_thread() {
    let (flag, raised) = thread::spawn(|| {
        let flag = interrupts::flag();
        let raised = flag.raise();
        (flag, raised)
    })
    .join()
    .unwrap();
    assert!(raised);
    assert!(!flag.raise());
    assert!(!flag.clone().raise());
    assert!(interrupts::flag().raise());
}

#[test]
fn a_flag_can_be_asked_for_and_raised_while_its_thread_ends() {
    struct AtEnd;

    impl Drop for AtEnd {
        fn drop(&mut self) {
            interrupts::flag().raise();
        }
    }

    thread_local! {
        static BEFORE: AtEnd = const { AtEnd };
        static AFTER: AtEnd = const { AtEnd };
    }

    thread::spawn(|| {
        BEFORE.with(|_| ());
        let flag = interrupts::flag();
        AFTER.with(|_| ());
        flag.raise()
    })
    .join()
    .map(|raised| assert!(raised))
    .unwrap();
}

#[test]
fn flags_are_raised_while_threads_end() {
    for _ in 0..200 {
        let (sender, receiver) = std::sync::mpsc::channel::<Flag>();
        let raiser = thread::spawn(move || {
            let flag = receiver.recv().unwrap();
            while flag.raise() {}
        });
        thread::spawn(move || sender.send(interrupts::flag()).unwrap())
            .join()
            .unwrap();
        raiser.join().unwrap();
    }
}

#[test]
fn errors_say_what_is_wrong() {
    for error in [
        Error::AlreadyRegistered,
        Error::BadInterval,
        Error::ClockNotWoven,
        Error::NoTimer,
        Error::Os(5),
    ] {
        assert!(error.source().is_none());
        assert!(!error.to_string().is_empty());
    }
    assert!(Error::ClockNotWoven
        .to_string()
        .contains("--interrupts-clock"));
    assert!(Error::Os(5).to_string().ends_with('5'));
}

/// What belongs to a thread stays there: a second implementation makes the call ambiguous for a type that is `Send`.
#[test]
fn guards_stay_on_their_thread_and_flags_travel() {
    trait AmbiguousIfSend<Marker> {
        fn check() {}
    }
    struct IsSend;
    impl<T: ?Sized> AmbiguousIfSend<()> for T {}
    impl<T: ?Sized + Send> AmbiguousIfSend<IsSend> for T {}
    <Critical as AmbiguousIfSend<_>>::check();
    <Registration as AmbiguousIfSend<_>>::check();

    fn travels<T: Send + Sync + 'static>() {}
    travels::<Flag>();
    travels::<Error>();
    travels::<Interval>();
}
