// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

//! An aquarium in the terminal. Run it under `weft hotpatch watch`, and edit `creatures.rs` while the fish go on swimming.

mod creatures;
mod tank;

use std::io::{self, IsTerminal, Write};
use std::thread::sleep;
use std::time::Duration;
use tank::Tank;

/// All that a round does is in here: `main` never returns, so what stands in its loop is never replaced.
fn round(tank: &mut Tank, screen: bool) -> io::Result<()> {
    tank.tick();
    let mut out = io::stdout().lock();
    if screen {
        // At the top; below is room for what the compiler has to say.
        let picture = tank.picture().replace('\n', "\x1b[K\n");
        write!(out, "\x1b7\x1b[H{picture}{}\x1b[K\x1b8", tank.state())?;
    } else {
        writeln!(out, "{}", tank.state())?;
    }
    out.flush()
}

fn main() -> io::Result<()> {
    let rounds = std::env::args()
        .nth(1)
        .map_or(u64::MAX, |count| count.parse().expect("a number of rounds"));
    let screen = io::stdout().is_terminal();
    if screen {
        print!("\x1b[2J\x1b[18H");
    }
    let mut tank = Tank::new();
    for _ in 0..rounds {
        round(&mut tank, screen)?;
        sleep(Duration::from_millis(100));
    }
    Ok(())
}
