// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The coverage runtime: gives every thread counters of its own.
//
// Woven code adds to `counter + shift`, where the shift is the thread's distance from the module's counters to its own:
// a *mirror*, which is a whole raw profile of the module in memory and, as a rule, in the process's file. A thread that
// ends leaves its mirror, counts and all, to the next one, so there are as many as threads ran at once, and none is ever
// unmapped: counters may be read at any time, and whatever ends the process, the file holds what it counted.
//
// Every linked module carries a copy of these files; see metering.c for how copies share one `struct process`.

#define _GNU_SOURCE
#define __WEFT_COVERAGE__ 1

#include "coverage_internal.h"
#include "include/weft/coverage.h"

#include <elf.h>
#include <errno.h>
#include <link.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { NO_HOOKS, INSTALLING_HOOKS, HOOKS_INSTALLED, HOOKS_FAILED };

#define PROCESS_BYTES 512 // the size is part of version 1 of the object: copies may come from different builds of Weft

_Static_assert(sizeof(struct coverage_process) <= PROCESS_BYTES, "the shared object has outgrown its reserve");
_Static_assert(sizeof(void *) == 8, "64-bit targets only");

__attribute__((visibility("hidden"))) void weft_coverage_install_hooks(void);

__asm__(WEFT_SHARED("__weft_coverage_process_v1")
        ".section .data.__weft_coverage_process_v1, \"awG\", %progbits, __weft_coverage_process_v1, comdat\n"
        ".balign 64\n"
        "__weft_coverage_process_v1:\n"
        ".quad weft_coverage_install_hooks\n"
        ".zero " WEFT_TEXT(PROCESS_BYTES) " - 8\n"
        ".size __weft_coverage_process_v1, " WEFT_TEXT(PROCESS_BYTES) "\n"
        ".text\n");

WEFT_WEAK __attribute__((visibility("hidden"))) __thread struct weft_coverage_state __weft_coverage_state;

WEFT_WEAK __attribute__((visibility("hidden"))) struct unit *weft_coverage_own_unit;
#define own_unit weft_coverage_own_unit

// The sections of this module; all are 0 in one that counts nothing.
#define SECTION(name)                                                                 \
    extern const char __start_##name[] __attribute__((weak, visibility("hidden"))); \
    extern const char __stop_##name[] __attribute__((weak, visibility("hidden")));
SECTION(__llvm_prf_data)
SECTION(__llvm_prf_cnts)
SECTION(__llvm_prf_bits)
SECTION(__llvm_prf_names)
SECTION(weft_coverage_atomic)
SECTION(weft_coverage_binary)

/// Distance to the counters that threads share, in a module woven with --coverage-counters atomic.
WEFT_WEAK __attribute__((visibility("hidden"))) char *__weft_coverage_shared;
#define EVERYBODY ((pid_t)-1) // their owner

// ---- The process ----

static void prepare_process(void)
{
    if (process->prepared)
        return;
    process->tables = weft_reserve(sizeof *process->tables);
    process->id = getpid();
    process->prepared = 1;
    if (!process->tables)
        weft_complain("coverage", (const char *[]){"no memory for counters; counts of threads may be lost", NULL});
}

WEFT_WEAK int weft_coverage_enter(sigset_t *mask)
{
    int error = weft_lock_signal_safe(&process->lock, mask);
    if (error)
        return error;
    prepare_process();
    if (process->tables)
        return 0;
    weft_coverage_leave(mask);
    return ENOMEM;
}

WEFT_WEAK void weft_coverage_leave(const sigset_t *mask)
{
    weft_unlock_signal_safe(&process->lock, mask);
}

// ---- Modules ----

static void add_id(struct unit *unit, const char *prefix, const void *bytes, uint64_t size)
{
    uint64_t prefix_size = strlen(prefix), total = prefix_size + size, padded = (total + 7) & ~7ull;
    if (total == 0 || unit->ids_size + sizeof total + padded > sizeof unit->ids)
        return;
    char *at = unit->ids + unit->ids_size;
    memcpy(at, &total, sizeof total);
    memcpy(at + sizeof total, prefix, prefix_size);
    memcpy(at + sizeof total + prefix_size, bytes, size);
    unit->ids_size += sizeof total + padded;
}

