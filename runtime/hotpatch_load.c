// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A patch file into memory. Nothing of the file is believed: every number is held against the file's and the memory's bounds before
// it is used, and a patch that is refused leaves the process as it was.

#include "hotpatch_internal.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#ifndef MAP_FIXED_NOREPLACE
#define MAP_FIXED_NOREPLACE 0x100000
#endif

#define LARGEST (256u << 20)
#define STEP (1u << 20)
#define REACH ((uintptr_t)1 << 30) ///< how far from the program a patch may be, so that both reach each other's ends

struct loading {
    const char *file;
    const struct weft_patch_header *header;
    struct weft_hotpatch_patch *patch;
    struct weft_hotpatch_patch *parents[WEFT_PATCH_SELF];
    struct weft_hotpatch_reason *reason;
};

// ---- Is it sound? ----

static int damaged(struct loading *loading, const char *what)
{
    return weft_hotpatch_refuse(loading->reason, WEFT_HOTPATCH_DAMAGED, "the patch is damaged (", what, "): build it again", NULL);
}

static int is_within(const struct weft_patch_header *header, struct weft_patch_table table, size_t entry)
{
    return table.at <= header->size && table.count <= (header->size - table.at) / entry && table.at % 8 == 0;
}

static int is_name(const struct loading *loading, uint32_t at)
{
    return at < loading->header->names.count; // they end with a zero
}

/// Whether the patch is signed with the key that the program wants, if it wants any. `size` is the file's.
static int check_signature(struct loading *loading, size_t size)
{
    const struct weft_patch_header *header = loading->header;
    struct weft_sha256 hash;
    uint8_t digest[32];
    if (!process->wants_signature)
        return 0;
    if (process->key_fault)
        return weft_hotpatch_refuse(loading->reason, WEFT_HOTPATCH_UNSIGNED, "the program wants signed patches, and the key that WEFT_HOTPATCH_KEY names cannot be used: ", process->key_fault, NULL);
    if (size == header->size)
        return weft_hotpatch_refuse(loading->reason, WEFT_HOTPATCH_UNSIGNED, "the patch is not signed, and the program wants that: build it with --key", NULL);
    weft_sha256_begin(&hash);
    weft_sha256_add(&hash, loading->file, header->size);
    weft_sha256_end(&hash, digest);
    if (!weft_hotpatch_is_signed(process->key, (const uint8_t *)loading->file + header->size, digest))
        return weft_hotpatch_refuse(loading->reason, WEFT_HOTPATCH_UNSIGNED, "the patch is signed with another key than the program wants: build it with that one", NULL);
    return 0;
}

static int is_whole(const char *file, const struct weft_patch_header *header)
{
    static const uint8_t nothing[WEFT_PATCH_ID];
    struct weft_sha256 hash;
    uint8_t digest[32];
    size_t behind = offsetof(struct weft_patch_header, id) + WEFT_PATCH_ID;
    weft_sha256_begin(&hash);
    weft_sha256_add(&hash, file, offsetof(struct weft_patch_header, id));
    weft_sha256_add(&hash, nothing, sizeof nothing);
    weft_sha256_add(&hash, file + behind, header->size - behind);
    weft_sha256_end(&hash, digest);
    return memcmp(digest, header->id, WEFT_PATCH_ID) == 0;
}

static int check_file(struct loading *loading, size_t size)
{
    const struct weft_patch_header *header = loading->header;
    if (size < sizeof *header || memcmp(header->magic, WEFT_PATCH_MAGIC, sizeof header->magic) != 0)
        return weft_hotpatch_refuse(loading->reason, WEFT_HOTPATCH_DAMAGED, "that is no patch of Weft's, or one of another version: build it again", NULL);
    if (header->size < sizeof *header || header->size > size)
        return damaged(loading, "it is cut short");
    if (size != header->size && size != header->size + (size_t)WEFT_PATCH_SIGNATURE)
        return damaged(loading, "what is behind it is no signature");
    if (!is_whole(loading->file, header))
        return damaged(loading, "its content is not what was written");
    int result = check_signature(loading, size);
    if (result)
        return result;
    if (header->machine != WEFT_PATCH_MACHINE)
        return weft_hotpatch_refuse(loading->reason, WEFT_HOTPATCH_OTHER_PROGRAM, "the patch is for another processor", NULL);
    if (!is_within(header, header->parents, WEFT_PATCH_ID) || !is_within(header, header->relocations, sizeof(struct weft_patch_relocation)) || !is_within(header, header->functions, sizeof(struct weft_patch_function)) ||
        !is_within(header, header->externals, 4) || !is_within(header, header->content, 1) || !is_within(header, header->names, 1))
        return damaged(loading, "a table lies outside");
    if (header->names.count == 0 || loading->file[header->names.at + header->names.count - 1] || header->build_size > WEFT_PATCH_BUILD || header->parents.count >= WEFT_PATCH_SELF)
        return damaged(loading, "its names have no end");
    uint64_t memory = (uint64_t)header->code_size + header->constant_size + header->data_size;
    if (memory > LARGEST || header->content.count > memory || header->code_size % WEFT_PATCH_PAGE || header->constant_size % WEFT_PATCH_PAGE || header->data_size % WEFT_PATCH_PAGE || header->code_size == 0)
        return damaged(loading, "its sizes contradict each other");
    return is_name(loading, header->name) && header->frames < memory ? 0 : damaged(loading, "it has no name");
}

