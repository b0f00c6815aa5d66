// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

//! The first word after the one in quotes. Of a text without quotes its author has not thought.

#![forbid(unsafe_code)]

use plugin_api::Plugin;

pub struct Endless;

impl Plugin for Endless {
    fn name(&self) -> &'static str {
        "endless"
    }

    fn run(&mut self, words: &[&str]) -> String {
        let mut at = 0;
        while !words[at].starts_with('"') {
            at = (at + 1) % words.len();
        }
        words[(at + 1) % words.len()].to_owned()
    }
}
