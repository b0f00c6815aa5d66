// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A module's functions: where their sleds are, what they are called, and what the trace file is told of them. Runs under
// the process's lock, in ordinary code or in a control request (a signal handler): no malloc, no stdio.
//
// Names come from the section that Weft puts beside the code (see NameSection.cs); a function without an entry there, of
// an object that was built with clang's -fxray-instrument, is named by the symbol table.

#include "tracing_internal.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <sys/mman.h>
#include <sys/stat.h>

#define COMPACT 5
#define LLVM_SLED 32

struct names_entry {
    uint64_t address; ///< in the file
    uint32_t types, line;
    uint16_t symbol, name, file, zero;
    char text[];
};

static int32_t read32(const char *at)
{
    int32_t value;
    __builtin_memcpy(&value, at, sizeof value);
    return value;
}

static int64_t read64(const char *at)
{
    int64_t value;
    __builtin_memcpy(&value, at, sizeof value);
    return value;
}

// ---- Sleds ----

/// One pass over both kinds of tables; counts, and fills the module's tables once they are there.
static void each_sled(struct weft_tracing_module *module)
{
    uint32_t sleds = 0, functions = 0;
    const char *owner = NULL;
    int fill = module->table != NULL;
    for (const char *at = module->sleds; at < module->sleds_end; at += COMPACT) {
        uint8_t flags = (uint8_t)at[4];
        if (flags & 8 || !functions) {
            if (fill)
                module->functions[functions] = (struct weft_tracing_function){.first_sled = sleds, .flags = flags & 16 ? FRAMED_FUNCTION : 0};
            functions++;
        }
        if (fill) {
            module->table[sleds] = (struct weft_tracing_sled){.address = (char *)at + read32(at), .function = functions - 1, .kind = flags & 7};
            module->functions[functions - 1].sleds++;
        }
        sleds++;
    }
    for (const char *at = module->map; at < module->map_end; at += LLVM_SLED) {
        const char *function = at + 8 + read64(at + 8);
        if (function != owner || !functions) {
            if (fill)
                module->functions[functions] = (struct weft_tracing_function){.first_sled = sleds, .flags = at[17] ? FRAMED_FUNCTION : 0};
            functions++;
        }
        owner = function;
        if (fill) {
            uint8_t kind = (uint8_t)at[16];
            module->table[sleds] = (struct weft_tracing_sled){.address = (char *)at + read64(at), .function = functions - 1, .kind = kind == 3 ? 0 : kind};
            module->functions[functions - 1].sleds++;
        }
        sleds++;
    }
    module->sled_count = sleds;
    module->function_count = functions;
}

static uintptr_t entry_of(const struct weft_tracing_module *module, uint32_t function)
{
    return (uintptr_t)module->table[module->functions[function].first_sled].address;
}

static int is_sorted(const struct weft_tracing_module *module, const uint32_t *order)
{
    for (uint32_t i = 1; i < module->function_count; i++)
        if (entry_of(module, order[i - 1]) > entry_of(module, order[i]))
            return 0;
    return 1;
}

static void sift(const struct weft_tracing_module *module, uint32_t *order, uint32_t root, uint32_t count)
{
    for (uint32_t child; (child = 2 * root + 1) < count; root = child) {
        if (child + 1 < count && entry_of(module, order[child]) < entry_of(module, order[child + 1]))
            child++;
        if (entry_of(module, order[root]) >= entry_of(module, order[child]))
            return;
        uint32_t swapped = order[root];
        order[root] = order[child];
        order[child] = swapped;
    }
}

/// By address. The linker mostly has them in that order already.
static void sort(const struct weft_tracing_module *module, uint32_t *order)
{
    uint32_t count = module->function_count;
    for (uint32_t i = 0; i < count; i++)
        order[i] = i;
    if (is_sorted(module, order))
        return;
    for (uint32_t i = count / 2; i-- > 0;)
        sift(module, order, i, count);
    for (uint32_t last = count - 1; last > 0; last--) {
        uint32_t swapped = order[0];
        order[0] = order[last];
        order[last] = swapped;
        sift(module, order, 0, last);
    }
}

