// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Switches sleds on and off in the running program. What a sled does is decided by its first instruction alone: "jump over
// the rest" or the first of the rest. The rest is written before the sled is switched on for the first time, and what other
// threads may be executing is changed by one aligned store:
//
//   x86_64   entry, tail exit   eb 09 / 41 ba   word:4 e8 distance:4
//            exit               c3 2e / 41 ba   word:4 e9 distance:4
//   aarch64  b #32 / nop        str x30, [sp, #-16]!; movz w17; movk w17; bl; ldr x30, [sp], #16; nop; nop
//
// A thread may be stopped anywhere inside a sled for any time. That is why the bytes behind the first instruction are not
// written again: of the word only its lowest byte (clock, frame) may change, which one store does.
//
// On x86_64, a sled that was never on is one instruction of eleven bytes that does nothing (SledMap.cs), since a jump costs
// something. No thread can be within it; but a processor may have fetched its first half, and must not put it together with
// a new second half. So it becomes the jump first, then all processors that run the program start afresh, then comes the rest.

#include "tracing_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>

static uint32_t word_of(const struct weft_tracing_module *module, const struct weft_tracing_sled *sled, uint32_t clock)
{
    const struct weft_tracing_function *function = &module->functions[sled->function];
    uint32_t framed = sled->kind == WEFT_TRACING_ENTRY && function->flags & FRAMED_FUNCTION ? WEFT_TRACING_FRAMED : 0;
    return (module->first_id + sled->function) << WEFT_TRACING_ID_SHIFT | framed | clock | sled->kind;
}

static const char *trampoline(const struct weft_tracing_module *module, const struct weft_tracing_sled *sled, uint32_t clock)
{
    return module->trampolines[clock == WEFT_TRACING_CALLED ? 0 : clock >> 2][sled->kind];
}

#if defined(__x86_64__)

static const uint8_t unused[11] = {0x66, 0x66, 0x2e, 0x0f, 0x1f, 0x84, 0, 0, 0, 0, 0};

#define OVER 0x09eb // jmp +9

/// Whether the sled was one that was never on, and is a jump now.
static int open_sled(const struct weft_tracing_sled *sled)
{
    if (sled->armed || sled->kind == WEFT_TRACING_EXIT || (uintptr_t)sled->address & 1)
        return 0;
    for (unsigned i = 0; i < sizeof unused; i++)
        if ((uint8_t)sled->address[i] != unused[i])
            return 0;
    __atomic_store_n((uint16_t *)sled->address, OVER, __ATOMIC_RELEASE);
    return 1;
}

/// Not a sled as LLVM makes them: code that somebody has changed, or a kind that this runtime does not serve.
static int is_foreign(const struct weft_tracing_sled *sled)
{
    const uint8_t *at = (const uint8_t *)sled->address;
    return sled->kind > WEFT_TRACING_TAIL_EXIT || (uintptr_t)at & 1 || (sled->kind == WEFT_TRACING_EXIT ? at[0] != 0xc3 : at[0] != 0xeb || at[1] != 0x09);
}

static int arm(const struct weft_tracing_module *module, struct weft_tracing_sled *sled, uint32_t clock)
{
    char *at = sled->address;
    uint32_t word = word_of(module, sled, clock);
    if (sled->armed) {
        *(volatile uint8_t *)(at + 2) = (uint8_t)word;
        return 0;
    }
    if (is_foreign(sled))
        return -1;
    intptr_t distance = trampoline(module, sled, clock) - (at + 11);
    if (distance != (int32_t)distance)
        return -1;
    int32_t relative = (int32_t)distance;
    __builtin_memcpy(at + 2, &word, 4);
    at[6] = (char)(sled->kind == WEFT_TRACING_EXIT ? 0xe9 : 0xe8);
    __builtin_memcpy(at + 7, &relative, 4);
    sled->armed = 1;
    return 0;
}

static void flip(const struct weft_tracing_sled *sled, int on)
{
    // mov $word, %r10d against the jump, or ret (whose second byte nothing reads).
    uint16_t code = on ? 0xba41 : sled->kind == WEFT_TRACING_EXIT ? 0x2ec3 : OVER;
    __atomic_store_n((uint16_t *)sled->address, code, __ATOMIC_RELEASE);
}

