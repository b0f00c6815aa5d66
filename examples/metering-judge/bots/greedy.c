// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Wins if it can, stops the other if it must, and takes the free cell nearest the middle else.

#include "../bot.h"

#include <stdlib.h>

static int wins_at(char *board, int cell, char mark)
{
    board[cell] = mark;
    int wins = game_wins(board, mark);
    board[cell] = EMPTY;
    return wins;
}

static int distance(int cell)
{
    return abs(cell % SIDE - SIDE / 2) + abs(cell / SIDE - SIDE / 2);
}

int choose(char board[CELLS], char mark)
{
    int best = -1, winning = -1, saving = -1;
    for (int cell = 0; cell < CELLS; cell++) {
        if (board[cell] != EMPTY)
            continue;
        if (wins_at(board, cell, mark))
            winning = cell;
        if (wins_at(board, cell, game_other(mark)))
            saving = cell;
        if (best < 0 || distance(cell) < distance(best))
            best = cell;
    }
    return winning >= 0 ? winning : saving >= 0 ? saving : best;
}
