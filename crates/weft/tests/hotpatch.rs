// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

//! These pass with and without Weft. What a patch does to a program is tested where patches are made.

use std::time::Duration;
use weft::hotpatch::{self, Error, ErrorKind, Hooks, Patch};

/// The tests run at the same time, and nobody waits for another.
fn patiently(call: impl Fn() -> Result<(), Error>) -> Result<(), Error> {
    loop {
        match call() {
            Err(error) if error.kind() == ErrorKind::Busy => std::thread::yield_now(),
            result => return result,
        }
    }
}

/// What the kind is in a program that was built with hotpatch.
fn woven(kind: ErrorKind) -> ErrorKind {
    if hotpatch::active() {
        kind
    } else {
        ErrorKind::Absent
    }
}

#[test]
fn what_is_no_patch_is_refused_with_a_reason() {
    // SAFETY: nothing of it is run.
    let error = patiently(|| unsafe { hotpatch::apply_bytes(&[7; 5000]) }).unwrap_err();
    assert_eq!(error.kind(), woven(ErrorKind::Damaged));
    assert!(!error.to_string().is_empty());
    // SAFETY: the same.
    let error = patiently(|| unsafe { hotpatch::apply_bytes(&[]) }).unwrap_err();
    assert_eq!(error.kind(), woven(ErrorKind::Damaged));
    assert_eq!(hotpatch::count(), 0);
}

#[test]
fn a_file_that_is_not_there_is_named() {
    // SAFETY: nothing is run.
    let error = unsafe { hotpatch::apply("no/such.patch") }.unwrap_err();
    assert_eq!(error.kind(), woven(ErrorKind::NoFile));
    assert_eq!(
        hotpatch::active(),
        error.to_string().contains("no/such.patch")
    );
    // SAFETY: the same.
    let error = unsafe { hotpatch::apply("no\0file") }.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NoFile);
}

#[test]
fn without_weft_it_says_how_to_build() {
    if hotpatch::active() {
        return;
    }
    let error: Box<dyn std::error::Error> = Box::new(hotpatch::revert_to(0).unwrap_err());
    assert!(error.to_string().contains("--with hotpatch"));
    assert!(hotpatch::wait(Duration::MAX).is_err());
}

#[test]
fn without_patches_there_is_nothing_to_take_back_or_to_wait_for() {
    let taken_back = patiently(|| hotpatch::revert_to(0));
    assert_eq!(taken_back.is_ok(), hotpatch::active());
    let waited = patiently(|| hotpatch::wait(Duration::ZERO));
    assert_eq!(waited.is_ok(), hotpatch::active());
}

#[test]
fn hooks_may_be_set_and_taken_away() {
    struct Deaf;
    impl Hooks for Deaf {
        fn after(&self, patch: &Patch<'_>) {
            panic!("{patch:?}");
        }
    }
    // SAFETY: they are never called.
    unsafe { hotpatch::set_hooks(&Deaf) };
    hotpatch::clear_hooks();
}
