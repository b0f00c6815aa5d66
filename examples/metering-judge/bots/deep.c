// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Looks as many moves ahead as its units allow: it asks the meter. So it thinks as deep on a slow machine as on a fast one.

#include "../bot.h"

#include <weft/metering.h>

#define DEEPEST 6
#define RESERVE 100000
#define WON 100000

static int gave_up;

static int evaluate(const char *board, char mark)
{
    static const int worth[ROW + 1] = {0, 1, 6, 36, WON};
    int value = 0;
    for (int cell = 0; cell < CELLS; cell++)
        for (int direction = 0; direction < 4; direction++) {
            int mine = game_count(board, cell, direction, mark);
            int theirs = game_count(board, cell, direction, game_other(mark));
            if (mine >= 0 && theirs == 0)
                value += worth[mine];
            if (theirs >= 0 && mine == 0)
                value -= worth[theirs];
        }
    return value;
}

/// What the board is worth to the player whose turn it is; at the outermost level also its best cell.
static int search(char *board, char mark, int depth, int low, int high, int *best)
{
    if (weft_metering_left() < RESERVE)
        gave_up = 1;
    if (gave_up)
        return 0;
    int value = evaluate(board, mark);
    if (depth == 0 || value > WON / 2 || value < -WON / 2)
        return value - (value < 0 ? depth : 0);
    int moves = 0;
    for (int cell = 0; cell < CELLS && low < high && !gave_up; cell++) {
        if (board[cell] != EMPTY)
            continue;
        moves++;
        board[cell] = mark;
        int found = -search(board, game_other(mark), depth - 1, -high, -low, 0);
        board[cell] = EMPTY;
        if (found > low && !gave_up) {
            low = found;
            if (best)
                *best = cell;
        }
    }
    return moves ? low : value;
}

int choose(char board[CELLS], char mark)
{
    int chosen = 0;
    while (board[chosen] != EMPTY)
        chosen++;
    gave_up = 0;
    for (int depth = 1; depth <= DEEPEST && !gave_up; depth++) {
        int best = chosen;
        search(board, mark, depth, -2 * WON, 2 * WON, &best);
        if (!gave_up)
            chosen = best;
    }
    return chosen;
}
