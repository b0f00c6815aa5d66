// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Takes the middle, whoever has it.

#include "../bot.h"

int choose(char board[CELLS], char mark)
{
    (void)board, (void)mark;
    return CELLS / 2;
}
