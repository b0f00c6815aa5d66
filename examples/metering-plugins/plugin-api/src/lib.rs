// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

//! What a plugin is: something that can say a thing about a text.

#![forbid(unsafe_code)]

pub trait Plugin {
    fn name(&self) -> &'static str;

    fn run(&mut self, words: &[&str]) -> String;
}