/// The linker's build id, from the note segments.
static void add_build_id(struct unit *unit, const char *base, const ElfW(Phdr) *headers, int count)
{
    for (int i = 0; i < count; i++) {
        if (headers[i].p_type != PT_NOTE)
            continue;
        const char *at = base + headers[i].p_vaddr, *end = at + headers[i].p_memsz;
        while (at + sizeof(ElfW(Nhdr)) <= end) {
            const ElfW(Nhdr) *note = (const ElfW(Nhdr) *)at;
            const char *name = at + sizeof *note, *content = name + ((note->n_namesz + 3) & ~3u);
            if (note->n_type == NT_GNU_BUILD_ID && note->n_namesz == 4 && memcmp(name, "GNU", 4) == 0) {
                add_id(unit, "", content, note->n_descsz);
                return;
            }
            at = content + ((note->n_descsz + 3) & ~3u);
        }
    }
}

/// What names the module: found by its address among those the loader knows.
static int visit_module(struct dl_phdr_info *info, size_t size, void *argument)
{
    (void)size;
    struct unit *unit = argument;
    uintptr_t here = (uintptr_t)unit->data;
    int contains = 0;
    for (int i = 0; i < info->dlpi_phnum; i++)
        contains |= info->dlpi_phdr[i].p_type == PT_LOAD && here - (info->dlpi_addr + info->dlpi_phdr[i].p_vaddr) < info->dlpi_phdr[i].p_memsz;
    if (!contains)
        return 0;
    add_build_id(unit, (const char *)info->dlpi_addr, info->dlpi_phdr, info->dlpi_phnum);
    char path[PATH_MAX];
    ssize_t length = -1;
    if (!info->dlpi_name || !*info->dlpi_name)
        length = readlink("/proc/self/exe", path, sizeof path);
    else if (weft_absolute_path(path, sizeof path, info->dlpi_name) == 0)
        length = (ssize_t)strlen(path);
    if (length > 0)
        add_id(unit, "weft:", path, (uint64_t)length);
    return 1;
}

static uint64_t signature_of(const struct unit *unit)
{
    uint64_t hash = 0xcbf29ce484222325u; // FNV-1a
    for (uint64_t i = 0; i < unit->names_size; i++)
        hash = (hash ^ (unsigned char)unit->names[i]) * 0x100000001b3u;
    return hash ^ unit->counters_size << 32 ^ unit->data_size;
}

static void read_sections(struct unit *unit)
{
    unit->data = __start___llvm_prf_data;
    unit->data_size = (uint64_t)(__stop___llvm_prf_data - __start___llvm_prf_data);
    unit->counters = __start___llvm_prf_cnts;
    unit->counters_size = (uint64_t)(__stop___llvm_prf_cnts - __start___llvm_prf_cnts);
    unit->bits = __start___llvm_prf_bits;
    unit->bits_size = (uint64_t)(__stop___llvm_prf_bits - __start___llvm_prf_bits);
    unit->names = __start___llvm_prf_names;
    unit->names_size = (uint64_t)(__stop___llvm_prf_names - __start___llvm_prf_names);
}

/// A module that was unloaded and has come back goes on where it stopped.
static struct unit *come_back(const struct unit *fresh)
{
    for (uint32_t i = 0; i < process->unit_count; i++) {
        struct unit *unit = &process->tables->units[i];
        if (unit->gone && unit->signature == fresh->signature && unit->ids_size == fresh->ids_size && memcmp(unit->ids, fresh->ids, fresh->ids_size) == 0) {
            read_sections(unit);
            unit->gone = 0;
            return unit;
        }
    }
    return NULL;
}

/// Lock held. NULL when there is no room, or nothing to count.
static struct unit *enter_unit(void)
{
    if (!__start___llvm_prf_data || &__start___llvm_prf_data[0] == &__stop___llvm_prf_data[0] || process->unit_count == UNITS)
        return NULL;
    struct unit *unit = &process->tables->units[process->unit_count];
    memset(unit, 0, sizeof *unit);
    read_sections(unit);
    unit->is_binary = __start_weft_coverage_binary != NULL;
    unit->signature = signature_of(unit);
    dl_iterate_phdr(visit_module, unit);
    struct unit *back = come_back(unit);
    if (back) {
        back->file->users++;
        return back;
    }
    process->unit_count++;
    weft_coverage_lay_out(unit);
    unit->file = weft_coverage_file_for(unit);
    unit->file->users++;
    return unit;
}

// ---- Mirrors ----