/// The function whose entry sled is at an address or, with landing room for `endbr` and the like, right behind it.
static struct weft_tracing_function *find(const struct weft_tracing_module *module, uintptr_t address)
{
    const uint32_t *order = module->order;
    uint32_t low = 0, high = module->function_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (entry_of(module, order[middle]) < address)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == module->function_count || entry_of(module, order[low]) - address > 16)
        return NULL;
    return &module->functions[order[low]];
}

/// Id of the function that begins at an address, or 0. Without a lock: tables once made do not move.
uint32_t weft_tracing_function_at(uintptr_t address)
{
    for (uint32_t i = 0; i < process->module_count; i++) {
        struct weft_tracing_module *module = &process->tables->modules[i];
        if (module->gone || !module->table || address > (uintptr_t)module->high || address + 16 < (uintptr_t)module->low)
            continue;
        const struct weft_tracing_function *function = find(module, address);
        if (function)
            return module->first_id + (uint32_t)(function - module->functions);
    }
    return 0;
}

// ---- The module's file ----

struct search {
    uintptr_t address;
    struct weft_tracing_module *module;
    int found;
};

static int is_loaded_at(struct dl_phdr_info *info, size_t size, void *data)
{
    struct search *search = data;
    (void)size;
    int inside = 0;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *header = &info->dlpi_phdr[i];
        if (header->p_type == PT_LOAD && search->address - (info->dlpi_addr + header->p_vaddr) < header->p_memsz)
            inside = 1;
    }
    if (!inside)
        return 0;
    struct weft_tracing_module *module = search->module;
    module->bias = info->dlpi_addr;
    const char *path = info->dlpi_name && info->dlpi_name[0] ? info->dlpi_name : "/proc/self/exe";
    size_t length = text_length(path) + 1;
    module->path = weft_reserve(PATH_MAX);
    if (module->path && length <= PATH_MAX)
        copy_bytes(module->path, path, length);
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *header = &info->dlpi_phdr[i];
        if (header->p_type != PT_NOTE)
            continue;
        const char *note = (const char *)(info->dlpi_addr + header->p_vaddr), *end = note + header->p_memsz;
        while (end - note >= 16) {
            uint32_t name = (uint32_t)read32(note), content = (uint32_t)read32(note + 4), type = (uint32_t)read32(note + 8);
            if (type == 3 && name == 4 && note[12] == 'G' && content <= sizeof module->build_id) {
                copy_bytes(module->build_id, note + 16, content);
                module->build_id_size = content;
            }
            note += 12 + ((name + 3) & ~3u) + ((content + 3) & ~3u);
        }
    }
    return search->found = 1;
}

static void map_file(struct weft_tracing_module *module)
{
    int descriptor = (int)raw_syscall(SYS_openat, AT_FDCWD, module->path, O_RDONLY | O_CLOEXEC);
    if (descriptor < 0)
        return;
    struct stat status;
    if (fstat(descriptor, &status) == 0 && status.st_size > (off_t)sizeof(ElfW(Ehdr))) {
        void *file = mmap(NULL, (size_t)status.st_size, PROT_READ, MAP_PRIVATE, descriptor, 0);
        if (file != MAP_FAILED) {
            module->file = file;
            module->file_size = (size_t)status.st_size;
        }
    }
    // What the trace says is where the file is, not how this process reached it.
    char number[24], name[40] = "/proc/self/fd/", link[PATH_MAX];
    const char *digits = weft_digits(number, (uint64_t)descriptor);
    copy_bytes(name + 14, digits, text_length(digits) + 1);
    long length = raw_syscall(SYS_readlinkat, AT_FDCWD, name, link, sizeof link - 1);
    if (length > 0 && link[0] == '/') {
        copy_bytes(module->path, link, (size_t)length);
        module->path[length] = '\0';
    }
    raw_syscall(SYS_close, descriptor);
}

