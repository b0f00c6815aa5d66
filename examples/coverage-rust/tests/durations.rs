// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

use coverage_rust::{parse, print, Error};

#[test]
fn durations_are_sums_of_their_parts() {
    assert_eq!(parse("1h 30m"), Ok(5_400));
    assert_eq!(parse("90s"), Ok(90));
}

#[test]
fn what_has_no_unit_is_refused() {
    assert_eq!(parse("12"), Err(Error::Unit('2')));
    assert_eq!(parse("h"), Err(Error::Number(String::new())));
}

#[test]
fn seconds_are_printed_in_the_largest_units() {
    assert_eq!(print(5_400), "1h 30m");
}
