// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

//! Durations as people write them: `1h 30m`, `90s`, `2d`.

/// Why a text is no duration.
#[derive(Debug, PartialEq, Eq)]
pub enum Error {
    Empty,
    /// No number, or none that fits.
    Number(String),
    Unit(char),
    TooLong,
}

const UNITS: [(char, u64); 4] = [('d', 86_400), ('h', 3_600), ('m', 60), ('s', 1)];

/// Seconds of a duration.
///
/// # Errors
///
/// When the text is empty or a part of it has no number or no known unit, or when the sum does not fit.
pub fn parse(text: &str) -> Result<u64, Error> {
    let mut seconds = 0u64;
    let mut parts = 0;
    for part in text.split_whitespace() {
        seconds = seconds.checked_add(part_seconds(part)?).ok_or(Error::TooLong)?;
        parts += 1;
    }
    if parts == 0 {
        return Err(Error::Empty);
    }
    Ok(seconds)
}

fn part_seconds(part: &str) -> Result<u64, Error> {
    let unit = part.chars().next_back().ok_or(Error::Empty)?;
    let Some((_, factor)) = UNITS.iter().find(|(name, _)| *name == unit) else {
        return Err(Error::Unit(unit));
    };
    let number = &part[..part.len() - unit.len_utf8()];
    let count: u64 = number.parse().map_err(|_| Error::Number(number.to_string()))?;
    count.checked_mul(*factor).ok_or(Error::TooLong)
}

/// The shortest text for so many seconds.
pub fn print(mut seconds: u64) -> String {
    if seconds == 0 {
        return "0s".to_string();
    }
    let mut parts = Vec::new();
    for (name, factor) in UNITS {
        if seconds >= factor {
            parts.push(format!("{}{name}", seconds / factor));
            seconds %= factor;
        }
    }
    parts.join(" ")
}