static const ElfW(Shdr) *section_headers(const struct weft_tracing_module *module, unsigned *count)
{
    const ElfW(Ehdr) *header = (const ElfW(Ehdr) *)module->file;
    *count = 0;
    if (!header || header->e_ident[0] != 0x7f || header->e_shentsize != sizeof(ElfW(Shdr)) || header->e_shoff == 0 || header->e_shoff > module->file_size - sizeof(ElfW(Shdr)))
        return NULL;
    const ElfW(Shdr) *sections = (const ElfW(Shdr) *)(module->file + header->e_shoff);
    uint64_t all = header->e_shnum ? header->e_shnum : sections[0].sh_size;
    if (all > (module->file_size - header->e_shoff) / sizeof *sections)
        return NULL;
    *count = (unsigned)all;
    return sections;
}

static int is_inside(const struct weft_tracing_module *module, const ElfW(Shdr) *section)
{
    return section->sh_offset <= module->file_size && section->sh_size <= module->file_size - section->sh_offset;
}

static int has_name(const struct weft_tracing_module *module, const ElfW(Shdr) *sections, unsigned count, const ElfW(Shdr) *section, const char *name)
{
    const ElfW(Ehdr) *header = (const ElfW(Ehdr) *)module->file;
    unsigned index = header->e_shstrndx == SHN_XINDEX ? sections[0].sh_link : header->e_shstrndx;
    size_t length = text_length(name) + 1;
    if (index >= count || !is_inside(module, &sections[index]) || section->sh_name > sections[index].sh_size || sections[index].sh_size - section->sh_name < length)
        return 0;
    const char *text = module->file + sections[index].sh_offset + section->sh_name;
    for (size_t i = 0; i < length; i++)
        if (text[i] != name[i])
            return 0;
    return 1;
}

static void read_names(struct weft_tracing_module *module, const ElfW(Shdr) *section)
{
    // Objects that went through an assembler have the section in memory, where addresses are this process's.
    int is_loaded = (section->sh_flags & SHF_ALLOC) != 0;
    const char *start = is_loaded ? (const char *)(module->bias + section->sh_addr) : module->file + section->sh_offset, *end = start + section->sh_size;
    for (const char *at = start; (size_t)(end - at) >= sizeof(struct names_entry);) {
        const struct names_entry *entry = (const struct names_entry *)at;
        size_t text = (size_t)entry->symbol + entry->name + entry->file;
        if ((size_t)(end - at) - sizeof *entry < text || !entry->symbol)
            return; // damaged, or not ours
        struct weft_tracing_function *function = find(module, entry->address + (is_loaded ? 0 : module->bias));
        if (function) {
            function->names = at;
            function->types = entry->types;
        }
        at += (sizeof *entry + text + 7) & ~(size_t)7;
    }
}

static void read_symbols(struct weft_tracing_module *module, const ElfW(Shdr) *sections, unsigned count, const ElfW(Shdr) *table)
{
    if (table->sh_link >= count || !is_inside(module, &sections[table->sh_link]))
        return;
    const ElfW(Sym) *symbols = (const ElfW(Sym) *)(module->file + table->sh_offset);
    const ElfW(Shdr) *strings = &sections[table->sh_link];
    for (size_t i = 0; i < table->sh_size / sizeof *symbols; i++) {
        if ((symbols[i].st_info & 15) != STT_FUNC || symbols[i].st_shndx == SHN_UNDEF || symbols[i].st_name >= strings->sh_size)
            continue;
        struct weft_tracing_function *function = find(module, module->bias + symbols[i].st_value);
        if (function && !function->names && !function->symbol)
            function->symbol = module->file + strings->sh_offset + symbols[i].st_name;
    }
}

