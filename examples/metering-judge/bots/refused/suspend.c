// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Tells the meter to look away: nor does this one.

#include "../../bot.h"

#include <weft/metering.h>

int choose(char board[CELLS], char mark)
{
    weft_metering_suspend();
    while (board[0] != mark) {
    }
    return 0;
}
