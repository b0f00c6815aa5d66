// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Scalar: the longest Collatz chain. A short loop whose trip count nobody can predict.

#include "kernel.h"

#define LIMIT 120000

const char *const kernel_name = "collatz";
const unsigned kernel_passes = 20;

static unsigned chain(uint64_t n)
{
    unsigned steps = 1;
    while (n != 1) {
        uint64_t odd = n & 1; // then two steps at once
        n = n / 2 + (odd ? n + 1 : 0);
        steps += 1 + (unsigned)odd;
    }
    return steps;
}

uint64_t kernel(void)
{
    uint64_t checksum = 0;
    unsigned longest = 0;
    for (uint64_t n = 1; n < LIMIT; n++) {
        unsigned steps = chain(n);
        if (steps <= longest)
            continue;
        longest = steps;
        checksum = kernel_mix(checksum, n << 16 | steps);
    }
    return checksum;
}