static void name_functions(struct weft_tracing_module *module)
{
    unsigned count;
    const ElfW(Shdr) *sections = section_headers(module, &count);
    if (!sections)
        return;
    for (unsigned i = 0; i < count; i++)
        if (sections[i].sh_type == SHT_PROGBITS && is_inside(module, &sections[i]) && has_name(module, sections, count, &sections[i], "weft_trc_names"))
            read_names(module, &sections[i]);
    for (unsigned type = SHT_SYMTAB;; type = SHT_DYNSYM) {
        for (unsigned i = 0; i < count; i++)
            if (sections[i].sh_type == type && is_inside(module, &sections[i]))
                read_symbols(module, sections, count, &sections[i]);
        if (type == SHT_DYNSYM)
            break;
    }
}

/// Makes the module's tables. 0, or an errno value.
int weft_tracing_load(struct weft_tracing_module *module)
{
    if (module->table || module->gone)
        return 0;
    each_sled(module);
    if (!module->sled_count)
        return 0;
    if (process->next_id + module->function_count >= IDS)
        return EOVERFLOW;
    size_t functions = (size_t)module->function_count * sizeof *module->functions, sleds = (size_t)module->sled_count * sizeof *module->table;
    char *memory = weft_reserve(functions + sleds + (size_t)module->function_count * sizeof *module->order);
    if (!memory)
        return ENOMEM;
    module->functions = (struct weft_tracing_function *)(memory + sleds);
    module->order = (uint32_t *)(memory + sleds + functions);
    module->table = (struct weft_tracing_sled *)memory;
    each_sled(module);
    sort(module, module->order);
    module->low = module->high = module->table[0].address;
    for (uint32_t i = 0; i < module->sled_count; i++) {
        char *at = module->table[i].address;
        module->low = at < module->low ? at : module->low;
        module->high = at > module->high ? at : module->high;
    }
    module->first_id = process->next_id + 1;
    process->next_id += module->function_count;
    struct search search = {.address = (uintptr_t)module->low, .module = module};
    dl_iterate_phdr(is_loaded_at, &search);
    if (search.found && module->path) {
        map_file(module);
        name_functions(module);
    }
    weft_tracing_classify(module);
    return 0;
}

static int is_twin(const struct weft_tracing_module *module, const struct weft_tracing_module *other)
{
    if (!other->gone || !other->table || other->function_count != module->function_count || other->sled_count != module->sled_count || !module->build_id_size || other->build_id_size != module->build_id_size)
        return 0;
    for (uint32_t i = 0; i < module->build_id_size; i++)
        if (other->build_id[i] != module->build_id[i])
            return 0;
    return 1;
}

/// Gives a library that was unloaded and is there again its place, with the functions' ids, so that programs may do that
/// forever. `module` is the last that came. Returns what it is now.
struct weft_tracing_module *weft_tracing_came_back(struct weft_tracing_module *module)
{
    struct weft_tracing_module *first = process->tables->modules, *twin = first;
    while (twin < module && !twin->gone)
        twin++;
    if (twin == module || weft_tracing_load(module) != 0 || !module->table)
        return module;
    while (twin < module && !is_twin(module, twin))
        twin++;
    if (twin == module)
        return module;
    uint32_t count = module->function_count;
    size_t size = (size_t)((char *)(module->order + count) - (char *)module->table);
    for (uint32_t i = 0; i < count; i++)
        module->functions[i].flags |= twin->functions[i].flags & DESCRIBED_FUNCTION;
    copy_bytes(twin->table, module->table, size); // where others may be looking: they see that it is gone
    munmap(module->table, size);
    munmap(module->path, PATH_MAX);
    process->next_id -= count;
    module->functions = twin->functions;
    module->table = twin->table;
    module->order = twin->order;
    module->path = twin->path;
    module->first_id = twin->first_id;
    module->gone = 1;
    copy_bytes(twin, module, sizeof *twin);
    clear_bytes(module, sizeof *module);
    process->module_count--;
    __atomic_store_n(&twin->gone, 0, __ATOMIC_RELEASE);
    return twin;
}