/// A new region of memory that looks like an empty profile of the unit, or NULL.
static struct mirror *new_mirror(struct unit *unit)
{
    if (process->mirror_count == MIRRORS)
        return NULL;
    char *image = weft_reserve(unit->image_size);
    if (!image)
        return NULL;
    weft_coverage_fill(unit, image);
    struct mirror *mirror = &process->tables->mirrors[process->mirror_count++];
    *mirror = (struct mirror){.unit = unit, .image = image, .offset = NOWHERE, .next = unit->mirrors};
    unit->mirrors = mirror;
    return mirror;
}

/// One that this thread had already (its process was forked), else one that nobody counts in, else a new one.
static struct mirror *mirror_for(struct unit *unit, pid_t thread)
{
    struct mirror *found = NULL;
    for (struct mirror *mirror = unit->mirrors; mirror; mirror = mirror->next) {
        if (mirror->owner == thread && mirror->state == &__weft_coverage_state)
            return mirror;
        if (!found && mirror->owner != EVERYBODY && (mirror->owner == 0 || (mirror->owner != thread && weft_thread_is_gone(mirror->owner))))
            found = mirror;
    }
    return found ? found : new_mirror(unit);
}

static void take(struct mirror *mirror, pid_t thread)
{
    mirror->owner = thread;
    mirror->state = &__weft_coverage_state;
    weft_coverage_keep(mirror);
    __weft_coverage_state.bits_shift = (char *)(mirror->image + mirror->unit->bits_at - (uintptr_t)mirror->unit->bits);
    __weft_coverage_state.shift = (char *)(mirror->image + mirror->unit->counters_at - (uintptr_t)mirror->unit->counters);
}

/// Runs as the destructor of a thread-specific value. Woven code that runs after it takes a mirror again, and so asks for
/// another call.
static void thread_ends(void *value)
{
    (void)value;
    sigset_t mask;
    if (weft_coverage_enter(&mask) != 0)
        return;
    pid_t thread = weft_thread_id();
    WEFT_EACH_MIRROR(mirror)
        if (mirror->owner == thread) {
            if (mirror->state)
                *mirror->state = (struct weft_coverage_state){0};
            mirror->owner = 0;
        }
    weft_coverage_leave(&mask);
}

