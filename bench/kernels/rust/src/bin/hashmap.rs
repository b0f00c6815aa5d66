// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

//! Hashing: an open-addressing map from short strings to numbers that grows as it fills; insertions, look-ups that find
//! and look-ups that do not.

use harness::{mix, run, Random};

const KEYS: usize = 60_000;
const LOOK_UPS: usize = 600_000;

type Key = [u8; 12];

#[derive(Clone)]
struct Entry {
    key: Key,
    value: u64,
}

struct Map {
    entries: Vec<Option<Entry>>,
    len: usize,
}

/// FNV-1a, with a last step that spreads the high bits.
fn hash(key: &Key) -> u64 {
    let hash = key.iter().fold(0xCBF2_9CE4_8422_2325_u64, |hash, &byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01B3)
    });
    hash ^ hash >> 29
}

impl Map {
    fn new() -> Map {
        Map { entries: vec![None; 16], len: 0 }
    }

    /// Where the key is, or the empty place where it would go.
    fn place(&self, key: &Key) -> usize {
        let mask = self.entries.len() - 1;
        let mut at = hash(key) as usize & mask;
        while let Some(entry) = &self.entries[at] {
            if entry.key == *key {
                break;
            }
            at = (at + 1) & mask;
        }
        at
    }

    fn get(&self, key: &Key) -> Option<u64> {
        self.entries[self.place(key)].as_ref().map(|entry| entry.value)
    }

    fn add(&mut self, key: &Key, value: u64) {
        if self.len * 4 >= self.entries.len() * 3 {
            self.grow();
        }
        let at = self.place(key);
        match &mut self.entries[at] {
            Some(entry) => entry.value = entry.value.wrapping_add(value),
            empty => {
                *empty = Some(Entry { key: *key, value });
                self.len += 1;
            }
        }
    }

    fn grow(&mut self) {
        let larger = vec![None; self.entries.len() * 2];
        for entry in std::mem::replace(&mut self.entries, larger).into_iter().flatten() {
            let at = self.place(&entry.key);
            self.entries[at] = Some(entry);
        }
    }
}

fn key(number: usize) -> Key {
    let mut key = *b"key-00000000";
    let mut rest = number;
    for digit in key[4..].iter_mut().rev() {
        *digit = b'0' + (rest % 10) as u8;
        rest /= 10;
    }
    key
}

#[no_mangle]
pub extern "C" fn kernel() -> u64 {
    let mut random = Random(23);
    let mut map = Map::new();
    for i in 0..2 * KEYS {
        map.add(&key(random.below(KEYS)), i as u64);
    }
    let mut checksum = map.len as u64;
    for _ in 0..LOOK_UPS {
        let found = map.get(&key(random.below(KEYS * 3 / 2)));
        checksum = mix(checksum, found.unwrap_or(1));
    }
    checksum
}

fn main() {
    run("hashmap", 8, kernel);
}