// ---- Names and patterns ----

/// What people call the function, and what the linker does; neither ends in NUL.
void weft_tracing_name(const struct weft_tracing_function *function, const char **name, size_t *size, const char **symbol, size_t *symbol_size)
{
    *name = *symbol = "";
    *size = *symbol_size = 0;
    if (function->names) {
        const struct names_entry *entry = (const struct names_entry *)function->names;
        *symbol = entry->text;
        *symbol_size = entry->symbol;
        *name = entry->name ? entry->text + entry->symbol : entry->text;
        *size = entry->name ? entry->name : entry->symbol;
    } else if (function->symbol) {
        *name = *symbol = function->symbol;
        *size = *symbol_size = text_length(function->symbol);
    }
}

static int glob(const char *pattern, size_t pattern_size, const char *text, size_t size)
{
    size_t p = 0, t = 0, star = SIZE_MAX, taken = 0;
    while (t < size) {
        if (p < pattern_size && pattern[p] == '*') {
            star = p++;
            taken = t;
        } else if (p < pattern_size && (pattern[p] == '?' || pattern[p] == text[t])) {
            p++;
            t++;
        } else if (star != SIZE_MAX) {
            p = star + 1;
            t = ++taken;
        } else {
            return 0;
        }
    }
    while (p < pattern_size && pattern[p] == '*')
        p++;
    return p == pattern_size;
}

/// Without the arguments and what else follows them, for C++: `ns::f(int)` is `ns::f` too.
static size_t without_arguments(const char *name, size_t size)
{
    int depth = 0;
    for (size_t i = 0; i < size; i++) {
        if (name[i] == '<')
            depth++;
        else if (name[i] == '>')
            depth--;
        else if (name[i] == '(' && depth <= 0 && i > 0)
            return i;
    }
    return size;
}

static size_t pattern_length(const char *patterns)
{
    size_t length = 0;
    for (int depth = 0; patterns[length] && (patterns[length] != ',' || depth > 0); length++)
        depth += patterns[length] == '(' || patterns[length] == '<' || patterns[length] == '[' ? 1 : patterns[length] == ')' || patterns[length] == '>' || patterns[length] == ']' ? -1 : 0;
    return length;
}

/// Whether one of the patterns fits the text. Touches no more than that: threads ask while they record.
int weft_tracing_is_among(const char *text, const char *patterns)
{
    while (*patterns) {
        size_t length = pattern_length(patterns);
        if (length && glob(patterns, length, text, text_length(text)))
            return 1;
        patterns += length + (patterns[length] == ',');
    }
    return 0;
}

static const char *file_of(const struct weft_tracing_module *module)
{
    const char *file = module->path ? module->path : "";
    for (const char *at = file; *at; at++)
        if (*at == '/')
            file = at + 1;
    return file;
}

static int module_fits(const struct weft_tracing_module *module, const char *pattern, size_t size)
{
    return module->path && (glob(pattern, size, module->path, text_length(module->path)) || glob(pattern, size, file_of(module), text_length(file_of(module))));
}

/// Whether one of the patterns fits the module's path or file name.
int weft_tracing_is_module(const struct weft_tracing_module *module, const char *patterns)
{
    return module->path && (weft_tracing_is_among(module->path, patterns) || weft_tracing_is_among(file_of(module), patterns));
}

/// Whether one of the patterns, separated by commas outside brackets, fits the function's name or symbol, or as `@GLOB` its module.
int weft_tracing_matches(const char *patterns, const struct weft_tracing_module *module, const struct weft_tracing_function *function)
{
    const char *name, *symbol;
    size_t size, symbol_size;
    weft_tracing_name(function, &name, &size, &symbol, &symbol_size);
    size_t bare = without_arguments(name, size);
    while (*patterns) {
        size_t length = pattern_length(patterns);
        if (length && patterns[0] == '@' && module_fits(module, patterns + 1, length - 1))
            return 1;
        if (length && (glob(patterns, length, name, size) || glob(patterns, length, name, bare) || glob(patterns, length, symbol, symbol_size)))
            return 1;
        patterns += length + (patterns[length] == ',');
    }
    return 0;
}

