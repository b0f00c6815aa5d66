// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Registers a handler every 1,000 instructions or cycles, whichever the build counts, and shows how far apart its calls are.

#include "work.h"

#include <ci_lib.h>

#include <stdio.h>

#define SHOWN 10

static long calls, last;

static void handler(long count)
{
    if (calls++ < SHOWN)
        printf("interrupt %2ld: %ld instructions since the last one\n", calls, count - last);
    last = count;
}

int main(void)
{
    register_ci(1000, 1000, handler);
    uint64_t result = collatz(100000);
    deregister_ci();

    printf("the longest sequence has %d steps\n", (int)result);
    printf("%ld interrupts", calls);
    if (calls > 0)
        printf(", %ld instructions apart on average", last / calls);
    puts(weft_interrupts_active() ? "" : ": built without Weft, so the handler is never called");
    return 0;
}
