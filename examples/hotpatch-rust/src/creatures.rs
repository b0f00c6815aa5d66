// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

//! Who lives in the tank: the file to edit while it runs.

use crate::tank::{Dice, Place, DEPTH, WIDTH};

pub trait Creature {
    /// One tick of its life.
    fn live(&mut self, dice: &mut Dice);
    fn place(&self) -> Place;
    fn looks(&self) -> &'static str;

    /// Somebody new, now and then.
    fn bear(&self, _dice: &mut Dice) -> Option<Box<dyn Creature>> {
        None
    }
}

pub struct Fish {
    at: Place,
    speed: f32,
}

impl Fish {
    pub fn new(dice: &mut Dice) -> Self {
        let at = Place { x: dice.between(0.0, WIDTH), y: dice.between(2.0, DEPTH - 2.0) };
        Fish { at, speed: dice.between(0.3, 1.2) }
    }
}

impl Creature for Fish {
    fn live(&mut self, _dice: &mut Dice) {
        self.at.x += self.speed;
        if !(0.0..WIDTH - 4.0).contains(&self.at.x) {
            self.speed = -self.speed;
            self.at.x = self.at.x.clamp(0.0, WIDTH - 4.0);
        }
    }

    fn place(&self) -> Place {
        self.at
    }

    fn looks(&self) -> &'static str {
        if self.speed > 0.0 {
            "><>"
        } else {
            "<><"
        }
    }

    fn bear(&self, dice: &mut Dice) -> Option<Box<dyn Creature>> {
        (dice.roll() < 0.02).then(|| Box::new(Bubble { at: self.at }) as _)
    }
}

/// Rises until it is in the air.
pub struct Bubble {
    at: Place,
}

impl Creature for Bubble {
    fn live(&mut self, dice: &mut Dice) {
        self.at.y -= 0.3;
        self.at.x = (self.at.x + dice.between(-0.5, 0.5)).clamp(0.0, WIDTH - 1.0);
    }

    fn place(&self) -> Place {
        self.at
    }

    fn looks(&self) -> &'static str {
        "o"
    }
}

pub struct Crab {
    at: Place,
}

impl Crab {
    pub fn new(dice: &mut Dice) -> Self {
        Crab { at: Place { x: dice.between(0.0, WIDTH), y: DEPTH - 1.0 } }
    }
}

impl Creature for Crab {
    fn live(&mut self, dice: &mut Dice) {
        self.at.x = (self.at.x + dice.between(-1.0, 1.0)).clamp(0.0, WIDTH - 5.0);
    }

    fn place(&self) -> Place {
        self.at
    }

    fn looks(&self) -> &'static str {
        "(\\/)"
    }
}
