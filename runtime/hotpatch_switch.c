// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Leads a function's entry somewhere else, under threads that are calling it. Two things are changed, each by one aligned store:
//
//   x86_64   room:  ff 25 distance    jmp *slot(%rip), written while nobody can come here
//            entry: eb f8             jmp room; two bytes that are an instruction's first, and no thread can be between them
//   aarch64  room:  adrp x16, slot; ldr x16, [x16, :lo12:slot]; br x16
//            entry: b room            in place of a nop, one of the few instructions that may be exchanged so (B2.2.5 of the ARM ARM)
//
// From then on the slot, which is data, says which version runs: going from one patch to the next changes no code. The first
// instruction comes back when the last patch goes. Registers are as the caller left them, but for x16, which is the linker's.
//
// Processors other than this one may have fetched what was there before: the kernel makes each look again before a switch is
// said to be done (membarrier).

#include "hotpatch_internal.h"

#include <errno.h>
#include <linux/membarrier.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#if defined(__x86_64__)
typedef uint16_t instruction;
#else
typedef uint32_t instruction;
#endif

static uintptr_t page_of(const void *address)
{
    return (uintptr_t)address & ~(uintptr_t)(sysconf(_SC_PAGESIZE) - 1);
}

static uint64_t now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

/// Returns when no processor runs this program on what it fetched before.
static void make_all_look_again(void)
{
    if (!process->fenced)
        process->fenced = syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_SYNC_CORE, 0, 0) == 0 ? 1 : 2;
    if (process->fenced == 1 && syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED_SYNC_CORE, 0, 0) != 0) {
        // A forked child, on a system that forgets.
        syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_SYNC_CORE, 0, 0);
        syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED_SYNC_CORE, 0, 0);
    }
}

static instruction read_point(const char *point)
{
    return __atomic_load_n((const instruction *)point, __ATOMIC_RELAXED);
}

static void write_point(char *point, instruction value)
{
    __atomic_store_n((instruction *)point, value, __ATOMIC_SEQ_CST);
#if defined(__aarch64__)
    __builtin___clear_cache(point, point + sizeof value);
#endif
}

#if defined(__x86_64__)

static instruction jump_to_room(const char *entry, const char *point)
{
    return (instruction)(0xeb | (uint8_t)(entry - ROOM - (point + 2)) << 8);
}

static int is_free(const char *entry)
{
    for (int i = 1; i <= ROOM; i++)
        if ((uint8_t)entry[-i] != 0xcc)
            return 0;
    return 1;
}

/// The slot that the room leads to, or NULL.
static uint64_t *slot_of(const char *entry)
{
    int32_t distance;
    if ((uint8_t)entry[-ROOM] != 0xff || entry[1 - ROOM] != 0x25)
        return NULL;
    memcpy(&distance, entry - 4, sizeof distance);
    return (uint64_t *)(entry + distance);
}

static void furnish(char *entry, const uint64_t *slot)
{
    int32_t distance = (int32_t)((const char *)slot - entry);
    entry[-ROOM] = (char)0xff;
    entry[1 - ROOM] = 0x25;
    memcpy(entry - 4, &distance, sizeof distance);
}

static void unfurnish(char *entry)
{
    memset(entry - ROOM, 0xcc, ROOM);
}

static int is_reachable(const char *entry, const uint64_t *slot)
{
    intptr_t distance = (const char *)slot - entry;
    return distance == (int32_t)distance;
}

/// Else the two bytes are not in eight that a processor fetches and stores as one, or it is still room.
static int is_point(const char *point)
{
    return ((uintptr_t)point & 7) != 7 && (uint8_t)*point != 0xcc;
}

#else

static instruction jump_to_room(const char *entry, const char *point)
{
    return 0x14000000u | ((uint32_t)((entry - ROOM - point) / 4) & 0x3ffffffu);
}

static uint32_t word(const char *entry, int index)
{
    uint32_t value;
    memcpy(&value, entry - ROOM + index * 4, sizeof value);
    return value;
}

static int is_free(const char *entry)
{
    return word(entry, 0) == 0xd4200000u;
}

static uint64_t *slot_of(const char *entry)
{
    uint32_t adrp = word(entry, 0), load = word(entry, 1);
    if ((adrp & 0x9f00001fu) != 0x90000010u || (load & 0xffc003ffu) != 0xf9400210u)
        return NULL;
    int64_t pages = (int64_t)((uint64_t)((adrp >> 5 & 0x7ffffu) << 2 | (adrp >> 29 & 3u)) << 43) >> 43;
    return (uint64_t *)(((uintptr_t)(entry - ROOM) & ~(uintptr_t)4095) + (uintptr_t)(pages * 4096) + (load >> 10 & 0xfffu) * 8);
}