static void publish(char *low, char *high)
{
    (void)low;
    (void)high;
}

#else

#define NOP 0xd503201fu
#define OVER 0x14000008u // b #32

static int open_sled(const struct weft_tracing_sled *sled)
{
    (void)sled;
    return 0;
}

static int arm(const struct weft_tracing_module *module, struct weft_tracing_sled *sled, uint32_t clock)
{
    uint32_t *at = (uint32_t *)sled->address;
    uint32_t word = word_of(module, sled, clock);
    uint32_t low = 0x52800011u | (word & 0xffff) << 5; // movz w17
    if (sled->armed) {
        __atomic_store_n(&at[2], low, __ATOMIC_RELEASE);
        return 0;
    }
    if (sled->kind > WEFT_TRACING_TAIL_EXIT || at[0] != OVER)
        return -1;
    intptr_t distance = trampoline(module, sled, clock) - (char *)&at[4];
    if (distance >= 1 << 27 || distance < -(1 << 27))
        return -1;
    at[1] = 0xf81f0ffeu; // str x30, [sp, #-16]!
    at[2] = low;
    at[3] = 0x72a00011u | word >> 16 << 5; // movk w17, lsl 16
    at[4] = 0x94000000u | ((uint32_t)(distance >> 2) & 0x3ffffff);
    at[5] = 0xf84107feu; // ldr x30, [sp], #16
    at[6] = NOP;
    at[7] = NOP;
    sled->armed = 1;
    return 0;
}

static void flip(const struct weft_tracing_sled *sled, int on)
{
    __atomic_store_n((uint32_t *)sled->address, on ? NOP : OVER, __ATOMIC_RELEASE);
}

static void publish(char *low, char *high)
{
    __builtin___clear_cache(low, high + 32);
}

#endif

/// Makes the code of all sleds of a module writable, or no longer.
static int protect(const struct weft_tracing_module *module, int protection)
{
    uintptr_t page = process->page;
    uintptr_t low = (uintptr_t)module->low & ~(page - 1), high = ((uintptr_t)module->high + 32 + page - 1) & ~(page - 1);
    long result = raw_syscall(SYS_mprotect, low, high - low, protection);
    return result < 0 ? (int)-result : 0;
}

#define SYNC_CORE (1 << 5) // membarrier's PRIVATE_EXPEDITED_SYNC_CORE, which older headers lack
#define REGISTER_SYNC_CORE (1 << 6)

/// When this returns, every thread of the process executes what is in memory now.
static void start_afresh(const struct weft_tracing_module *module)
{
    long result = raw_syscall(SYS_membarrier, SYNC_CORE, 0, 0);
    if (result == -EPERM && raw_syscall(SYS_membarrier, REGISTER_SYNC_CORE, 0, 0) == 0)
        result = raw_syscall(SYS_membarrier, SYNC_CORE, 0, 0);
    if (result == 0)
        return;
    // Without it (old kernels, sandboxes): taking rights away interrupts the processors that have them.
    protect(module, PROT_READ | PROT_EXEC);
    protect(module, PROT_READ | PROT_WRITE | PROT_EXEC);
}

static int open_function(const struct weft_tracing_module *module, uint32_t index)
{
    struct weft_tracing_function *function = &module->functions[index];
    int opened = 0;
    if (function->flags & OPENED_FUNCTION)
        return 0;
    function->flags |= OPENED_FUNCTION;
    for (uint32_t i = 0; i < function->sleds; i++)
        opened |= open_sled(&module->table[function->first_sled + i]);
    return opened;
}

static void open_functions(const struct weft_tracing_module *module, const uint8_t *selected)
{
    int opened = 0;
    for (uint32_t i = 0; i < module->function_count; i++)
        if (!selected || selected[i])
            opened |= open_function(module, i);
    if (opened)
        start_afresh(module);
}

