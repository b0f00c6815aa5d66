// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The contract between a kernel and the harness, main.c.
//
// A kernel is one C file that is compiled and woven like a program's own code, and defines the three names below. main.c is
// compiled without Weft, so the harness has no probes, and linked with one kernel.

#ifndef WEFT_BENCH_KERNEL_H
#define WEFT_BENCH_KERNEL_H

#include <stddef.h>
#include <stdint.h>

// The same sums on every target and compiler: no fused multiply-add. GCC does this with -std=c11 by itself.
#ifdef __clang__
#pragma STDC FP_CONTRACT OFF
#endif

/// The file's name without its ending.
extern const char *const kernel_name;

/// How often main.c calls kernel(): as often as takes about half a second at -O2.
extern const unsigned kernel_passes;

/// One complete pass, from making its input to the checksum of its result. Every pass returns the same, whatever ran before.
uint64_t kernel(void);

/// How many threads may be between the two calls below at once, the main thread counted.
#define KERNEL_THREADS 3

/// Starts interrupts on the calling thread. main.c calls it for the main thread before the first pass; a kernel with threads
/// of its own calls it first on each of them.
void kernel_thread_begin(void);

/// Ends interrupts on the calling thread. A thread that is about to wait for others calls this before and
/// kernel_thread_begin() after, or its waiting would count as one long interval.
void kernel_thread_end(void);

/// xorshift64*. The state is any number but 0.
static inline uint64_t kernel_random(uint64_t *state)
{
    uint64_t x = *state;
    x ^= x >> 12;
    x ^= x << 25;
    x ^= x >> 27;
    *state = x;
    return x * UINT64_C(0x2545F4914F6CDD1D);
}

/// Adds a value to a checksum.
static inline uint64_t kernel_mix(uint64_t checksum, uint64_t value)
{
    checksum = (checksum ^ value) * UINT64_C(0x9E3779B97F4A7C15);
    return checksum ^ checksum >> 32;
}

#endif