static void furnish(char *entry, const uint64_t *slot)
{
    int64_t pages = ((int64_t)((uintptr_t)slot >> 12) - (int64_t)((uintptr_t)(entry - ROOM) >> 12));
    uint32_t code[] = {0x90000010u | (uint32_t)(pages & 3) << 29 | (uint32_t)(pages >> 2 & 0x7ffff) << 5, 0xf9400210u | (uint32_t)(((uintptr_t)slot & 4095) / 8) << 10, 0xd61f0200u};
    memcpy(entry - ROOM, code, sizeof code);
    __builtin___clear_cache(entry - ROOM, entry);
}

static void unfurnish(char *entry)
{
    const uint32_t trap = 0xd4200000u;
    for (int i = 0; i < ROOM; i += 4)
        memcpy(entry - ROOM + i, &trap, sizeof trap);
    __builtin___clear_cache(entry - ROOM, entry);
}

static int is_reachable(const char *entry, const uint64_t *slot)
{
    int64_t pages = ((int64_t)((uintptr_t)slot >> 12) - (int64_t)((uintptr_t)(entry - ROOM) >> 12));
    return pages >= -(1 << 20) && pages < 1 << 20;
}

static int is_point(const char *point)
{
    return ((uintptr_t)point & 3) == 0 && (read_point(point) == 0xd503201fu || (read_point(point) & 0xfc000000u) == 0x14000000u);
}

#endif

int weft_hotpatch_is_entry(const struct weft_hotpatch_module *module, const char *entry, const char *point)
{
    if (!is_point(point))
        return 0;
    uint64_t *slot = slot_of(entry);
    return is_free(entry) || (slot >= module->slots && slot < module->slots + module->used);
}

/// The slot of an entry, that it has or that it gets; -1: there are no more.
static int64_t slot_for(struct weft_hotpatch_module *module, char *entry, char *point, uint32_t size)
{
    uint64_t *known = slot_of(entry);
    if (known >= module->slots && known < module->slots + module->used)
        return known - module->slots;
    if (module->used == SLOTS || !is_reachable(entry, module->slots + module->used))
        return -1;
    uint32_t index = module->used++;
    module->entries[index] = (struct weft_hotpatch_entry){.entry = entry, .point = point, .size = size, .original = read_point(point)};
    furnish(entry, module->slots + index);
    return index;
}

#define RANGES 64u // as many earlier patches may have functions that one patch replaces

struct range {
    uintptr_t from, to;
};

/// The code of a module or an earlier patch that has to be written to.
static int protect(const struct range *ranges, unsigned count, int protection)
{
    for (unsigned i = 0; i < count; i++)
        if (mprotect((void *)ranges[i].from, ranges[i].to - ranges[i].from, protection) != 0)
            return errno;
    return 0;
}

/// The pages that an entry is among: its module's code, or that of an earlier patch.
static struct range range_of(const struct weft_hotpatch_module *module, const char *entry)
{
    const char *from = module->code, *to = module->code_end;
    for (uint32_t i = 0; i < process->patch_count; i++) {
        const struct weft_hotpatch_patch *patch = process->patches[i];
        if (entry >= patch->memory && entry < patch->memory + patch->code_size)
            from = patch->memory, to = patch->memory + patch->code_size;
    }
    return (struct range){page_of(from), page_of(to - 1) + (uintptr_t)sysconf(_SC_PAGESIZE)};
}

/// All ranges that hold entries of the patch; more than `most` when there are.
static unsigned ranges_of(const struct weft_hotpatch_patch *patch, struct range *ranges, unsigned most)
{
    unsigned count = 0;
    for (uint32_t i = 0; i < patch->function_count; i++) {
        struct weft_hotpatch_function *function = &patch->functions[i];
        unsigned at = 0;
        while (at < count && !((uintptr_t)function->entry >= ranges[at].from && (uintptr_t)function->entry < ranges[at].to))
            at++;
        if (at == most)
            return most + 1;
        if (at == count)
            ranges[count++] = range_of(patch->module, function->entry);
    }
    return count;
}

