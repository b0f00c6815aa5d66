// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

//! Where it is winter. It always is somewhere.

#![forbid(unsafe_code)]

use plugin_api::Plugin;

pub struct Careless;

impl Plugin for Careless {
    fn name(&self) -> &'static str {
        "careless"
    }

    fn run(&mut self, words: &[&str]) -> String {
        let at = words.iter().position(|word| *word == "winter");
        at.expect("a winter").to_string()
    }
}
