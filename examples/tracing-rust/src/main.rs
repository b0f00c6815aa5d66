// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

//! A little service: worker threads answer requests from a queue. What takes long, on which thread, and where a panic went
//! is in the trace.

use std::panic::catch_unwind;
use std::sync::mpsc::{channel, Receiver};
use std::sync::{Arc, Mutex};
use std::thread;
use weft::tracing::{self, event, span, Clock};

const WORKERS: usize = 3;
const REQUESTS: u32 = 48;

#[derive(Default)]
struct Tally {
    served: u32,
    unknown: u32,
    failed: u32,
}

/// "/primes/1000" is a name and a number. The number had better be one.
fn parse(path: &str) -> (&str, u64) {
    tracing::always!(); // too small to be traced otherwise
    let mut parts = path.split('/').skip(1);
    let name = parts.next().unwrap_or("");
    (name, parts.next().map_or(0, |number| number.parse().expect("a number")))
}

/// Called for every candidate and divisor: a trace is better off without.
fn divides(divisor: u64, n: u64) -> bool {
    tracing::never!();
    n % divisor == 0
}

fn primes(limit: u64) -> u64 {
    tracing::always!();
    let mut count = 0;
    for n in 2..=limit {
        let mut divisor = 2;
        while divisor * divisor <= n && !divides(divisor, n) {
            divisor += 1;
        }
        count += u64::from(divisor * divisor > n);
    }
    if limit > 40_000 {
        event!("large", "{count} primes up to {}", limit);
    }
    count
}

fn collatz(mut n: u64) -> u64 {
    tracing::always!();
    let mut steps = 0;
    while n != 1 {
        n = if n % 2 == 0 { n / 2 } else { 3 * n + 1 };
        steps += 1;
    }
    steps
}

fn answer(path: &str) -> Option<u64> {
    tracing::always!();
    let _span = span!("request"); // ends here too when parsing panics
    event!("path", path);
    match parse(path) {
        ("primes", limit) => Some(primes(limit)),
        ("collatz", n) => Some(collatz(n)),
        _ => None,
    }
}

fn serve(queue: &Mutex<Receiver<String>>) -> Tally {
    let mut tally = Tally::default();
    loop {
        let request = queue.lock().unwrap().recv();
        let Ok(path) = request else { return tally };
        match catch_unwind(|| answer(&path)) {
            Ok(Some(_)) => tally.served += 1,
            Ok(None) => tally.unknown += 1,
            Err(_) => {
                event!("failed", path);
                tally.failed += 1;
            }
        }
    }
}

fn request(i: u32) -> String {
    match i % 4 {
        _ if i == 27 => "/primes/many".to_owned(),
        0 | 1 => format!("/primes/{}", 1000 * i),
        2 => format!("/collatz/{}", 37 * i),
        _ => "/teapot".to_owned(),
    }
}

/// The same as `weft tracing record`, but from here on, and by the program's own decision.
fn trace_self() {
    match tracing::on(Some("tracing_rust::*"), Clock::Exact) {
        Ok(0) => eprintln!("nothing to trace: built without Weft's tracing? See README.md."),
        Ok(functions) => eprintln!("tracing {functions} functions"),
        Err(error) => eprintln!("nothing is traced: {error}"),
    }
}

fn main() {
    if std::env::args().any(|argument| argument == "--trace") {
        trace_self();
    }
    let (sender, receiver) = channel();
    let queue = Arc::new(Mutex::new(receiver));
    let start = |number| {
        let (queue, name) = (queue.clone(), format!("worker {number}"));
        thread::Builder::new().name(name).spawn(move || serve(&queue)).unwrap()
    };
    let workers: Vec<_> = (1..=WORKERS).map(start).collect();
    for i in 0..REQUESTS {
        sender.send(request(i)).unwrap();
    }
    drop(sender);
    let mut all = Tally::default();
    for worker in workers {
        let tally = worker.join().unwrap();
        all.served += tally.served;
        all.unknown += tally.unknown;
        all.failed += tally.failed;
    }
    println!("{} served, {} unknown, {} failed", all.served, all.unknown, all.failed);
    if let Some(file) = tracing::file() {
        println!("see {}", file.display());
    }
}
