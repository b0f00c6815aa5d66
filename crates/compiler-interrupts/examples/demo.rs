// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

//! The example of the original's documentation, unchanged: run it with `weft cargo run --with interrupts --example demo`.

fn interrupt_handler(ic: i64) {
    println!("Compiler interrupt called with instruction count: {}", ic);
}

fn main() {
    unsafe {
        compiler_interrupts::register(1000, 1000, interrupt_handler);
    }

    // your code
    for _ in 0..100 {
        println!("hello world!");
    }
}
