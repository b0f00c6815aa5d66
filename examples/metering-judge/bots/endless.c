// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Plays well for two moves. Then a loop goes wrong.

#include "../bot.h"

int choose(char board[CELLS], char mark)
{
    int marks = 0, cell = 0;
    for (int i = 0; i < CELLS; i++)
        marks += board[i] == mark;
    while (board[cell] != EMPTY || marks >= 2)
        cell = (cell + 1) % CELLS;
    return cell;
}