static void ensure_hooks(void)
{
    uint32_t none = NO_HOOKS;
    if (__atomic_load_n(&process->hooks, __ATOMIC_RELAXED) == NO_HOOKS &&
        __atomic_compare_exchange_n(&process->hooks, &none, INSTALLING_HOOKS, 0, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
        process->install_hooks();
}

/// Called by woven code, through coverage_start.S, on a thread's first way into this module: the distance to its counters.
/// NULL, which means the module's own, when there is no other way: the libc that this needs is itself being counted, or
/// memory has run out.
WEFT_WEAK __attribute__((visibility("hidden"))) char *weft_coverage_thread_start(void)
{
    int saved = errno, is_new = 0;
    sigset_t mask;
    if (weft_coverage_enter(&mask) == 0) {
        if (!own_unit)
            own_unit = enter_unit();
        struct mirror *mirror = __weft_coverage_state.shift || !own_unit || own_unit->gone ? NULL : mirror_for(own_unit, weft_thread_id());
        if (mirror) {
            take(mirror, weft_thread_id());
            is_new = 1;
        }
        weft_coverage_leave(&mask);
    }
    if (is_new) {
        ensure_hooks(); // without the lock: libc may allocate, and malloc() may be woven
        if (__atomic_load_n(&process->hooks, __ATOMIC_ACQUIRE) == HOOKS_INSTALLED)
            pthread_setspecific(process->key, process);
    }
    errno = saved;
    return __weft_coverage_state.shift;
}

// ---- Fork ----

/// Puts counters of all threads into the file; also where code sets the module's own.
static void keep_shared(struct mirror *mirror)
{
    weft_coverage_keep(mirror);
    if (mirror->unit->is_binary)
        weft_coverage_map_own(mirror);
}

static void before_fork(void)
{
    sigset_t mask;
    weft_lock_signal_safe(&process->lock, &mask);
    process->fork_mask = mask;
    process->forking = weft_thread_id();
}

static void after_fork_in_parent(void)
{
    sigset_t mask = process->fork_mask;
    weft_unlock_signal_safe(&process->lock, &mask);
}

/// The child counts from zero, for now in memory: many children only call exec(). Its thread's next way into woven code
/// makes the file. A function that is running keeps its shift, so mirrors stay where they are.
static void after_fork_in_child(void)
{
    sigset_t mask = process->fork_mask;
    pid_t parent = process->forking;
    process->id = getpid();
    if (process->tables) {
        weft_coverage_forget_files();
        pid_t thread = weft_thread_id();
        WEFT_EACH_MIRROR(mirror) {
            if (mirror->owner == EVERYBODY) {
                keep_shared(mirror); // nothing will come this way again
                continue;
            }
            mirror->owner = mirror->owner == parent ? thread : 0;
            if (mirror->owner && mirror->state)
                *mirror->state = (struct weft_coverage_state){0};
        }
    }
    process->lock.word = 0;
    pthread_sigmask(SIG_SETMASK, &mask, NULL);
}

/// Registered by the copy that is never unloaded, through process->install_hooks.
WEFT_WEAK __attribute__((used)) void weft_coverage_install_hooks(void)
{
    int error = pthread_key_create(&process->key, thread_ends);
    pthread_atfork(before_fork, after_fork_in_parent, after_fork_in_child);
    __atomic_store_n(&process->hooks, error ? HOOKS_FAILED : HOOKS_INSTALLED, __ATOMIC_RELEASE);
}

// ---- Start and end of a module ----

/// Counters that no thread has to itself.
static void share_counters(struct unit *unit)
{
    struct mirror *mirror = new_mirror(unit);
    if (!mirror)
        return;
    mirror->owner = EVERYBODY;
    keep_shared(mirror);
    __weft_coverage_shared = (char *)(mirror->image + unit->counters_at - (uintptr_t)unit->counters);
}

__attribute__((constructor(101))) static void module_starts(void)
{
    sigset_t mask;
    if (weft_coverage_enter(&mask) != 0)
        return;
    if (!own_unit)
        own_unit = enter_unit();
    if (own_unit && (__start_weft_coverage_atomic || __start_weft_coverage_binary) && !__weft_coverage_shared)
        share_counters(own_unit);
    weft_coverage_leave(&mask);
    ensure_hooks();
}

static int counted_itself(const struct unit *unit)
{
    const uint64_t *counters = (const uint64_t *)unit->counters;
    for (uint64_t i = 0; i < unit->counters_size / sizeof *counters; i++)
        if (counters[i])
            return 1;
    return 0;
}

WEFT_WEAK struct mirror *weft_coverage_target(struct unit *unit)
{
    for (struct mirror *mirror = unit->mirrors; mirror; mirror = mirror->next)
        if (mirror->owner == EVERYBODY || mirror->owner == weft_thread_id())
            return mirror;
    for (struct mirror *mirror = unit->mirrors; mirror; mirror = mirror->next)
        if (mirror->owner == 0 && mirror->offset != NOWHERE)
            return mirror;
    return unit->mirrors && !unit->mirrors->owner ? unit->mirrors : new_mirror(unit);
}

/// Adds up what threads that have ended have counted, and what is in memory alone. A thread that runs on in a mirror
/// that is in the file is left in peace.
static void gather(struct unit *unit, struct mirror *target)
{
    weft_coverage_keep(target);
    weft_coverage_add_own(unit, target->image);
    for (struct mirror *mirror = unit->mirrors; mirror; mirror = mirror->next) {
        int is_free = mirror->owner == 0 || (mirror->owner != EVERYBODY && weft_thread_is_gone(mirror->owner));
        if (mirror == target || (!is_free && mirror->offset != NOWHERE))
            continue;
        weft_coverage_add(unit, target->image, mirror->image);
        if (!is_free)
            continue;
        weft_coverage_clear(unit, mirror->image);
        mirror->owner = 0;
    }
    weft_coverage_shrink(unit->file);
}

static void leave_unit(struct unit *unit)
{
    if (unit->mirrors || counted_itself(unit)) {
        unit->file->error = 0; // there may be room by now
        struct mirror *target = weft_coverage_target(unit);
        if (target)
            gather(unit, target);
    }
    // The threads' state goes with the module. At the end of the process they may still count where they did.
    for (struct mirror *mirror = unit->mirrors; mirror; mirror = mirror->next) {
        mirror->state = NULL;
        mirror->owner = 0;
    }
    unit->gone = 1;
    unit->mapped = 0;
    if (--unit->file->users == 0)
        weft_coverage_finish(unit->file);
}

/// Last of the module's destructors, after atexit() handlers: it is being unloaded, or the process ends.
__attribute__((destructor(101))) static void module_ends(void)
{
    sigset_t mask;
    if (!own_unit || own_unit->gone || weft_coverage_enter(&mask) != 0)
        return;
    leave_unit(own_unit);
    weft_coverage_leave(&mask);
}
