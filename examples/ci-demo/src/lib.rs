// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

//! Something to interrupt.

/// The most steps that a number below `limit` takes to come down to 1.
#[must_use]
pub fn collatz(limit: u64) -> u64 {
    let mut longest = 0;
    for start in 1..limit {
        let (mut n, mut steps) = (start, 0);
        while n != 1 {
            n = if n % 2 == 0 { n / 2 } else { 3 * n + 1 };
            steps += 1;
        }
        longest = longest.max(steps);
    }
    longest
}
