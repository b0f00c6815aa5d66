// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

//! These pass with and without Weft.

use std::path::Path;
use weft::metering;

fn work(n: u64) -> u64 {
    (0..n).fold(0, |sum, i| sum ^ i.wrapping_mul(i))
}

#[test]
fn counts_if_woven() {
    metering::reset();
    std::hint::black_box(work(std::hint::black_box(1000)));
    let units = metering::count();
    assert_eq!(metering::active(), units > 0);
    assert!(metering::process_count() >= units);
}

#[test]
fn equal_work_costs_equal_units() {
    let units = |n| {
        metering::reset();
        std::hint::black_box(work(std::hint::black_box(n)));
        metering::count()
    };
    assert_eq!(units(500), units(500));
    assert_eq!(metering::active(), units(501) > units(500));
}

#[test]
fn a_report_is_written_if_woven() {
    let file = std::env::temp_dir().join(format!("weft-crate-{}.json", std::process::id()));
    metering::write_report(&file).expect("a report in the folder for temporary files");
    assert_eq!(metering::active(), file.exists());
    let _ = std::fs::remove_file(&file);
}

#[test]
fn a_report_that_cannot_be_written_is_an_error_if_woven() {
    let result = metering::write_report(Path::new("missing/folder/report.json"));
    match result {
        Err(error) => assert_eq!(
            (metering::active(), error.kind()),
            (true, std::io::ErrorKind::NotFound)
        ),
        Ok(()) => assert!(!metering::active()),
    }
}

#[test]
fn what_stays_within_its_limit_comes_back() {
    assert_eq!(metering::limit(1_000_000, || work(std::hint::black_box(100))), Ok(work(100)));
    assert_eq!(metering::left(), metering::UNLIMITED);
}

#[test]
fn a_panic_under_a_limit_goes_on() {
    let payload = std::panic::catch_unwind(|| metering::limit(1_000_000, || std::panic::resume_unwind(Box::new(7)))).expect_err("the panic");
    assert_eq!(payload.downcast_ref(), Some(&7));
}

struct Flag<'a>(&'a std::cell::Cell<u32>);

impl Drop for Flag<'_> {
    fn drop(&mut self) {
        self.0.set(self.0.get() + 1);
    }
}

#[inline(never)]
fn forever(dropped: &std::cell::Cell<u32>) -> u64 {
    let _flag = Flag(dropped);
    let mut x = 27u64;
    while std::hint::black_box(true) {
        x = x.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(work(x % 64));
        drop(Box::new(x));
    }
    x
}

#[test]
fn what_never_ends_is_unwound_at_its_limit() {
    if !metering::unwinds() {
        return;
    }
    let dropped = std::cell::Cell::new(0);
    for round in 1..=100 {
        assert_eq!(metering::limit(20_000, || forever(&dropped)), Err(metering::LimitReached { units: 20_000 }));
        assert_eq!(dropped.get(), round);
    }
}

#[test]
fn who_catches_it_is_stopped_again() {
    if !metering::unwinds() {
        return;
    }
    let dropped = std::cell::Cell::new(0);
    let outcome = metering::limit(20_000, || {
        for _ in 0..5 {
            let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| forever(&dropped)));
        }
        forever(&dropped)
    });
    assert!(outcome.is_err());
    assert_eq!(dropped.get(), 6);
}

#[test]
fn who_catches_it_and_returns_has_reached_it_all_the_same() {
    if !metering::unwinds() {
        return;
    }
    let dropped = std::cell::Cell::new(0);
    let outcome = metering::limit(20_000, || {
        let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| forever(&dropped)));
        7
    });
    assert_eq!(outcome, Err(metering::LimitReached { units: 20_000 }));
}

#[test]
fn the_outer_limit_passes_through_the_inner_one() {
    if !metering::unwinds() {
        return;
    }
    let dropped = std::cell::Cell::new(0);
    let outer = metering::limit(20_000, || {
        let inner = metering::limit(1_000_000, || forever(&dropped));
        panic!("the inner limit was reached: {inner:?}");
    });
    assert_eq!(outer, Err::<(), _>(metering::LimitReached { units: 20_000 }));
    let inner = metering::limit(10_000_000, || metering::limit(20_000, || forever(&dropped)));
    assert_eq!(inner, Ok(Err(metering::LimitReached { units: 20_000 })));
}

#[test]
fn suspended_work_has_no_limit() {
    let outcome = metering::limit(50_000, || {
        let _suspended = metering::suspend();
        work(std::hint::black_box(1_000_000))
    });
    assert_eq!(outcome, Ok(work(1_000_000)));
}

#[test]
fn a_handler_refuels() {
    let mut calls = 0u64;
    let mut handler = || {
        calls += 1;
        metering::Action::Refuel(10_000)
    };
    // SAFETY: the handler touches nothing but its own count.
    let budget = unsafe { metering::Budget::with_handler(10_000, &mut handler) }.expect("a budget");
    std::hint::black_box(work(std::hint::black_box(100_000)));
    drop(budget);
    assert_eq!(metering::active(), calls > 1);
}
