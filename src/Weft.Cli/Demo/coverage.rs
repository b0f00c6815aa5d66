// Works out arithmetic expressions. Some of it never runs: coverage shows which.
use std::time::Instant;

#[derive(Debug)]
enum Fault {
    Number,
    Parenthesis,
    Division,
}

struct Parser<'a> {
    text: &'a [u8],
    at: usize,
}

impl Parser<'_> {
    fn peek(&mut self) -> Option<u8> {
        while self.text.get(self.at) == Some(&b' ') {
            self.at += 1;
        }
        self.text.get(self.at).copied()
    }

    fn take(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    fn sum(&mut self) -> Result<i64, Fault> {
        let mut value = self.product()?;
        loop {
            if self.take(b'+') {
                value = value.wrapping_add(self.product()?);
            } else if self.take(b'-') {
                value = value.wrapping_sub(self.product()?);
            } else {
                return Ok(value);
            }
        }
    }

    fn product(&mut self) -> Result<i64, Fault> {
        let mut value = self.atom()?;
        loop {
            if self.take(b'*') {
                value = value.wrapping_mul(self.atom()?);
            } else if self.take(b'/') {
                match self.atom()? {
                    0 => return Err(Fault::Division),
                    by => value = value.wrapping_div(by),
                }
            } else {
                return Ok(value);
            }
        }
    }

    fn atom(&mut self) -> Result<i64, Fault> {
        if self.take(b'-') {
            return Ok(self.atom()?.wrapping_neg());
        }
        if self.take(b'(') {
            let value = self.sum()?;
            if !self.take(b')') {
                return Err(Fault::Parenthesis);
            }
            return Ok(value);
        }
        let mut digits = 0;
        let mut value = 0i64;
        while let Some(digit @ b'0'..=b'9') = self.text.get(self.at).copied() {
            value = value.wrapping_mul(10).wrapping_add(i64::from(digit - b'0'));
            self.at += 1;
            digits += 1;
        }
        if digits == 0 { Err(Fault::Number) } else { Ok(value) }
    }
}

fn expression(depth: u32, seed: &mut u32) -> String {
    *seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
    match (depth, *seed >> 30) {
        (0, _) => format!("{}", (*seed >> 8) % 1000),
        (_, kind) => {
            let operator = ["+", "-", "*", "+"][kind as usize];
            format!("({} {operator} {})", expression(depth - 1, seed), expression(depth - 1, seed))
        }
    }
}

fn main() {
    let text = expression(13, &mut 7);
    let start = Instant::now();
    let mut result = 0i64;
    for _ in 0..100 {
        let mut parser = Parser { text: text.as_bytes(), at: 0 };
        result = result.wrapping_mul(31).wrapping_add(parser.sum().expect("an expression"));
    }
    let seconds = start.elapsed().as_secs_f64();
    if std::env::args().nth(1).as_deref() == Some("killed") {
        let _ = std::process::Command::new("kill").args(["-9", &std::process::id().to_string()]).status();
    }
    println!("results {result}");
    println!("seconds {seconds:.6}");
}
