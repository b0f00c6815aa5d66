// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Keeps a table of all positions that it has not seen yet.

#include "../bot.h"

#include <stdlib.h>
#include <string.h>

int choose(char board[CELLS], char mark)
{
    static char *table;
    for (size_t size = 1 << 20;; size *= 2) {
        table = realloc(table, size);
        memset(table, mark, size);
        if (size >> 40)
            return board[0] == EMPTY;
    }
}
