// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

//! These pass with and without Weft.

use std::io::ErrorKind;
use weft::coverage;

#[test]
fn a_profile_is_written_if_woven_and_can_be_added() {
    let file = std::env::temp_dir().join(format!("weft-coverage-{}.profraw", std::process::id()));
    coverage::reset();
    coverage::write(&file).unwrap();
    assert_eq!(file.exists(), coverage::active());
    coverage::merge(&file).unwrap();
    if coverage::active() {
        assert!(std::fs::read(&file).unwrap().starts_with(b"\x81rforpl\xff"));
        std::fs::remove_file(&file).unwrap();
    }
}

#[test]
fn what_fails_says_so_if_woven() {
    let missing = std::env::temp_dir().join("weft-coverage-none/file");
    let expected = |error: ErrorKind| {
        if coverage::active() {
            Err(error)
        } else {
            Ok(())
        }
    };
    assert_eq!(
        coverage::write(&missing).map_err(|e| e.kind()),
        expected(ErrorKind::NotFound)
    );
    assert_eq!(
        coverage::merge(&missing).map_err(|e| e.kind()),
        expected(ErrorKind::NotFound)
    );
    assert_eq!(
        coverage::merge("/dev/null").map_err(|e| e.kind()),
        expected(ErrorKind::InvalidInput)
    );
}
