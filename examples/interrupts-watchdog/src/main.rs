// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

//! A watchdog that says where a stuck thread is. It runs on that thread, so that the stack is its own to look at.

use std::backtrace::Backtrace;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use weft::interrupts::{self, Interval, Registration};

/// How long one document may take.
const LIMIT: Duration = Duration::from_millis(200);

/// What the program exits with when it is stuck.
const STUCK: i32 = 3;

/// When the document at hand was begun, in nanoseconds since the watchdog was; 0: there is none.
static BEGUN: AtomicU64 = AtomicU64::new(0);

struct Watchdog {
    since: Instant,
    _registration: Registration,
}

impl Watchdog {
    fn start() -> Result<Watchdog, interrupts::Error> {
        let since = Instant::now();
        // SAFETY: the handler uses an atomic, and when it does more it does not come back.
        let registration = unsafe {
            interrupts::register(Interval::time(Duration::from_millis(1)), move |_| {
                let begun = BEGUN.load(Ordering::Relaxed);
                if begun != 0 && since.elapsed() > Duration::from_nanos(begun) + LIMIT {
                    bark(&Backtrace::force_capture().to_string());
                }
            })
        }?;
        Ok(Watchdog { since, _registration: registration })
    }

    fn watch<T>(&self, work: impl FnOnce() -> T) -> T {
        let now = u64::try_from(self.since.elapsed().as_nanos()).unwrap_or(u64::MAX).max(1);
        BEGUN.store(now, Ordering::Relaxed);
        let result = work();
        BEGUN.store(0, Ordering::Relaxed);
        result
    }
}

/// The frames above the runtime's are the watchdog's own, those below tell where the thread is, down to `main`.
fn bark(backtrace: &str) -> ! {
    let lines: Vec<&str> = backtrace.lines().collect();
    let runtime = lines.iter().rposition(|line| line.contains("weft_interrupts")).unwrap_or(0);
    println!("stuck for more than {LIMIT:?}:");
    for line in lines[runtime + 1..].iter().take_while(|line| !line.contains("call_once")) {
        println!("{line}");
    }
    std::process::exit(STUCK);
}

mod parser {
    /// Sums up the numbers of a document. Blanks and letters are passed over.
    #[inline(never)]
    pub fn sum(text: &str) -> u64 {
        let (bytes, mut at, mut sum) = (text.as_bytes(), 0, 0);
        while at < bytes.len() {
            if bytes[at].is_ascii_digit() {
                let (number, after) = number(bytes, at);
                sum += number;
                at = after;
            } else {
                at = skip(bytes, at);
            }
        }
        sum
    }

    #[inline(never)]
    fn number(bytes: &[u8], mut at: usize) -> (u64, usize) {
        let mut number = 0;
        while let Some(digit) = bytes.get(at).filter(|b| b.is_ascii_digit()) {
            number = number * 10 + u64::from(digit - b'0');
            at += 1;
        }
        (number, at)
    }

    /// Has a fault: a byte that is neither a blank nor a letter never ends.
    #[inline(never)]
    fn skip(bytes: &[u8], mut at: usize) -> usize {
        while at < bytes.len() && !bytes[at].is_ascii_digit() {
            if bytes[at] == b' ' || bytes[at].is_ascii_alphabetic() {
                at += 1;
            }
        }
        at
    }
}

fn main() -> Result<(), interrupts::Error> {
    if !interrupts::active() {
        println!("Built without Weft's interrupts: nobody watches, so the document that never ends is left out.");
    }
    let watchdog = Watchdog::start()?;
    for document in ["1 and 2", "30 apples 12 pears", "7% of 100"] {
        if document.contains('%') && !interrupts::active() {
            continue;
        }
        println!("{document:?}:");
        println!("  {}", watchdog.watch(|| parser::sum(document)));
    }
    Ok(())
}
