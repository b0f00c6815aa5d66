// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Scalar: a segmented sieve of Eratosthenes over the odd numbers, segment by segment in the first-level cache. Tight loops
// of stores with strides.

#include "kernel.h"

#include <string.h>

#define SEGMENT 32768 // odd numbers
#define SEGMENTS 250
#define ROOT 4049 // the square root of the last number
#define MAX_PRIMES 2500

const char *const kernel_name = "sieve";
const unsigned kernel_passes = 20;

static uint8_t composite[SEGMENT];
static uint32_t primes[MAX_PRIMES];
static uint64_t next[MAX_PRIMES]; // index of the next multiple to cross out, counted from the segment's start
static size_t prime_count;

static void find_small_primes(void)
{
    prime_count = 0;
    for (uint32_t n = 3; n <= ROOT; n += 2) {
        size_t i = 0;
        while (i < prime_count && primes[i] * primes[i] <= n && n % primes[i])
            i++;
        if (i < prime_count && primes[i] * primes[i] <= n)
            continue;
        next[prime_count] = ((uint64_t)n * n - 1) / 2;
        primes[prime_count++] = n;
    }
}

static void cross_out(void)
{
    memset(composite, 0, sizeof composite);
    for (size_t i = 0; i < prime_count; i++) {
        uint64_t at = next[i];
        for (; at < SEGMENT; at += primes[i])
            composite[at] = 1;
        next[i] = at - SEGMENT;
    }
}

uint64_t kernel(void)
{
    uint64_t count = 1, last = 2, checksum = 0;
    find_small_primes();
    for (uint64_t low = 0; low < SEGMENTS * SEGMENT; low += SEGMENT) {
        cross_out();
        composite[0] |= low == 0; // 1 is no prime
        for (size_t i = 0; i < SEGMENT; i++)
            if (!composite[i]) {
                count++;
                last = 2 * (low + i) + 1;
            }
        checksum = kernel_mix(checksum, count ^ last << 32);
    }
    return checksum;
}
