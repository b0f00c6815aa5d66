// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Exceptions and panics go through functions of patches too. The unwinder asks _Unwind_Find_FDE() about each frame; this stands in
// front of its own and answers for the patches. It takes no lock: patches are only ever added to the list.
//
// Where GCC's unwinder is linked statically, this is the only definition, since nothing asks the archive for another: then this finds
// frames as that would have. LLVM's unwinder does not ask: there what is thrown does not get through a patch.

#include "hotpatch_internal.h"

#include <dlfcn.h>
#include <link.h>
#include <string.h>

struct bases {
    void *text, *data, *function;
};

typedef const void *finder(void *, struct bases *);

// Not there in a static program, whose linker would warn of it.
extern __typeof__(dlopen) dlopen __attribute__((weak));

static finder *next;

static finder *find_next(void)
{
    finder *found = (finder *)dlsym(RTLD_NEXT, "_Unwind_Find_FDE");
    void *library = found || !dlopen ? NULL : dlopen("libgcc_s.so.1", RTLD_LAZY | RTLD_NOLOAD);
    return library ? (finder *)dlsym(library, "_Unwind_Find_FDE") : found;
}

WEFT_WEAK const struct weft_hotpatch_patch *weft_hotpatch_patch_at(const char *address)
{
    uint32_t count = __atomic_load_n(&process->patch_count, __ATOMIC_ACQUIRE);
    for (uint32_t i = 0; i < count; i++) {
        const struct weft_hotpatch_patch *patch = process->patches[i];
        if (address >= patch->memory && address < patch->memory + patch->code_size)
            return patch;
    }
    return NULL;
}

/// The record of .eh_frame for an address, by the sorted table that FrameTable.cs has written.
static const char *find_frame(const char *table, const char *address, struct bases *bases)
{
    int32_t count, entry[2];
    memcpy(&count, table + 8, sizeof count);
    int32_t low = 0, high = count;
    while (low < high) {
        int32_t middle = low + (high - low) / 2;
        memcpy(entry, table + 12 + middle * 8, sizeof entry);
        if (table + entry[0] <= address)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == 0)
        return NULL;
    memcpy(entry, table + 12 + (low - 1) * 8, sizeof entry);
    uint32_t size;
    memcpy(&size, table + entry[1] + 12, sizeof size);
    if (address >= table + entry[0] + size)
        return NULL;
    *bases = (struct bases){.function = (void *)(table + entry[0])};
    return table + entry[1];
}

struct search {
    ElfW(Addr) address;
    const char *table;
};

/// Stops at the object that has the address.
static int look_at_object(struct dl_phdr_info *object, size_t size, void *context)
{
    struct search *search = context;
    int is_there = 0;
    (void)size;
    for (int i = 0; i < object->dlpi_phnum; i++) {
        const ElfW(Phdr) *segment = &object->dlpi_phdr[i];
        if (segment->p_type == PT_LOAD && search->address - (object->dlpi_addr + segment->p_vaddr) < segment->p_memsz)
            is_there = 1;
        if (segment->p_type == PT_GNU_EH_FRAME)
            search->table = (const char *)(object->dlpi_addr + segment->p_vaddr);
    }
    if (!is_there)
        search->table = NULL;
    return is_there;
}

/// What an unwinder does that nobody stands in front of.
static const void *find_in_objects(const char *address, struct bases *bases)
{
    static const char usual[] = {1, 0x1b, 0x03, 0x3b}; // as all linkers write it: a sorted table of distances from its beginning
    struct search search = {(ElfW(Addr))address, NULL};
    dl_iterate_phdr(look_at_object, &search);
    return search.table && memcmp(search.table, usual, sizeof usual) == 0 ? find_frame(search.table, address, bases) : NULL;
}

__attribute__((visibility("default"), weak)) const void *_Unwind_Find_FDE(void *address, struct bases *bases)
{
    const struct weft_hotpatch_patch *patch = weft_hotpatch_patch_at(address);
    if (patch)
        return patch->frames ? find_frame(patch->frames, address, bases) : NULL;
    finder *own = __atomic_load_n(&next, __ATOMIC_RELAXED);
    if (!own && (own = find_next()) != NULL)
        __atomic_store_n(&next, own, __ATOMIC_RELAXED);
    return own ? own(address, bases) : find_in_objects(address, bases);
}
