// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

//! What does it cost to read and to evaluate an expression? Meters a small recursive-descent parser, phase by phase.

use std::fmt;
use weft::metering;

enum Expression {
    Number(i64),
    Negate(Box<Expression>),
    Binary(Box<Expression>, char, Box<Expression>),
}

#[derive(Debug)]
enum Failure {
    Unexpected(usize),
    DividedByZero,
    TooLarge,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::Unexpected(at) => write!(f, "unexpected input at {at}"),
            Failure::DividedByZero => write!(f, "divided by zero"),
            Failure::TooLarge => write!(f, "too large"),
        }
    }
}

struct Parser<'a> {
    text: &'a [u8],
    at: usize,
}

impl Parser<'_> {
    fn parse(text: &str) -> Result<Expression, Failure> {
        let mut parser = Parser { text: text.as_bytes(), at: 0 };
        let expression = parser.sum()?;
        match parser.peek() {
            None => Ok(expression),
            Some(_) => Err(Failure::Unexpected(parser.at)),
        }
    }

    fn peek(&mut self) -> Option<u8> {
        while self.text.get(self.at) == Some(&b' ') {
            self.at += 1;
        }
        self.text.get(self.at).copied()
    }

    /// One of these characters, if it comes next.
    fn accept(&mut self, characters: &[u8]) -> Option<char> {
        let next = self.peek().filter(|next| characters.contains(next))?;
        self.at += 1;
        Some(char::from(next))
    }

    fn sum(&mut self) -> Result<Expression, Failure> {
        let mut left = self.product()?;
        while let Some(operator) = self.accept(b"+-") {
            left = Expression::Binary(Box::new(left), operator, Box::new(self.product()?));
        }
        Ok(left)
    }

    fn product(&mut self) -> Result<Expression, Failure> {
        let mut left = self.operand()?;
        while let Some(operator) = self.accept(b"*/") {
            left = Expression::Binary(Box::new(left), operator, Box::new(self.operand()?));
        }
        Ok(left)
    }

    fn operand(&mut self) -> Result<Expression, Failure> {
        if self.accept(b"-").is_some() {
            return Ok(Expression::Negate(Box::new(self.operand()?)));
        }
        if self.accept(b"(").is_some() {
            let inner = self.sum()?;
            return self.accept(b")").map(|_| inner).ok_or(Failure::Unexpected(self.at));
        }
        self.number()
    }

    fn number(&mut self) -> Result<Expression, Failure> {
        let digit = self.peek().filter(u8::is_ascii_digit);
        let mut value = i64::from(digit.ok_or(Failure::Unexpected(self.at))? - b'0');
        self.at += 1;
        while let Some(digit) = self.text.get(self.at).filter(|next| next.is_ascii_digit()) {
            let shifted = value.checked_mul(10).ok_or(Failure::TooLarge)?;
            value = shifted.checked_add(i64::from(digit - b'0')).ok_or(Failure::TooLarge)?;
            self.at += 1;
        }
        Ok(Expression::Number(value))
    }
}

fn evaluate(expression: &Expression) -> Result<i64, Failure> {
    let (left, operator, right) = match expression {
        Expression::Number(value) => return Ok(*value),
        Expression::Negate(inner) => {
            return evaluate(inner)?.checked_neg().ok_or(Failure::TooLarge);
        }
        Expression::Binary(left, operator, right) => (evaluate(left)?, operator, evaluate(right)?),
    };
    match operator {
        '+' => left.checked_add(right),
        '-' => left.checked_sub(right),
        '*' => left.checked_mul(right),
        _ if right == 0 => return Err(Failure::DividedByZero),
        _ => left.checked_div(right),
    }
    .ok_or(Failure::TooLarge)
}

/// The units that `phase` took on this thread, and its result.
fn metered<T>(phase: impl FnOnce() -> T) -> (u64, T) {
    let before = metering::count();
    let result = phase();
    (metering::count() - before, result)
}

fn show(text: &str) {
    let (parsing, parsed) = metered(|| Parser::parse(text));
    let (evaluating, value) = metered(|| parsed.as_ref().map(evaluate));
    let value = match value {
        Ok(Ok(value)) => value.to_string(),
        Ok(Err(failure)) => failure.to_string(),
        Err(failure) => failure.to_string(),
    };
    let shown = if text.len() > 30 { format!("{}...", &text[..27]) } else { text.to_owned() };
    println!("{shown:30} {value:>24} {parsing:>10} {evaluating:>12}");
}

fn main() {
    if !metering::active() {
        println!("Built without Weft's metering, so every count is 0. See README.md.\n");
    }
    println!("{:30} {:>24} {:>10} {:>12}", "expression", "value", "to parse", "to evaluate");
    show("1");
    show("1 + 2");
    show("1 + 2 * 3");
    show("(1 + 2) * -3");
    show("1 / (2 - 2)");
    show("1 + ");
    show(&vec!["1"; 1000].join("+"));
    show(&format!("{}1{}", "(".repeat(500), ")".repeat(500)));
    println!("\nunits in all: {}", metering::process_count());
}
