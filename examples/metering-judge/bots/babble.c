// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Its author forgot to take a message out.

#include "../bot.h"

#include <stdio.h>

int choose(char board[CELLS], char mark)
{
    int cell = 0;
    while (board[cell] != EMPTY)
        cell++;
    printf("%c: thinking about cell %d...\n", mark, cell);
    fflush(stdout);
    return cell;
}
