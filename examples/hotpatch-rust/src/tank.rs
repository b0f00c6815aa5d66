// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

//! The water, who is in it, and how it looks.

use crate::creatures::{Crab, Creature, Fish};

pub const WIDTH: f32 = 64.0;
pub const DEPTH: f32 = 16.0;

/// Where somebody is; `y` is the depth.
#[derive(Clone, Copy)]
pub struct Place {
    pub x: f32,
    pub y: f32,
}

/// A generator that gives the same numbers in every run.
pub struct Dice(u64);

impl Dice {
    /// At least 0, less than 1.
    pub fn roll(&mut self) -> f32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 40) as f32 / (1 << 24) as f32
    }

    pub fn between(&mut self, low: f32, high: f32) -> f32 {
        low + (high - low) * self.roll()
    }
}

pub struct Tank {
    ticks: u64,
    dice: Dice,
    creatures: Vec<Box<dyn Creature>>,
}

impl Tank {
    pub fn new() -> Self {
        let mut dice = Dice(0x9e37_79b9_7f4a_7c15);
        let mut creatures: Vec<Box<dyn Creature>> = Vec::new();
        creatures.extend((0..9).map(|_| Box::new(Fish::new(&mut dice)) as _));
        creatures.extend((0..2).map(|_| Box::new(Crab::new(&mut dice)) as _));
        Tank { ticks: 0, dice, creatures }
    }

    pub fn tick(&mut self) {
        self.ticks += 1;
        let mut born = Vec::new();
        for creature in &mut self.creatures {
            creature.live(&mut self.dice);
            born.extend(creature.bear(&mut self.dice));
        }
        self.creatures.extend(born);
        self.creatures.retain(|creature| creature.place().y > 0.0); // above is air
    }

    /// One line, for a log.
    pub fn state(&self) -> String {
        let depth = mean(self.creatures.iter().map(|creature| creature.place().y));
        let patches = weft::hotpatch::count();
        format!(
            "tick {}  patches {patches}  creatures {}  depth {depth:.1}",
            self.ticks,
            self.creatures.len()
        )
    }

    pub fn picture(&self) -> String {
        let mut rows = vec![vec![' '; WIDTH as usize]; DEPTH as usize];
        rows[0].fill('~');
        for creature in &self.creatures {
            let Place { x, y } = creature.place();
            let row = &mut rows[(y as usize).min(DEPTH as usize - 1)];
            for (cell, glyph) in row.iter_mut().skip(x as usize).zip(creature.looks().chars()) {
                *cell = glyph;
            }
        }
        rows.iter().map(|row| row.iter().chain(&['\n']).collect::<String>()).collect()
    }
}

fn mean(values: impl Iterator<Item = f32> + Clone) -> f32 {
    values.clone().sum::<f32>() / values.count().max(1) as f32
}
