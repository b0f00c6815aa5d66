// The same work as demo.c, in Rust.
use std::time::Instant;

fn fib(n: u32) -> u32 {
    if n < 2 { n } else { fib(n - 1).wrapping_add(fib(n - 2)) }
}

fn sieve() -> u32 {
    let mut composite = vec![false; 2_000_000];
    let mut primes = 0;
    for i in 2..composite.len() {
        if composite[i] {
            continue;
        }
        primes += 1;
        let mut j = i * i;
        while j < composite.len() {
            composite[j] = true;
            j += i;
        }
    }
    primes
}

fn collatz() -> u32 {
    let mut longest = 0;
    for start in 1..300_000u64 {
        let (mut n, mut steps) = (start, 0);
        while n != 1 {
            n = if n % 2 == 1 { 3 * n + 1 } else { n / 2 };
            steps += 1;
        }
        longest = longest.max(steps);
        if start % 30_000 == 0 {
            println!("collatz {start} {longest}");
        }
    }
    longest
}

fn main() {
    let start = Instant::now();
    let results = (fib(32), sieve(), collatz());
    let seconds = start.elapsed().as_secs_f64();
    println!("results {} {} {}", results.0, results.1, results.2);
    println!("seconds {seconds:.6}");
}
