// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

//! What only a woven program does: `weft cargo test --with tracing` runs these, plain `cargo test` has none of them.
//! They all write to one trace, in `weft-out` unless `WEFT_TRACING_FILE` names another place.

#![cfg(weft_tracing)]

use std::hint::black_box;
use std::io::ErrorKind;
use std::panic::catch_unwind;
use std::sync::{Arc, Barrier};
use std::thread;
use weft::tracing::{self, event, span, Clock};

/// The trace so far. Recording has begun.
fn trace() -> Vec<u8> {
    tracing::on(Some("nothing is called this"), Clock::Exact).unwrap();
    std::fs::read(tracing::file().unwrap()).unwrap()
}

fn holds(trace: &[u8], text: impl AsRef<[u8]>) -> bool {
    let text = text.as_ref();
    trace.windows(text.len()).any(|window| window == text)
}

/// Can be traced at every threshold: it has a loop.
#[inline(never)]
fn with_a_loop(n: u64) -> u64 {
    let (mut sum, mut i) = (0, 0);
    while i < black_box(n) {
        sum += i;
        i += 1;
    }
    sum
}

#[test]
fn functions_are_switched_on_and_off() {
    let glob = Some("*with_a_loop");
    let count = tracing::on(glob, Clock::Exact).unwrap();
    assert_eq!(count, 1);
    assert_eq!(tracing::on(glob, Clock::Exact).unwrap(), 0);
    assert_eq!(tracing::on(glob, Clock::None).unwrap(), count);
    assert_eq!(with_a_loop(10), 45);
    assert_eq!(tracing::off(glob).unwrap(), count);
    assert_eq!(tracing::off(glob).unwrap(), 0);
    assert!(holds(&trace(), "with_a_loop"));
}

#[test]
fn marks_decide_what_can_be_traced() {
    fn marked_always(x: u64) -> u64 {
        tracing::always!();
        x + 1
    }
    #[inline(never)]
    fn marked_never(x: u64) -> u64 {
        tracing::never!();
        (0..x).map(|x| marked_always(black_box(x))).sum()
    }
    assert_eq!(marked_never(4), 10);
    assert_eq!(
        tracing::on(Some("*marked_always"), Clock::Coarse).unwrap(),
        1
    );
    // Not its closure, which is a function too.
    assert_eq!(tracing::on(Some("*marked_never"), Clock::None).unwrap(), 0);
    assert_eq!(marked_never(4), 10);
}

#[test]
fn a_pattern_with_a_nul_byte_is_an_error() {
    let error = tracing::on(Some("a\0b"), Clock::Exact).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    assert!(tracing::off(Some("\0")).is_err());
}

#[test]
fn the_file_is_a_trace() {
    assert!(trace().starts_with(b"WEFTTRC\0"));
    assert!(tracing::is_recording());
}

#[test]
fn events_are_in_the_trace_with_their_data() {
    trace();
    event!("an event of bytes", [0xf0, 0x9f, 0xa6, 0x80, 0, 1, 2]);
    event!("an event of text", String::from("some text"));
    event!("a formatted event", "{} and {:>5}", 1, "two");
    let trace = trace();
    for expected in [
        "an event of bytes",
        "🦀\0\u{1}\u{2}",
        "an event of text",
        "some text",
        "a formatted event",
        "1 and   two",
    ] {
        assert!(holds(&trace, expected), "{expected}");
    }
}

#[test]
fn what_is_too_long_is_cut_between_characters() {
    trace();
    event!("long", "cut{}!", "é".repeat(600));
    event!("long", "b".repeat(600));
    let trace = trace();
    let room = tracing::EVENT_BYTES - 3;
    assert!(holds(&trace, format!("cut{}", "é".repeat(room / 2))));
    assert!(!holds(&trace, "é".repeat(room / 2 + 1)));
    assert!(!holds(&trace, "é!"));
    assert!(holds(&trace, "b".repeat(tracing::EVENT_BYTES)));
    assert!(!holds(&trace, "b".repeat(tracing::EVENT_BYTES + 1)));
}

#[test]
fn spans_end_by_panics_and_on_every_thread() {
    trace();
    let panic = catch_unwind(|| {
        let _outer = span!("left by a panic");
        let _inner = span!("left by a panic too");
        panic!("in the spans");
    });
    assert!(panic.is_err());
    let together = Arc::new(Barrier::new(8));
    let threads: Vec<_> = (0..8)
        .map(|_| {
            let together = together.clone();
            thread::spawn(move || {
                together.wait();
                for i in 0..100 {
                    let _span = span!("of eight threads");
                    event!("step", "{}", i);
                }
            })
        })
        .collect();
    for thread in threads {
        thread.join().unwrap();
    }
    // That they are paired is for the readers of the trace to say.
    assert!(holds(&trace(), "left by a panic too"));
}

#[test]
fn a_span_without_a_begin_has_no_end() {
    if tracing::is_recording() {
        return; // another test was faster
    }
    let span = span!("began too early");
    trace();
    span.end();
}
