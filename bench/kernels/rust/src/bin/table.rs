// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

//! Parsing and sorting: reads rows of numbers separated by commas, sorts them with `sort_unstable` and groups them.

use harness::{mix, run, Random};

const ROWS: usize = 40_000;

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Row {
    city: u32,
    year: i32,
    amount: i64,
}

fn write_rows(random: &mut Random) -> Vec<u8> {
    let mut text = Vec::new();
    for _ in 0..ROWS {
        let amount = random.draw() as i64 >> (24 + random.below(32));
        text.extend(
            format!("{},{},{amount}\n", random.below(500), 1900 + random.below(130)).bytes(),
        );
    }
    text
}

fn parse_number(field: &[u8]) -> Option<i64> {
    let (negative, digits) = match field {
        [b'-', digits @ ..] => (true, digits),
        digits => (false, digits),
    };
    if digits.is_empty() {
        return None;
    }
    let mut value = 0_i64;
    for &digit in digits {
        if !digit.is_ascii_digit() {
            return None;
        }
        value = value.checked_mul(10)?.checked_add(i64::from(digit - b'0'))?;
    }
    Some(if negative { -value } else { value })
}

fn parse_row(line: &[u8]) -> Option<Row> {
    let mut fields = line.split(|&byte| byte == b',').map(parse_number);
    let row = Row {
        city: fields.next()??.try_into().ok()?,
        year: fields.next()??.try_into().ok()?,
        amount: fields.next()??,
    };
    fields.next().is_none().then_some(row)
}

fn group(rows: &[Row]) -> u64 {
    rows.chunk_by(|a, b| a.city == b.city).fold(0, |checksum, city| {
        let sum: i64 = city.iter().map(|row| row.amount).sum();
        let middle = city[city.len() / 2].year;
        mix(mix(checksum, sum as u64), middle as u64)
    })
}

#[no_mangle]
pub extern "C" fn kernel() -> u64 {
    let text = write_rows(&mut Random(29));
    let mut rows: Vec<Row> = text.split(|&byte| byte == b'\n').filter_map(parse_row).collect();
    rows.sort_unstable();
    let checksum = group(&rows);
    let mut amounts: Vec<i64> = rows.iter().map(|row| row.amount).collect();
    amounts.sort_unstable();
    rows.sort_unstable_by_key(|row| (row.year, row.amount));
    amounts
        .iter()
        .step_by(101)
        .zip(&rows)
        .fold(checksum, |checksum, (amount, row)| mix(checksum, (amount ^ row.amount) as u64))
}

fn main() {
    run("table", 24, kernel);
}