// ---- Whom is it for? ----

static int find_module(struct loading *loading)
{
    const struct weft_patch_header *header = loading->header;
    for (uint32_t i = 0; i < process->module_count; i++) {
        struct weft_hotpatch_module *module = &process->modules[i];
        if (!module->gone && module->build_size == header->build_size && memcmp(module->build, header->build, header->build_size) == 0) {
            loading->patch->module = module;
            return 0;
        }
    }
    return weft_hotpatch_refuse(loading->reason, WEFT_HOTPATCH_OTHER_PROGRAM, "the patch is for another build of the program: build it for the one that runs", NULL);
}

static struct weft_hotpatch_patch *find_patch(const uint8_t *id)
{
    for (uint32_t i = 0; i < process->patch_count; i++)
        if (!process->patches[i]->gone && memcmp(process->patches[i]->id, id, WEFT_PATCH_ID) == 0)
            return process->patches[i];
    return NULL;
}

static int find_parents(struct loading *loading)
{
    for (uint32_t i = 0; i < loading->header->parents.count; i++) {
        struct weft_hotpatch_patch *parent = find_patch((const uint8_t *)loading->file + loading->header->parents.at + i * WEFT_PATCH_ID);
        if (!parent || !parent->active || parent->module != loading->patch->module)
            return weft_hotpatch_refuse(loading->reason, WEFT_HOTPATCH_ORDER, "an earlier patch that this one builds on is not applied: apply that first", NULL);
        loading->parents[i + 1] = parent;
    }
    return 0;
}

// ---- Into memory ----

