// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

//! Registers a handler every 1,000 instructions or cycles, whichever the build counts, and shows how far apart its calls
//! are.

use std::sync::atomic::{AtomicI64, Ordering};

const SHOWN: i64 = 10;

static CALLS: AtomicI64 = AtomicI64::new(0);
static LAST: AtomicI64 = AtomicI64::new(0);

fn handler(count: i64) {
    let calls = CALLS.fetch_add(1, Ordering::Relaxed) + 1;
    let last = LAST.swap(count, Ordering::Relaxed);
    if calls <= SHOWN {
        println!("interrupt {calls:2}: {} instructions since the last one", count - last);
    }
}

fn main() {
    // SAFETY: the handler uses atomics, and prints while nobody else does.
    unsafe { compiler_interrupts::register(1000, 1000, handler) };
    let result = ci_demo::collatz(100_000);
    unsafe { compiler_interrupts::deregister() };

    println!("the longest sequence has {result} steps");
    match CALLS.load(Ordering::Relaxed) {
        0 => println!("0 interrupts: built without Weft, so the handler is never called"),
        calls => {
            let average = LAST.load(Ordering::Relaxed) / calls;
            println!("{calls} interrupts, {average} instructions apart on average");
        }
    }
}
