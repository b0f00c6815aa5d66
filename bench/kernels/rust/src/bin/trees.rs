// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

//! Recursive: grows, walks and drops binary trees. Half of the time is the allocator's, which is not woven.

use harness::{mix, run};

const DEPTH: u32 = 15;

struct Tree {
    children: Option<(Box<Tree>, Box<Tree>)>,
}

fn grow(depth: u32) -> Box<Tree> {
    let children = (depth > 0).then(|| (grow(depth - 1), grow(depth - 1)));
    Box::new(Tree { children })
}

fn count(tree: &Tree) -> u64 {
    match &tree.children {
        Some((left, right)) => 1 + count(left) + count(right),
        None => 1,
    }
}

#[no_mangle]
pub extern "C" fn kernel() -> u64 {
    let kept = grow(DEPTH);
    let mut checksum = 0;
    for depth in (4..=DEPTH).step_by(2) {
        let trees = 1 << (DEPTH - depth + 2);
        let nodes: u64 = (0..trees).map(|_| count(&grow(depth))).sum();
        checksum = mix(checksum, nodes);
    }
    mix(checksum, count(&kept))
}

fn main() {
    run("trees", 10, kernel);
}
