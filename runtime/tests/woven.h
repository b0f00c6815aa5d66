// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Imitates woven code by hand, so that the runtime can be tested without a compiler pass.

#ifndef WEFT_WOVEN_H
#define WEFT_WOVEN_H

#include "../metering_abi.h"

#include <stddef.h>

/// The record of a woven function. A static one would not do: the optimiser sees that nothing here stores to it, and
/// takes the cell to be 0 for ever.
#define WOVEN_RECORD(variable, name, module)                                                                          \
    extern struct weft_metering_record variable;                                                                      \
    __attribute__((section("weft_metering"), aligned(8), visibility("hidden"))) struct weft_metering_record variable = \
        {0, name, module, 0}

#define WOVEN(function) WOVEN_RECORD(record_of_##function, #function, __FILE__)

/// What the pass puts where a function is charged, with --metering-detail=functions.
#define CHARGE(function, units)                                                                                       \
    do {                                                                                                              \
        uint64_t *cells_ = __weft_metering_v2.cells;                                                                  \
        if (!cells_)                                                                                                  \
            cells_ = __weft_metering_cells(&record_of_##function);                                                    \
        cells_[record_of_##function.cell] += (units);                                                                 \
        __weft_metering_v2.left -= (int64_t)(units);                                                                  \
        if (__weft_metering_v2.left < 0)                                                                              \
            __weft_metering_overdrawn();                                                                              \
    } while (0)

#endif
