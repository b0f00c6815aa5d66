// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

//! A profile of one part of the work: what printing alone runs. Without Weft nothing is written, and the test passes too.

use weft::coverage;

#[test]
fn printing_alone() {
    let seconds = coverage_rust::parse("1d 1s").unwrap();
    coverage::reset();
    assert_eq!(coverage_rust::print(seconds), "1d 1s");
    let file = std::env::var_os("PRINTING").unwrap_or("printing.profraw".into());
    coverage::write(file).unwrap();
}
