// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What a contestant writes: one function.

#ifndef BOT_H
#define BOT_H

#include "game.h"

/// The cell, from 0, that the player with this mark takes next. The board is the bot's to scribble on.
int choose(char board[CELLS], char mark);

#endif