static int apply(struct weft_tracing_module *module, uint32_t index, int on, uint32_t clock)
{
    struct weft_tracing_function *function = &module->functions[index];
    if (function->patched == on && (!on || function->clock == clock))
        return 0;
    struct weft_tracing_sled *sleds = &module->table[function->first_sled];
    for (uint32_t i = 0; on && i < function->sleds; i++)
        if (arm(module, &sleds[i], clock) != 0)
            return 0; // all of a function's sleds or none
    // Exits first when switching on, and last when switching off, so that what has begun ends too.
    for (uint32_t i = 0; i < function->sleds; i++)
        flip(&sleds[on ? function->sleds - 1 - i : i], on);
    process->switched_on += (uint32_t)on;
    function->patched = (uint8_t)on;
    function->clock = (uint8_t)clock;
    return 1;
}

/// Tells readers that calls which are under way will have exits and no entries.
static void note_on(void)
{
    if (!process->entering)
        weft_tracing_set_state(16);
}

/// Tells readers that calls of these functions (a bit for each, from the lowest of the first byte) that are under way have
/// no exit. As many at once as an entry holds.
static void note_off(const struct weft_tracing_module *module, const uint8_t *bits, uint32_t first, uint32_t end)
{
    for (const uint32_t most = 1u << 18; process->recording && first < end; first += most, bits += most / 8) {
        struct {
            uint64_t clock;
            uint32_t id, count;
        } head = {weft_tracing_clock(), module->first_id + first, end - first < most ? end - first : most};
        const char *text = (const char *)bits;
        size_t size = (head.count + 7) / 8;
        weft_tracing_write_metadata(5, &head, sizeof head, &text, &size, 1);
    }
}

/// One function, without making all of a module's code writable.
long weft_tracing_patch_one(struct weft_tracing_module *module, uint32_t index, int on, uint32_t clock)
{
    const struct weft_tracing_function *function = &module->functions[index];
    struct weft_tracing_module part = *module;
    if (module->gone)
        return 0;
    part.low = part.high = module->table[function->first_sled].address;
    for (uint32_t i = 1; i < function->sleds; i++) {
        char *at = module->table[function->first_sled + i].address;
        part.low = at < part.low ? at : part.low;
        part.high = at > part.high ? at : part.high;
    }
    int error = protect(&part, PROT_READ | PROT_WRITE | PROT_EXEC);
    if (error)
        return -error;
    if (on)
        note_on();
    if (on && open_function(module, index))
        start_afresh(&part);
    if (on)
        weft_tracing_describe(module, index);
    int changed = apply(module, index, on, clock);
    publish(part.low, part.high);
    protect(&part, PROT_READ | PROT_EXEC);
    uint8_t bit = (uint8_t)(1 << index % 8);
    if (changed && !on)
        note_off(module, &bit, index & ~7u, index + 1);
    return changed;
}

/// Switches the selected functions (all where `selected` is NULL) on or off. The number of functions that changed, or a
/// negative errno value. The process's lock is held.
long weft_tracing_patch_module(struct weft_tracing_module *module, const uint8_t *selected, int on, uint32_t clock)
{
    long changed = 0;
    uint32_t first = UINT32_MAX, last = 0;
    if (module->gone || !module->sled_count)
        return 0;
    size_t size = module->function_count / 8 + 1;
    uint8_t *bits = on ? NULL : weft_reserve(size);
    int error = protect(module, PROT_READ | PROT_WRITE | PROT_EXEC);
    if (error) {
        if (bits)
            munmap(bits, size);
        return -error;
    }
    if (on) {
        note_on();
        open_functions(module, selected);
    }
    for (uint32_t i = 0; i < module->function_count; i++) {
        if (selected && !selected[i])
            continue;
        if (on)
            weft_tracing_describe(module, i);
        if (!apply(module, i, on, clock))
            continue;
        changed++;
        first = first == UINT32_MAX ? i : first;
        last = i;
        if (bits)
            bits[i / 8] |= (uint8_t)(1 << i % 8);
    }
    publish(module->low, module->high);
    protect(module, PROT_READ | PROT_EXEC);
    if (bits && changed)
        note_off(module, bits + first / 8, first & ~7u, last + 1);
    if (bits)
        munmap(bits, size);
    return changed;
}
