// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What the judge and a bot's process say to each other. The judge sends a board and whose turn it is:
//
//     .......x....o............x\n
//
// and gets the cell and what choosing it cost:
//
//     12 40127\n

#ifndef PROTOCOL_H
#define PROTOCOL_H

#include "game.h"

#define REQUEST (CELLS + 2)
#define LONGEST_ANSWER 64

/// Exit code of a bot that was refused memory. At the end of its units it is WEFT_METERING_STOPPED.
#define OUT_OF_MEMORY 77

#endif
