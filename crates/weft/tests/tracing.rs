// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

//! These pass with and without Weft, recording or not.

use std::cell::Cell;
use std::panic::catch_unwind;
use weft::tracing::{self, event, span, Clock};

#[test]
fn without_weft_nothing_is_recorded() {
    if tracing::active() {
        return;
    }
    assert_eq!(tracing::on(None, Clock::default()).unwrap(), 0);
    assert!(!tracing::is_recording());
    assert_eq!(tracing::file(), None);
    assert_eq!(tracing::off(Some("*")).unwrap(), 0);
}

#[test]
fn there_is_a_file_exactly_while_recording() {
    assert_eq!(tracing::is_recording(), tracing::file().is_some());
}

#[test]
fn an_event_takes_whatever_is_bytes() {
    let text = String::from("text");
    event!("nothing");
    event!("nothing",);
    event!("bytes", b"bytes {}");
    event!("bytes", &[1, 2, 3]);
    event!("bytes", [0_u8; 4]);
    event!("bytes", vec![1, 2].into_boxed_slice());
    event!("text", "text");
    event!("text", text);
    event!("text", &text[1..]);
    event!("text", r"text",);
    event!("text", "{text} {} {:?}", 1, Some(2));
    event!("text", "{}", text,);
    event!("text", "{a}", a = 1);
    assert_eq!(text, "text");
}

#[test]
fn what_is_not_recorded_is_not_evaluated() {
    let evaluated = Cell::new(0);
    let data = || {
        evaluated.set(evaluated.get() + 1);
        "data"
    };
    let recording = tracing::is_recording();
    event!("data", data());
    event!("data", "{}", data());
    if recording == tracing::is_recording() {
        assert_eq!(evaluated.get(), if recording { 2 } else { 0 });
    }
}

#[test]
fn macros_are_expressions_wherever_those_may_stand() {
    let span = if tracing::active() {
        span!("woven")
    } else {
        span!("plain")
    };
    match span {
        span if tracing::is_recording() => span.end(),
        _ => event!("nothing was recorded"),
    }
    let closure = |x: u32| {
        tracing::always!();
        x + 1
    };
    assert_eq!(closure(1), 2);
    assert_eq!(format!("{:?}", span!("shown")), "Span { .. }");
}

#[test]
fn a_span_does_not_disturb_a_panic() {
    let panic = catch_unwind(|| {
        let _span = span!("panics");
        panic!("in the span");
    })
    .unwrap_err();
    assert_eq!(panic.downcast_ref(), Some(&"in the span"));
}

#[test]
fn marks_change_nothing() {
    fn marked(x: u64) -> u64 {
        tracing::always!();
        x * 2
    }
    fn unmarked(x: u64) -> u64 {
        tracing::never!();
        (0..x).map(marked).sum()
    }
    assert_eq!(unmarked(10), 90);
}