static void exchange(struct weft_hotpatch_patch *patch, int on)
{
    struct weft_hotpatch_module *module = patch->module;
    for (uint32_t i = 0; i < patch->function_count; i++) {
        struct weft_hotpatch_function *function = &patch->functions[i];
        struct weft_hotpatch_entry *entry = &module->entries[function->slot];
        uint64_t target = on ? function->code : function->previous;
        if (target)
            __atomic_store_n(&module->slots[function->slot], target, __ATOMIC_SEQ_CST);
        if (entry->active != (target != 0))
            write_point(entry->point, target ? jump_to_room(function->entry, entry->point) : (instruction)entry->original);
        entry->active = target != 0;
    }
}

static int find_slots(struct weft_hotpatch_patch *patch)
{
    struct weft_hotpatch_module *module = patch->module;
    for (uint32_t i = 0; i < patch->function_count; i++) {
        struct weft_hotpatch_function *function = &patch->functions[i];
        int64_t slot = slot_for(module, function->entry, function->point, function->size);
        if (slot < 0)
            return 0;
        function->slot = (uint32_t)slot;
        function->previous = module->entries[slot].active ? module->slots[slot] : 0;
        // A page that is shared with the file becomes the process's own now, not within the switch.
        if (!module->entries[slot].active)
            __atomic_fetch_or((instruction *)module->entries[slot].point, 0, __ATOMIC_SEQ_CST);
    }
    return 1;
}

static int prepare(struct weft_hotpatch_patch *patch, struct weft_hotpatch_reason *reason)
{
    struct weft_hotpatch_module *module = patch->module;
    uint32_t used = module->used;
    if (!module->entries && !(module->entries = weft_reserve(SLOTS * sizeof *module->entries)))
        return weft_hotpatch_refuse(reason, WEFT_HOTPATCH_NO_MEMORY, "there is no memory for the table of functions", NULL);
    if (find_slots(patch))
        return 0;
    while (module->used > used) // those of patches that fit are left to them
        unfurnish(module->entries[--module->used].entry);
    return weft_hotpatch_refuse(reason, WEFT_HOTPATCH_NO_MEMORY, "a module has room for 16384 functions that are replaced, of all patches together, and this would be more", NULL);
}

/// Whether every entry leads to its slot before and after: then no code is changed, and nobody has to look again.
static int changes_slots_only(const struct weft_hotpatch_patch *patch, int on)
{
    const struct weft_hotpatch_module *module = patch->module;
    for (uint32_t i = 0; i < patch->function_count; i++) {
        const struct weft_hotpatch_function *function = &patch->functions[i];
        const uint64_t *slot = slot_of(function->entry);
        int is_known = slot >= module->slots && slot < module->slots + module->used;
        if (on ? !is_known || !module->entries[slot - module->slots].active : !function->previous)
            return 0;
    }
    return 1;
}

static void time_exchange(struct weft_hotpatch_patch *patch, int on)
{
    uint64_t before = now();
    exchange(patch, on);
    patch->switched = now() - before;
    __atomic_store_n(&patch->active, (uint32_t)on, __ATOMIC_RELAXED);
}

static int switch_slots(struct weft_hotpatch_patch *patch, int on, struct weft_hotpatch_reason *reason)
{
    int result = on ? prepare(patch, reason) : 0;
    if (!result)
        time_exchange(patch, on);
    return result;
}

int weft_hotpatch_switch(struct weft_hotpatch_patch *patch, int on, struct weft_hotpatch_reason *reason)
{
    if (changes_slots_only(patch, on))
        return switch_slots(patch, on, reason);
    struct range ranges[RANGES];
    unsigned count = ranges_of(patch, ranges, RANGES);
    if (count > RANGES)
        return weft_hotpatch_refuse(reason, WEFT_HOTPATCH_NO_MEMORY, "the patch replaces functions of too many earlier patches", NULL);
    int error = protect(ranges, count, PROT_READ | PROT_WRITE | PROT_EXEC);
    if (error) {
        char unknown[WEFT_ERROR_TEXT];
        protect(ranges, count, PROT_READ | PROT_EXEC);
        return weft_hotpatch_refuse(reason, WEFT_HOTPATCH_DENIED, "the system does not let code be changed (", weft_error_text(error, unknown), "): allow execmod or execmem, or run the program without that restriction", NULL);
    }
    int result = on ? prepare(patch, reason) : 0;
    if (!result) {
        make_all_look_again();
        time_exchange(patch, on);
        make_all_look_again();
    }
    protect(ranges, count, PROT_READ | PROT_EXEC);
    return result;
}
