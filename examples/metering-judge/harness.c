// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The judge's half of a bot's process: asks the bot for a move, within a budget, and says what it cost.

#include "bot.h"
#include "protocol.h"
#include "sandbox.h"

#include <weft/metering.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static void answer(int cell, uint64_t units)
{
    char text[LONGEST_ANSWER];
    int length = snprintf(text, sizeof text, "%d %" PRIu64 "\n", cell, units);
    if (write(STDOUT_FILENO, text, (size_t)length) != length)
        _exit(1);
}

static int receive(char *request)
{
    for (size_t have = 0; have < REQUEST;) {
        ssize_t got = read(STDIN_FILENO, request + have, REQUEST - have);
        if (got <= 0)
            return 0;
        have += (size_t)got;
    }
    return 1;
}

int main(int argc, char **argv)
{
    uint64_t units = argc > 1 ? strtoull(argv[1], NULL, 10) : 0;
    char request[REQUEST];
    enter_sandbox();
    while (receive(request)) {
        int budget = weft_metering_begin(units, NULL, NULL); // the process ends where it ends
        int cell = choose(request, request[CELLS]);
        uint64_t left = weft_metering_end(budget);
        answer(cell, left == WEFT_METERING_UNLIMITED ? 0 : units - left);
    }
    return 0;
}

// The linker makes calls of malloc() come here (--wrap), so that the judge learns why the bot ended.

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *old, size_t size);

static void *granted(void *memory, size_t size)
{
    if (!memory && size)
        _exit(OUT_OF_MEMORY);
    return memory;
}

void *__wrap_malloc(size_t size)
{
    return granted(__real_malloc(size), size);
}

void *__wrap_calloc(size_t count, size_t size)
{
    return granted(__real_calloc(count, size), size);
}

void *__wrap_realloc(void *old, size_t size)
{
    return granted(__real_realloc(old, size), size);
}
