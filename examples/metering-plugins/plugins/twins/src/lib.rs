// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

//! How many pairs of words are equal. It compares each with each: fine for a sentence.

#![forbid(unsafe_code)]

use plugin_api::Plugin;

pub struct Twins;

impl Plugin for Twins {
    fn name(&self) -> &'static str {
        "twins"
    }

    fn run(&mut self, words: &[&str]) -> String {
        let mut pairs = 0u64;
        for (at, one) in words.iter().enumerate() {
            for other in &words[at + 1..] {
                pairs += u64::from(one == other);
            }
        }
        pairs.to_string()
    }
}
