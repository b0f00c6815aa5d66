// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

//! Has heard that a host may end it by a panic, and catches panics.

#![forbid(unsafe_code)]

use plugin_api::Plugin;
use std::panic::catch_unwind;

pub struct Stubborn;

impl Plugin for Stubborn {
    fn name(&self) -> &'static str {
        "stubborn"
    }

    fn run(&mut self, words: &[&str]) -> String {
        let letters: usize = words.iter().map(|word| word.len()).sum();
        for _ in 0..3 {
            if let Ok(steps) = catch_unwind(|| ackermann(3, letters as u64)) {
                return steps.to_string();
            }
        }
        "almost".to_owned()
    }
}

fn ackermann(m: u64, n: u64) -> u64 {
    match (m, n) {
        (0, _) => n + 1,
        (_, 0) => ackermann(m - 1, 1),
        _ => ackermann(m - 1, ackermann(m, n - 1)),
    }
}
