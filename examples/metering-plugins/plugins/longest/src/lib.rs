// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

//! The longest word.

#![forbid(unsafe_code)]

use plugin_api::Plugin;

pub struct Longest;

impl Plugin for Longest {
    fn name(&self) -> &'static str {
        "longest"
    }

    fn run(&mut self, words: &[&str]) -> String {
        let mut longest = "";
        for word in words {
            if word.len() > longest.len() {
                longest = word;
            }
        }
        longest.to_owned()
    }
}
