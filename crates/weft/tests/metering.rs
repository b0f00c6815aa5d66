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
