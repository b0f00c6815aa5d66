// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

//! A host that runs other people's plugins on its own thread, each within as many units of work as it is given.

use plugin_api::Plugin;
use std::panic::{catch_unwind, AssertUnwindSafe};
use weft::metering;

const LIMIT: u64 = 300_000;
const SIZES: [usize; 4] = [50, 100, 200, 400];

enum Outcome {
    Said(String),
    Panicked,
    LimitReached,
}

/// A call of a plugin: what came of it, and what it cost.
fn call(plugin: &mut dyn Plugin, words: &[&str]) -> (Outcome, u64) {
    let before = metering::count();
    let result = catch_unwind(AssertUnwindSafe(|| metering::limit(LIMIT, || plugin.run(words))));
    let units = metering::count() - before;
    let outcome = match result {
        Ok(Ok(text)) => Outcome::Said(text),
        Ok(Err(metering::LimitReached { .. })) => Outcome::LimitReached,
        Err(_) => Outcome::Panicked,
    };
    (outcome, units)
}

/// One line of the table: what the plugin cost for each size, and what it said last.
fn report(plugin: &mut dyn Plugin, words: &[&str]) {
    print!("{:10}", plugin.name());
    let mut verdict = String::new();
    for size in SIZES {
        let (outcome, units) = call(plugin, &words[..size]);
        verdict = match outcome {
            Outcome::Said(text) => format!("said {text:?}"),
            Outcome::Panicked => "panicked".to_owned(),
            Outcome::LimitReached => format!("stopped at {LIMIT} units"),
        };
        print!("{units:>12}");
    }
    println!("  {verdict}");
}

fn main() {
    if !metering::active() || !metering::unwinds() {
        println!("Built without Weft's metering, so nothing would end a plugin that does not. See README.md.");
        return;
    }
    std::panic::set_hook(Box::new(|_| {})); // panics are in the table
    let text = "it was the best of times it was the worst of times it was the age of wisdom it was the age of foolishness ";
    let text = text.repeat(20);
    let words: Vec<&str> = text.split_whitespace().collect();
    let mut plugins: [Box<dyn Plugin>; 5] = [
        Box::new(longest::Longest),
        Box::new(twins::Twins),
        Box::new(endless::Endless),
        Box::new(stubborn::Stubborn),
        Box::new(careless::Careless),
    ];
    print!("{:10}", "words");
    SIZES.iter().for_each(|size| print!("{size:>12}"));
    println!("  the last time");
    for plugin in &mut plugins {
        report(plugin.as_mut(), &words);
    }
}
