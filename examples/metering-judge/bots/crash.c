// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Looks for the first free cell of a board that it has mislaid.

#include "../bot.h"

int choose(char board[CELLS], char mark)
{
    char *volatile mine = board[CELLS / 2] == mark ? board : 0;
    int cell = 0;
    while (mine[cell] != EMPTY)
        cell++;
    return cell;
}