// ---- What the file is told ----

/// Appends an entry to the metadata; nothing when there is no room for it anywhere.
void weft_tracing_write_metadata(uint32_t type, const void *head, size_t head_size, const char *const *texts, const size_t *sizes, unsigned count)
{
    weft_tracing_own_file();
    size_t content = head_size;
    for (unsigned i = 0; i < count; i++)
        content += sizes[i];
    size_t whole = (8 + content + 7) & ~(size_t)7;
    if (!process->header || whole > BLOCK - BLOCK_HEADER)
        return;
    if (!process->metadata || process->metadata_used + whole > BLOCK) {
        uint64_t offset;
        if (process->metadata)
            munmap(process->metadata, BLOCK);
        process->metadata = weft_tracing_map_block(&offset);
        if (!process->metadata)
            return;
        if (process->metadata_blocks < METADATA_BLOCKS)
            process->tables->metadata_at[process->metadata_blocks] = offset;
        *(uint16_t *)(process->metadata + 4) = 2;
        *(uint64_t *)(process->metadata + 16) = ++process->metadata_blocks;
        *(uint32_t *)process->metadata = 0x42544657;
        process->metadata_used = BLOCK_HEADER;
    }
    char *to = process->metadata + process->metadata_used + 8;
    copy_bytes(to, head, head_size);
    to += head_size;
    for (unsigned i = 0; i < count; i++) {
        copy_bytes(to, texts[i], sizes[i]);
        to += sizes[i];
    }
    char *entry = process->metadata + process->metadata_used;
    *(uint32_t *)(entry + 4) = (uint32_t)content;
    __atomic_store_n((uint32_t *)entry, type, __ATOMIC_RELEASE); // an entry without a type ends the block
    process->metadata_used += (uint32_t)whole;
}

static void describe_module(struct weft_tracing_module *module)
{
    struct {
        uint32_t index, first, count, zero;
        uint64_t bias;
        uint32_t build_id, path;
    } head = {(uint32_t)(module - process->tables->modules) + 1, module->first_id, module->function_count, 0, module->bias, module->build_id_size, module->path ? (uint32_t)text_length(module->path) : 0};
    const char *texts[] = {(const char *)module->build_id, module->path};
    size_t sizes[] = {head.build_id, head.path};
    weft_tracing_write_metadata(1, &head, sizeof head, texts, sizes, 2);
    module->described = 1;
}

void weft_tracing_describe(struct weft_tracing_module *module, uint32_t index)
{
    struct weft_tracing_function *function = &module->functions[index];
    if (!process->header)
        return;
    if (!module->described)
        describe_module(module);
    if (function->flags & DESCRIBED_FUNCTION)
        return;
    const char *name, *symbol;
    size_t size, symbol_size;
    weft_tracing_name(function, &name, &size, &symbol, &symbol_size);
    const struct names_entry *entry = (const struct names_entry *)function->names;
    struct {
        uint32_t id, module;
        uint64_t address;
        uint32_t line, types;
        uint16_t symbol, name, file, flags;
    } head = {module->first_id + index, (uint32_t)(module - process->tables->modules) + 1, entry_of(module, index) - module->bias, entry ? entry->line : 0, function->types, (uint16_t)symbol_size, name == symbol ? 0 : (uint16_t)size, entry ? entry->file : 0, 0};
    const char *texts[] = {symbol, name, entry ? entry->text + entry->symbol + entry->name : ""};
    size_t sizes[] = {head.symbol, head.name, head.file};
    weft_tracing_write_metadata(2, &head, sizeof head, texts, sizes, 3);
    function->flags |= DESCRIBED_FUNCTION;
}
