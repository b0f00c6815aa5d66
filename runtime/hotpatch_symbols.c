// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What dlsym(RTLD_DEFAULT, name) would find, without its locks: a patch may be applied in a signal handler, while the thread is within
// the loader. Walks the loader's list of libraries and their hash tables (System V ABI, "Dynamic Linking"; GNU's hash: the comments
// of binutils' elflink.c).

#include "hotpatch_internal.h"

#include <elf.h>
#include <link.h>
#include <string.h>

extern struct r_debug _r_debug __attribute__((weak));

struct library {
    const ElfW(Sym) *symbols;
    const char *names;
    const uint32_t *gnu;
    const uint32_t *hash;
    const ElfW(Half) *versions;
};

/// glibc has made addresses of what the file has as offsets; musl, and the kernel's own library, have not.
static const void *pointer(const struct link_map *map, ElfW(Addr) value)
{
    return (const void *)(value < map->l_addr ? value + map->l_addr : value);
}

static struct library describe(const struct link_map *map)
{
    struct library library = {0};
    for (const ElfW(Dyn) *entry = map->l_ld; entry && entry->d_tag != DT_NULL; entry++)
        switch (entry->d_tag) {
        case DT_SYMTAB: library.symbols = pointer(map, entry->d_un.d_ptr); break;
        case DT_STRTAB: library.names = pointer(map, entry->d_un.d_ptr); break;
        case DT_GNU_HASH: library.gnu = pointer(map, entry->d_un.d_ptr); break;
        case DT_HASH: library.hash = pointer(map, entry->d_un.d_ptr); break;
        case DT_VERSYM: library.versions = pointer(map, entry->d_un.d_ptr); break;
        }
    return library;
}

static int is(const struct library *library, uint32_t index, const char *name)
{
    const ElfW(Sym) *symbol = &library->symbols[index];
    int is_old = library->versions && library->versions[index] & 0x8000; // there for programs that were linked long ago
    return symbol->st_shndx != SHN_UNDEF && !is_old && strcmp(library->names + symbol->st_name, name) == 0;
}

static const ElfW(Sym) *find_gnu(const struct library *library, const char *name)
{
    uint32_t hash = 5381, buckets = library->gnu[0], first = library->gnu[1];
    for (const unsigned char *c = (const unsigned char *)name; *c; c++)
        hash = hash * 33 + *c;
    const uint32_t *bucket = (const uint32_t *)((const ElfW(Addr) *)(library->gnu + 4) + library->gnu[2]);
    uint32_t index = buckets ? bucket[hash % buckets] : 0;
    if (index < first)
        return NULL;
    for (const uint32_t *chain = bucket + buckets - first;; index++) {
        if ((chain[index] | 1) == (hash | 1) && is(library, index, name))
            return &library->symbols[index];
        if (chain[index] & 1)
            return NULL;
    }
}

static const ElfW(Sym) *find_classic(const struct library *library, const char *name)
{
    for (uint32_t i = 1; i < library->hash[1]; i++)
        if (is(library, i, name))
            return &library->symbols[i];
    return NULL;
}

void *weft_hotpatch_find_symbol(const char *name)
{
    if (!&_r_debug)
        return NULL; // a static program has no libraries
    for (const struct link_map *map = _r_debug.r_map; map; map = map->l_next) {
        struct library library = describe(map);
        if (!library.symbols || !library.names)
            continue;
        const ElfW(Sym) *symbol = library.gnu ? find_gnu(&library, name) : library.hash ? find_classic(&library, name) : NULL;
        if (!symbol || ELF64_ST_TYPE(symbol->st_info) == STT_TLS)
            continue;
        void *address = (void *)(map->l_addr + symbol->st_value);
        return ELF64_ST_TYPE(symbol->st_info) == STT_GNU_IFUNC ? ((void *(*)(void))address)() : address;
    }
    return NULL;
}