static char *try_at(uintptr_t address, size_t size)
{
    char *memory = mmap((void *)address, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
    if (memory == MAP_FAILED)
        return NULL;
    if (memory == (char *)address)
        return memory;
    munmap(memory, size); // a kernel that takes the flag for a hint
    return NULL;
}

/// Memory that the module reaches and that reaches the module. Below it first: above a program its heap grows.
static char *map_near(const struct weft_hotpatch_module *module, size_t size)
{
    uintptr_t from = (uintptr_t)module->base & ~(uintptr_t)(STEP - 1), to = ((uintptr_t)module->base + module->size + STEP) & ~(uintptr_t)(STEP - 1);
    size = (size + WEFT_PATCH_PAGE - 1) & ~(size_t)(WEFT_PATCH_PAGE - 1);
    for (uintptr_t distance = STEP + ((size + STEP - 1) & ~(size_t)(STEP - 1)); distance < REACH && distance + STEP < from; distance += STEP) {
        char *memory = try_at(from - distance, size);
        if (memory)
            return memory;
    }
    for (uintptr_t distance = REACH - size; distance > STEP; distance -= STEP) {
        char *memory = try_at((to + distance) & ~(uintptr_t)(STEP - 1), size);
        if (memory)
            return memory;
    }
    return NULL;
}

static int base_of(const struct loading *loading, uint8_t home, char **base)
{
    if (home == WEFT_PATCH_SELF)
        *base = loading->patch->memory;
    else if (home == 0)
        *base = loading->patch->module->base;
    else if (home <= loading->header->parents.count)
        *base = loading->parents[home]->memory;
    else
        return 0;
    return 1;
}

static int find_external(struct loading *loading, int64_t number, uint64_t *address)
{
    uint32_t name;
    if (number < 0 || number >= loading->header->externals.count)
        return damaged(loading, "a name is not in it");
    memcpy(&name, loading->file + loading->header->externals.at + 4 * number, sizeof name);
    if (!is_name(loading, name))
        return damaged(loading, "a name lies outside");
    const char *text = loading->file + loading->header->names.at + name;
    *address = (uint64_t)(uintptr_t)weft_hotpatch_find_symbol(text);
    return *address ? 0 : weft_hotpatch_refuse(loading->reason, WEFT_HOTPATCH_UNKNOWN_SYMBOL, "the patch needs '", text, "', which neither the program nor its libraries have", NULL);
}

static int write_relocation(struct loading *loading, const struct weft_patch_relocation *relocation, uint64_t target)
{
    char *at = loading->patch->memory + relocation->at;
    int64_t distance = (int64_t)(target - (uint64_t)(uintptr_t)at);
    uint32_t word;
    switch (relocation->kind) {
    case WEFT_PATCH_ADDRESS64:
        memcpy(at, &target, sizeof target);
        return 1;
    case WEFT_PATCH_ADDRESS32:
        memcpy(at, &target, 4);
        return target < 1u << 31;
    case WEFT_PATCH_DISTANCE32:
        memcpy(at, &distance, 4);
        return distance == (int32_t)distance;
    case WEFT_PATCH_PAGE21:
        distance = ((int64_t)(target >> 12) - (int64_t)((uintptr_t)at >> 12));
        memcpy(&word, at, sizeof word);
        word = (word & ~(3u << 29 | 0x7ffffu << 5)) | (uint32_t)(distance & 3) << 29 | (uint32_t)(distance >> 2 & 0x7ffff) << 5;
        memcpy(at, &word, sizeof word);
        return distance >= -(1 << 20) && distance < 1 << 20;
    default:
        return 0;
    }
}

static int relocate(struct loading *loading)
{
    for (uint32_t i = 0; i < loading->header->relocations.count; i++) {
        struct weft_patch_relocation relocation;
        uint64_t target = 0;
        char *base;
        memcpy(&relocation, loading->file + loading->header->relocations.at + i * sizeof relocation, sizeof relocation);
        if (relocation.at > loading->patch->size - 8)
            return damaged(loading, "a relocation lies outside");
        if (relocation.home == WEFT_PATCH_EXTERNAL) {
            int result = find_external(loading, relocation.value, &target);
            if (result)
                return result;
        } else if (!base_of(loading, relocation.home, &base)) {
            return damaged(loading, "a relocation has no home");
        } else {
            target = (uint64_t)(uintptr_t)base + (uint64_t)relocation.value;
        }
        if (!write_relocation(loading, &relocation, target))
            return weft_hotpatch_refuse(loading->reason, WEFT_HOTPATCH_NO_MEMORY, "the patch cannot be put near enough to what it refers to", NULL);
    }
    return 0;
}

/// The entry, the room before it, and the instruction that is exchanged; which may be all that there is of the last function.
static int is_in_code(const struct loading *loading, uint8_t home, const char *entry, uint32_t point)
{
    const struct weft_hotpatch_module *module = loading->patch->module;
    const char *code = home ? loading->parents[home]->memory : module->code;
    const char *end = home ? code + loading->parents[home]->code_size : module->code_end;
    return entry >= code + ROOM && entry < end && (size_t)(end - entry) >= point + EXCHANGED;
}

static int read_functions(struct loading *loading)
{
    struct weft_hotpatch_patch *patch = loading->patch;
    for (uint32_t i = 0; i < patch->function_count; i++) {
        struct weft_patch_function function;
        char *base;
        memcpy(&function, loading->file + loading->header->functions.at + i * sizeof function, sizeof function);
        if (function.home > loading->header->parents.count || !base_of(loading, (uint8_t)function.home, &base) || function.code >= patch->code_size || function.code_size > patch->code_size - function.code || function.size > LARGEST || !is_name(loading, function.name) || function.point > 4)
            return damaged(loading, "a function lies outside");
        char *entry = base + function.entry;
        if (!is_in_code(loading, (uint8_t)function.home, entry, function.point) || !weft_hotpatch_is_entry(patch->module, entry, entry + function.point))
            return weft_hotpatch_refuse(loading->reason, WEFT_HOTPATCH_CHANGED_CODE, "'", loading->file + loading->header->names.at + function.name, "' is not as it was built: something else has changed its code", NULL);
        patch->functions[i] = (struct weft_hotpatch_function){.entry = entry, .point = entry + function.point, .name = function.name, .code = (uint64_t)(uintptr_t)(patch->memory + function.code), .size = function.size, .code_size = function.code_size};
    }
    return 0;
}

/// The record of a patch, behind which are its functions and names.
static struct weft_hotpatch_patch *make_record(const struct loading *loading)
{
    const struct weft_patch_header *header = loading->header;
    size_t size = sizeof(struct weft_hotpatch_patch) + header->functions.count * sizeof(struct weft_hotpatch_function) + header->names.count;
    struct weft_hotpatch_patch *patch = weft_reserve(size);
    if (!patch)
        return NULL;
    patch->record_size = size;
    memcpy(patch->id, header->id, WEFT_PATCH_ID);
    patch->functions = (struct weft_hotpatch_function *)(patch + 1);
    patch->function_count = header->functions.count;
    patch->names = (char *)(patch->functions + patch->function_count);
    memcpy((char *)patch->names, loading->file + header->names.at, header->names.count);
    patch->name = patch->names + header->name;
    patch->code_size = header->code_size;
    patch->size = header->code_size + header->constant_size + header->data_size;
    return patch;
}

/// The table that an unwinder searches for a place's frame: each of its entries is a place and its frame, as distances from the table.
static int is_table_of_frames(const struct weft_hotpatch_patch *patch, uint32_t at)
{
    int32_t count, entry[2];
    if (at > patch->size - 12)
        return 0;
    memcpy(&count, patch->memory + at + 8, sizeof count);
    if (count < 0 || (uint32_t)count > (patch->size - at - 12) / sizeof entry)
        return 0;
    for (int32_t i = 0; i < count; i++) {
        memcpy(entry, patch->memory + at + 12 + (size_t)i * sizeof entry, sizeof entry);
        int64_t frame = (int64_t)at + entry[1];
        if (frame < 0 || frame > (int64_t)patch->size - 16)
            return 0;
    }
    return 1;
}

static void close_memory(const struct weft_hotpatch_patch *patch, const struct weft_patch_header *header)
{
    __builtin___clear_cache(patch->memory, patch->memory + patch->code_size);
    mprotect(patch->memory, header->code_size, PROT_READ | PROT_EXEC);
    if (header->constant_size)
        mprotect(patch->memory + header->code_size, header->constant_size, PROT_READ);
}

static int fill(struct loading *loading)
{
    struct weft_hotpatch_patch *patch = loading->patch;
    int result = find_module(loading);
    if (!result)
        result = find_parents(loading);
    if (result)
        return result;
    if (!(patch->memory = map_near(patch->module, patch->size)))
        return weft_hotpatch_refuse(loading->reason, WEFT_HOTPATCH_NO_MEMORY, "there is no free memory near the program", NULL);
    memcpy(patch->memory, loading->file + loading->header->content.at, loading->header->content.count);
    patch->frames = loading->header->frames ? patch->memory + loading->header->frames : NULL;
    if ((result = relocate(loading)) || (result = read_functions(loading)))
        return result;
    if (patch->frames && !is_table_of_frames(patch, loading->header->frames))
        return damaged(loading, "its table of frames contradicts itself");
    close_memory(patch, loading->header);
    return 0;
}

int weft_hotpatch_load(const char *file, size_t size, struct weft_hotpatch_patch **patch, struct weft_hotpatch_reason *reason)
{
    if (!process->loading) // too large for a signal handler's stack
        process->loading = weft_reserve(sizeof(struct loading));
    struct loading *loading = process->loading;
    if (!loading)
        return weft_hotpatch_refuse(reason, WEFT_HOTPATCH_NO_MEMORY, "there is no memory for the patch", NULL);
    *loading = (struct loading){.file = file, .header = (const struct weft_patch_header *)file, .reason = reason};
    int result = check_file(loading, size);
    if (!result) {
        struct weft_hotpatch_patch *known = find_patch(loading->header->id);
        if (known && known->active)
            result = weft_hotpatch_refuse(reason, WEFT_HOTPATCH_APPLIED, "the patch is applied already", NULL);
        else if (known)
            *patch = known; // it was taken back: what it had of variables is still there
        else if (!(loading->patch = make_record(loading)))
            result = weft_hotpatch_refuse(reason, WEFT_HOTPATCH_NO_MEMORY, "there is no memory for the patch", NULL);
        else if ((result = fill(loading)) != 0)
            weft_hotpatch_unload(loading->patch);
        else
            *patch = loading->patch;
    }
    return result;
}

void weft_hotpatch_unload(struct weft_hotpatch_patch *patch)
{
    if (patch->memory)
        munmap(patch->memory, patch->size);
    munmap(patch, patch->record_size);
}
