// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

//! Branchy: a backtracking matcher of regular expressions, over lines like those of a log.

use harness::{mix, run, Random};

const LINES: usize = 1_200;

const EXPRESSIONS: [&str; 6] = [
    "^[0-9]+-[0-9]+ ",
    "user=[a-z]*er[a-z]*$",
    "error.*timeout.*user",
    "[a-z]+=[0-9]+[a-f]?[0-9]* .*=[a-z]*z",
    "w?arn?.*[xyz][xyz]",
    "[0-9]*[a-z]*[0-9]*status",
];

/// What matches one character.
enum Atom {
    Any,
    Byte(u8),
    Class(Vec<(u8, u8)>),
}

enum Node {
    Start,
    End,
    /// An atom, and the least and most times it matches.
    Repeat(Atom, usize, usize),
}

fn parse_class(text: &[u8]) -> (Atom, &[u8]) {
    let end = text.iter().position(|&byte| byte == b']').expect("a class ends");
    let mut ranges = Vec::new();
    let mut rest = &text[..end];
    loop {
        match *rest {
            [low, b'-', high, ref after @ ..] => {
                ranges.push((low, high));
                rest = after;
            }
            [byte, ref after @ ..] => {
                ranges.push((byte, byte));
                rest = after;
            }
            [] => return (Atom::Class(ranges), &text[end + 1..]),
        }
    }
}

fn parse(expression: &str) -> Vec<Node> {
    let mut nodes = Vec::new();
    let mut rest = expression.as_bytes();
    while let [first, after @ ..] = rest {
        let (atom, after) = match first {
            b'^' => {
                nodes.push(Node::Start);
                rest = after;
                continue;
            }
            b'$' => {
                nodes.push(Node::End);
                rest = after;
                continue;
            }
            b'.' => (Atom::Any, after),
            b'[' => parse_class(after),
            &byte => (Atom::Byte(byte), after),
        };
        let (least, most, after) = match after {
            [b'*', after @ ..] => (0, usize::MAX, after),
            [b'+', after @ ..] => (1, usize::MAX, after),
            [b'?', after @ ..] => (0, 1, after),
            after => (1, 1, after),
        };
        nodes.push(Node::Repeat(atom, least, most));
        rest = after;
    }
    nodes
}

impl Atom {
    fn matches(&self, byte: u8) -> bool {
        match self {
            Atom::Any => true,
            Atom::Byte(expected) => byte == *expected,
            Atom::Class(ranges) => ranges.iter().any(|&(low, high)| low <= byte && byte <= high),
        }
    }
}

/// Where a match of the nodes at this place ends; greedy.
fn match_here(nodes: &[Node], line: &[u8], at: usize) -> Option<usize> {
    let Some((node, rest)) = nodes.split_first() else { return Some(at) };
    match node {
        Node::Start => (at == 0).then(|| match_here(rest, line, at)).flatten(),
        Node::End => (at == line.len()).then(|| match_here(rest, line, at)).flatten(),
        Node::Repeat(atom, least, most) => {
            let matching =
                line[at..].iter().take(*most).take_while(|&&byte| atom.matches(byte)).count();
            (*least..=matching).rev().find_map(|times| match_here(rest, line, at + times))
        }
    }
}

fn search(nodes: &[Node], line: &[u8]) -> Option<(usize, usize)> {
    (0..=line.len()).find_map(|at| match_here(nodes, line, at).map(|end| (at, end)))
}

fn write_line(random: &mut Random) -> String {
    let levels = ["error", "warn", "info", "trace"];
    let events = ["timeout", "refused", "reset", "status", "closed"];
    let name: String =
        (0..3 + random.below(9)).map(|_| (b'a' + random.below(26) as u8) as char).collect();
    format!(
        "{}-{} {} connection {} code={} after={}ms user={name}",
        2000 + random.below(30),
        1 + random.below(12),
        levels[random.below(levels.len())],
        events[random.below(events.len())],
        random.below(100_000),
        random.below(5_000)
    )
}

#[no_mangle]
pub extern "C" fn kernel() -> u64 {
    let mut random = Random(43);
    let expressions: Vec<Vec<Node>> = EXPRESSIONS.iter().map(|text| parse(text)).collect();
    let mut checksum = 0;
    for _ in 0..LINES {
        let line = write_line(&mut random);
        for nodes in &expressions {
            let (start, end) = search(nodes, line.as_bytes()).unwrap_or((0, 0));
            checksum = mix(checksum, (start << 32 | end) as u64);
        }
    }
    checksum
}

fn main() {
    run("regex", 20, kernel);
}
