// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Recursive: Fibonacci numbers, Ackermann's function, which goes deep, and the ways to put queens on a chess board. Calls
// with next to nothing in them.

#include "kernel.h"

#define FIBONACCI 31
#define ACKERMANN 8
#define QUEENS 11

const char *const kernel_name = "recursion";
const unsigned kernel_passes = 25;

static uint64_t fibonacci(unsigned n)
{
    return n < 2 ? n : fibonacci(n - 1) + fibonacci(n - 2);
}

static unsigned ackermann(unsigned m, unsigned n)
{
    if (m == 0)
        return n + 1;
    if (n == 0)
        return ackermann(m - 1, 1);
    return ackermann(m - 1, ackermann(m, n - 1));
}

/// @param left, right  The diagonals that are taken, as seen from the next row.
static unsigned queens(unsigned columns, unsigned left, unsigned right)
{
    const unsigned all = (1u << QUEENS) - 1;
    if (columns == all)
        return 1;
    unsigned solutions = 0;
    for (unsigned open = all & ~(columns | left | right); open; open &= open - 1) {
        unsigned queen = open & -open;
        solutions += queens(columns | queen, (left | queen) << 1, (right | queen) >> 1);
    }
    return solutions;
}

uint64_t kernel(void)
{
    uint64_t checksum = kernel_mix(0, fibonacci(FIBONACCI));
    checksum = kernel_mix(checksum, ackermann(3, ACKERMANN));
    return kernel_mix(checksum, queens(0, 0, 0));
}
