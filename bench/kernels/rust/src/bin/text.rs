// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

//! Strings: counts words, searches for words with Horspool's skips, and takes the edit distance between words.

use harness::{mix, run, Random};
use std::collections::BTreeMap;

const WORDS: usize = 25_000;
const NEEDLES: usize = 20;
const NEIGHBOURS: usize = 40;

fn vocabulary(random: &mut Random) -> Vec<String> {
    let letters = b"eeeettaaooiinnsshrdlu";
    (0..2000)
        .map(|_| {
            (0..3 + random.below(10))
                .map(|_| letters[random.below(letters.len())] as char)
                .collect()
        })
        .collect()
}

/// Rare words at the end of the vocabulary, frequent ones at its start.
fn write_text(random: &mut Random, vocabulary: &[String]) -> String {
    let mut text = String::new();
    for i in 0..WORDS {
        let most = 1 + random.below(vocabulary.len());
        text += &vocabulary[random.below(most)];
        text += if i % 12 == 11 { ".\n" } else { " " };
    }
    text
}

fn count_words(text: &str) -> BTreeMap<&str, u32> {
    let mut counts = BTreeMap::new();
    for word in text.split(|c: char| c.is_whitespace() || c == '.').filter(|word| !word.is_empty())
    {
        *counts.entry(word).or_insert(0) += 1;
    }
    counts
}

fn count_occurrences(text: &[u8], needle: &[u8]) -> u64 {
    let last = needle.len() - 1;
    let mut skips = [needle.len(); 256];
    for (i, &byte) in needle[..last].iter().enumerate() {
        skips[usize::from(byte)] = last - i;
    }
    let (mut at, mut found) = (0, 0);
    while at + last < text.len() {
        found += u64::from(text[at..].starts_with(needle));
        at += skips[usize::from(text[at + last])];
    }
    found
}

fn edit_distance(a: &[u8], b: &[u8], row: &mut Vec<usize>) -> usize {
    row.clear();
    row.extend(0..=b.len());
    for (i, &left) in a.iter().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, &right) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(left != right);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[no_mangle]
pub extern "C" fn kernel() -> u64 {
    let mut random = Random(31);
    let vocabulary = vocabulary(&mut random);
    let text = write_text(&mut random, &vocabulary);
    let mut checksum = 0;
    for (word, &count) in &count_words(&text) {
        checksum = mix(checksum, (word.len() as u64) << 32 | u64::from(count));
    }
    for needle in vocabulary.iter().filter(|word| word.len() > 5).take(NEEDLES) {
        checksum = mix(checksum, count_occurrences(text.as_bytes(), needle.as_bytes()));
    }
    let mut row = Vec::new();
    for word in &vocabulary[..NEIGHBOURS] {
        let near = vocabulary
            .iter()
            .map(|other| edit_distance(word.as_bytes(), other.as_bytes(), &mut row))
            .filter(|&d| d < 5);
        checksum = mix(checksum, near.count() as u64);
    }
    checksum
}

fn main() {
    run("text", 20, kernel);
}
