// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// How exact are intervals? Registers a handler with several, and prints percentiles of how many cycles each interval was
// longer (or, negative, shorter) than it should have been.

#include "work.h"

#include <ci_lib.h>

#include <stdio.h>
#include <stdlib.h>

#define MOST 200000

static int64_t intervals[MOST];
static int recorded;
static uint64_t last;

static inline uint64_t cycles(void)
{
#if defined(__x86_64__)
    return __builtin_ia32_rdtsc();
#else
    uint64_t value;
    __asm__ volatile("mrs %0, cntvct_el0" : "=r"(value));
    return value;
#endif
}

static void handler(long count)
{
    (void)count;
    uint64_t now = cycles();
    if (last != 0 && recorded < MOST)
        intervals[recorded++] = (int64_t)(now - last);
    last = now;
}

static int compare(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

int main(void)
{
    static const int targets[] = {2000, 5000, 10000, 50000, 100000}, percentiles[] = {1, 10, 25, 50, 75, 90, 99};
    if (!weft_interrupts_active()) {
        collatz(1000);
        puts("built without Weft, so the handler is never called and there is nothing to show");
        return 0;
    }
    printf("cycles beyond the interval\n%10s %8s", "interval", "calls");
    for (size_t i = 0; i < sizeof percentiles / sizeof *percentiles; i++)
        printf("      p%02d", percentiles[i]);
    puts("");
    for (size_t t = 0; t < sizeof targets / sizeof *targets; t++) {
        recorded = 0;
        last = 0;
        register_ci(targets[t], targets[t], handler);
        volatile uint64_t result = collatz(400000);
        deregister_ci();
        (void)result;
        qsort(intervals, (size_t)recorded, sizeof *intervals, compare);
        printf("%10d %8d", targets[t], recorded);
        for (size_t i = 0; i < sizeof percentiles / sizeof *percentiles && recorded > 0; i++)
            printf(" %8d", (int)(intervals[(int64_t)(recorded - 1) * percentiles[i] / 100] - targets[t]));
        puts("");
    }
    return 0;
}
