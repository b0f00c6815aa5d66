// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The game: two players put their marks on a board of five by five; four in a row win.

#ifndef GAME_H
#define GAME_H

#define SIDE 5
#define CELLS (SIDE * SIDE)
#define ROW 4
#define EMPTY '.'

/// How many marks of a row of four are this one. Rows begin at a cell and go right, down, or down to either side; -1: it leaves the board.
static inline int game_count(const char *board, int cell, int direction, char mark)
{
    static const int steps[4][2] = {{1, 0}, {0, 1}, {1, 1}, {-1, 1}};
    int x = cell % SIDE, y = cell / SIDE, dx = steps[direction][0], dy = steps[direction][1];
    int last_x = x + dx * (ROW - 1), last_y = y + dy * (ROW - 1);
    if (last_x < 0 || last_x >= SIDE || last_y >= SIDE)
        return -1;
    int count = 0;
    for (int i = 0; i < ROW; i++)
        count += board[(y + dy * i) * SIDE + x + dx * i] == mark;
    return count;
}

static inline int game_wins(const char *board, char mark)
{
    for (int cell = 0; cell < CELLS; cell++)
        for (int direction = 0; direction < 4; direction++)
            if (game_count(board, cell, direction, mark) == ROW)
                return 1;
    return 0;
}

static inline char game_other(char mark)
{
    return mark == 'x' ? 'o' : 'x';
}

#endif
