// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

//! Branchy: compresses a text with a window and chains of hashes, unpacks it and compares.

use harness::{mix, run, Random};

const SIZE: usize = 1 << 20;
const WINDOW: usize = 1 << 15;
const HASHES: usize = 1 << 14;
const MIN_MATCH: usize = 4;
const MAX_MATCH: usize = 255 + MIN_MATCH;
const MAX_CHAIN: usize = 16;
const NONE: u32 = u32::MAX;

fn write_text(random: &mut Random) -> Vec<u8> {
    let words: Vec<Vec<u8>> = (0..700)
        .map(|_| (0..2 + random.below(9)).map(|_| b'a' + random.below(26) as u8).collect())
        .collect();
    let mut text = Vec::with_capacity(SIZE + 16);
    while text.len() < SIZE {
        let most = 1 + random.below(words.len());
        text.extend(&words[random.below(most)]);
        text.push(b' ');
    }
    text
}

struct Matcher<'a> {
    text: &'a [u8],
    /// The last position with each hash.
    heads: Vec<u32>,
    /// The position before with the same hash, by position in the window.
    previous: Vec<u32>,
}

impl Matcher<'_> {
    fn hash(&self, at: usize) -> usize {
        let bytes = u32::from_le_bytes(self.text[at..at + 4].try_into().unwrap());
        (bytes.wrapping_mul(0x9E37_79B1) >> 18) as usize
    }

    fn insert(&mut self, at: usize) {
        if at + MIN_MATCH <= self.text.len() {
            let hash = self.hash(at);
            self.previous[at % WINDOW] = self.heads[hash];
            self.heads[hash] = at as u32;
        }
    }

    fn match_length(&self, from: usize, at: usize) -> usize {
        let (old, new) = (&self.text[from..], &self.text[at..]);
        old.iter().zip(new).take(MAX_MATCH).take_while(|(a, b)| a == b).count()
    }

    /// Distance and length of the longest match.
    fn find(&self, at: usize) -> Option<(usize, usize)> {
        if at + MIN_MATCH > self.text.len() {
            return None;
        }
        let (mut best, mut length) = (0, MIN_MATCH - 1);
        let mut candidate = self.heads[self.hash(at)];
        for _ in 0..MAX_CHAIN {
            if candidate == NONE || at - candidate as usize >= WINDOW {
                break;
            }
            let matched = self.match_length(candidate as usize, at);
            if matched > length {
                (best, length) = (at - candidate as usize, matched);
            }
            candidate = self.previous[candidate as usize % WINDOW];
        }
        (length >= MIN_MATCH).then_some((best, length))
    }
}

/// A zero and a byte, or the two bytes of a distance with the high bit set in the first and one of a length.
fn compress(text: &[u8]) -> Vec<u8> {
    let mut matcher = Matcher { text, heads: vec![NONE; HASHES], previous: vec![NONE; WINDOW] };
    let mut packed = Vec::with_capacity(text.len());
    let mut at = 0;
    while at < text.len() {
        let end = match matcher.find(at) {
            Some((distance, length)) => {
                packed.extend([
                    0x80 | (distance >> 8) as u8,
                    distance as u8,
                    (length - MIN_MATCH) as u8,
                ]);
                at + length
            }
            None => {
                packed.extend([0, text[at]]);
                at + 1
            }
        };
        while at < end {
            matcher.insert(at);
            at += 1;
        }
    }
    packed
}

fn unpack(packed: &[u8]) -> Vec<u8> {
    let mut text = Vec::with_capacity(SIZE);
    let mut rest = packed;
    loop {
        match *rest {
            [0, byte, ref after @ ..] => {
                text.push(byte);
                rest = after;
            }
            [high, low, length, ref after @ ..] => {
                let distance = usize::from(high & 0x7F) << 8 | usize::from(low);
                let from = text.len() - distance;
                for i in from..from + usize::from(length) + MIN_MATCH {
                    text.push(text[i]);
                }
                rest = after;
            }
            _ => return text,
        }
    }
}

#[no_mangle]
pub extern "C" fn kernel() -> u64 {
    let text = write_text(&mut Random(41));
    let packed = compress(&text);
    let same = unpack(&packed) == text;
    packed.iter().step_by(13).fold(mix(packed.len() as u64, u64::from(same)), |checksum, &byte| {
        mix(checksum, u64::from(byte))
    })
}

fn main() {
    run("lz77", 12, kernel);
}
