// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// WEFT_TRACING_ADAPTIVE=PERCENT: when a thread has filled a block, what recording it cost is set against the time it took.
// Beyond the percentage, the functions with the most events in the block are switched off until the rest fits, and the trace
// notes which. What a hot function costs is then two jumps over sleds, and not the price of an event that a filter throws
// away. Runs in the slow half of recording: no libc that uses vector registers, and never waits for a lock.

#include "tracing_internal.h"

#include <errno.h>

#define SLOTS 1024u // functions of one block that are told apart
#define FUTEX_WAKE_PRIVATE 129
#define WAITERS 0x80000000u

struct slot {
    uint32_t id, events;
};

static int try_lock(void)
{
    uint32_t free = 0;
    return __atomic_compare_exchange_n(&process->lock.word, &free, (uint32_t)raw_syscall(SYS_gettid), 0, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED);
}

static void unlock(void)
{
    if (__atomic_exchange_n(&process->lock.word, 0, __ATOMIC_RELEASE) & WAITERS)
        raw_syscall(SYS_futex, &process->lock.word, FUTEX_WAKE_PRIVATE, 1);
}

/// Counts the events of each function. Records with a payload are stepped over; what does not fit into the table is not hot.
static void count_events(const char *block, struct slot *slots)
{
    clear_bytes(slots, SLOTS * sizeof *slots);
    for (const char *at = block + BLOCK_HEADER; at < block + BLOCK; at += 8) {
        uint32_t word = *(const uint32_t *)at;
        uint32_t id = word >> WEFT_TRACING_ID_SHIFT;
        if ((word & 3) == WEFT_TRACING_OTHER) {
            if ((id & 31) == WEFT_TRACING_VALUES_RECORD)
                at += 8 * (size_t)(word >> WEFT_TRACING_ARGUMENT_SHIFT);
            else if ((id & 31) == WEFT_TRACING_EVENT_RECORD)
                at += 8 + (((word >> WEFT_TRACING_ARGUMENT_SHIFT) + 7) & ~(size_t)7);
            else if ((id & 31) >= WEFT_TRACING_PAD_RECORD || (id & 31) == WEFT_TRACING_LANDED_RECORD)
                at += (word >> WEFT_TRACING_ARGUMENT_SHIFT) & ~(size_t)7;
            continue;
        }
        for (uint32_t slot = id * 2654435761u >> 22, looks = 0; looks < 8; looks++, slot = (slot + 1) % SLOTS)
            if (slots[slot].id == id || !slots[slot].id) {
                slots[slot].id = id;
                slots[slot].events++;
                break;
            }
    }
}

static struct slot *hottest(struct slot *slots)
{
    struct slot *most = slots;
    for (uint32_t i = 1; i < SLOTS; i++)
        if (slots[i].events > most->events)
            most = &slots[i];
    return most->events ? most : NULL;
}

/// "switched off: N events in M us" in `text`.
static void explain(char *text, uint32_t events, uint64_t microseconds)
{
    char digits[24];
    const char *parts[] = {"switched off to keep tracing cheap: ", weft_digits(digits, events), " events in ", NULL, " us"};
    for (unsigned i = 0; i < 5; i++) {
        const char *part = i == 3 ? weft_digits(digits, microseconds) : parts[i];
        size_t length = text_length(part);
        copy_bytes(text, part, length);
        text += length;
    }
    *text = '\0';
}

static void switch_off(const struct slot *hot, uint64_t ticks)
{
    char text[128];
    for (uint32_t i = 0; i < process->module_count; i++) {
        struct weft_tracing_module *module = &process->tables->modules[i];
        uint32_t index = hot->id - module->first_id;
        if (!module->table || index >= module->function_count || weft_tracing_patch_one(module, index, 0, 0) <= 0)
            continue;
        explain(text, hot->events, ticks / (process->frequency / 1000000 + 1));
        weft_tracing_note(hot->id, text);
    }
}

/// A thread has filled a block within `ticks`.
void weft_tracing_adapt(const char *block, uint64_t ticks)
{
    uint64_t records = (BLOCK - BLOCK_HEADER) / 8, allowed = ticks / 100 * process->adaptive;
    if (records * process->cost <= allowed || !try_lock())
        return;
    if (process->hot || (process->hot = weft_reserve(SLOTS * sizeof(struct slot))) != NULL) {
        count_events(block, process->hot);
        struct slot *hot;
        while (records * process->cost > allowed && (hot = hottest(process->hot)) != NULL) {
            switch_off(hot, ticks);
            records -= hot->events < records ? hot->events : records;
            hot->events = 0;
        }
    }
    unlock();
}
