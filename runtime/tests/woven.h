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

/// What the pass puts where a function is entered and charged.
#define CHARGE(function, units)                                                                                       \
    do {                                                                                                              \
        if (!__weft_metering_v1.cells)                                                                                \
            __weft_metering_thread_start();                                                                           \
        __weft_metering_v1.count += (units);                                                                          \
        __weft_metering_v1.cells[record_of_##function.cell] += (units);                                               \
    } while (0)

#endif
