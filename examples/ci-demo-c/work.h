// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Something to interrupt.

#include <stdint.h>

static uint64_t collatz(unsigned limit)
{
    uint64_t longest = 0;
    for (uint64_t start = 1; start < limit; start++) {
        uint64_t steps = 0;
        for (uint64_t n = start; n != 1; n = n % 2 ? 3 * n + 1 : n / 2)
            steps++;
        longest = steps > longest ? steps : longest;
    }
    return longest;
}
