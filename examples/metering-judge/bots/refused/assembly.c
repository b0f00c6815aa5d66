// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A loop that no meter sees: it does not get into the contest.

#include "../../bot.h"

int choose(char board[CELLS], char mark)
{
    __asm__ volatile("1: jmp 1b");
    return board[0] == mark;
}
