// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The metering runtime: hands every thread its cells, every woven function its cell, and writes the report.
//
// Every linked module (executable or shared object) carries a copy of this file. What the copies share are two objects
// of which the dynamic linker keeps one per process, whatever the visibility of the modules to each other
// (STB_GNU_UNIQUE): the thread-local state and `struct process`. The functions of all copies are equivalent.
//
// A thread counts into a *cell map* of its own, which is never unmapped. That makes three things simple:
//   - a report may read the cells of any thread at any time;
//   - a thread keeps counting to its very end, whatever destructor still runs: nothing has to be flushed or re-armed;
//   - a map is handed on when the kernel says that the thread is gone, and what it holds is added up only then.
//
// Locks, in the order in which they are taken: `report` (one report at a time, and no module may leave during one),
// then `registry` (everything else; held for moments, with signals blocked, and never while anything is written).

#define __WEFT_METERING__ 1

#include "metering_abi.h"
#include "support.h"
#include "include/weft/metering.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#define EXPORT __attribute__((weak, visibility("default")))

#define CELLS (1u << 20)
#define OTHER_CELL (CELLS - 1) // shared by the functions that found no cell of their own
#define THREADS 65536u
#define MODULES 4096u

/// A thread's place in the report. Stays after the thread has ended.
struct thread {
    uint64_t units; ///< counted so far, without what its cell map still holds
    uint64_t shown; ///< the figure for the report being written
    const struct weft_metering_state *uncelled; ///< the state of a running thread that got no cell map
    pid_t id;
    int ended;
    char name[16];
};

/// The cells of one running thread, or of an ended one until another thread takes them over.
struct cell_map {
    struct cell_map *next_map;
    struct cell_map *next_queued;
    struct thread *thread; ///< whose units these are; NULL: leftovers of a fork that count for nothing
    pid_t owner;           ///< who writes to the cells; 0: nobody
    uint64_t reserved[4];
    uint64_t cells[];
};

/// The records of one woven module. Its functions have consecutive cells.
struct module {
    struct weft_metering_record *records; ///< NULL once the module has been finalised
    const char *kept;                     ///< then: the pairs of name and module of its records, NUL after each
    uint64_t first_cell;
    uint64_t count;
};

/// Address space reserved once; pages come into being as they are touched.
struct tables {
    uint64_t discarded[CELLS]; ///< where threads without a cell map write; never read
    uint64_t ended[CELLS];     ///< units of ended threads by function
    uint64_t shown[CELLS];     ///< units by function for the report being written
    struct thread threads[THREADS];
    struct module modules[MODULES];
    char report[PATH_MAX]; ///< WEFT_METERING_REPORT as it was at the start
};

/// What the copies of the runtime in a process share. All of it but `install` starts as zero.
struct process {
    void (*install_hooks)(void); ///< of the copy that defines this object, which is never unloaded
    struct weft_lock registry;
    struct weft_lock report;
    sigset_t fork_mask;
    int prepared;
    int forked;
    int woven; ///< a module with woven functions has been loaded
    uint32_t hooks; ///< NO_HOOKS...
    uint32_t copies;
    pid_t id;
    pthread_key_t key;
    const char *complaint; ///< about memory; written when no lock is held
    struct tables *tables; ///< NULL: not even this much memory; then there is one cell and one thread record
    struct cell_map *maps;
    struct cell_map *queue; ///< maps whose threads have ended, or will end without telling
    struct cell_map *queue_end;
    uint64_t *discarded;
    uint64_t *ended;
    uint64_t *shown;
    uint64_t used_cells;
    uint32_t thread_count;
    uint32_t uncelled_count; ///< of threads that have `uncelled` set: usually 0, so that nobody looks for them
    uint32_t module_count;
    struct thread other_threads;
    uint64_t spare[3]; ///< the one cell of `discarded`, `ended` and `shown` when there are no tables
};

enum { NO_HOOKS, INSTALLING_HOOKS, HOOKS_INSTALLED, HOOKS_FAILED };

#define PROCESS_BYTES 1024 // the size is part of version 1 of the object: copies may come from different builds of Weft
#define STATE_BYTES 16

_Static_assert(sizeof(struct process) <= PROCESS_BYTES, "the shared object has outgrown its reserve");
_Static_assert(sizeof(struct weft_metering_state) == STATE_BYTES, "the state is part of the ABI");
_Static_assert(sizeof(struct weft_metering_record) == 32, "the record is part of the ABI");
_Static_assert(sizeof(struct cell_map) == 64, "cells begin on a cache line");
_Static_assert(sizeof(void *) == 8, "64-bit targets only");

extern struct process __weft_metering_process_v1;

#define process (&__weft_metering_process_v1)
#define state __weft_metering_v1

__attribute__((visibility("hidden"))) void weft_metering_install_hooks(void);

__asm__(WEFT_SHARED("__weft_metering_v1")
        ".section .tbss.__weft_metering_v1, \"awTG\", %nobits, __weft_metering_v1, comdat\n"
        ".balign 16\n"
        "__weft_metering_v1:\n"
        ".zero " WEFT_TEXT(STATE_BYTES) "\n"
        ".size __weft_metering_v1, " WEFT_TEXT(STATE_BYTES) "\n"
        ".text\n");

__asm__(WEFT_SHARED("__weft_metering_process_v1")
        ".section .data.__weft_metering_process_v1, \"awG\", %progbits, __weft_metering_process_v1, comdat\n"
        ".balign 64\n"
        "__weft_metering_process_v1:\n"
        ".quad weft_metering_install_hooks\n"
        ".zero " WEFT_TEXT(PROCESS_BYTES) " - 8\n"
        ".size __weft_metering_process_v1, " WEFT_TEXT(PROCESS_BYTES) "\n"
        ".text\n");

// The section's bounds in this module; both are 0 in a module without woven functions.
extern struct weft_metering_record __start_weft_metering[] __attribute__((weak, visibility("hidden")));
extern struct weft_metering_record __stop_weft_metering[] __attribute__((weak, visibility("hidden")));

static void complain(const char *text, const char *path, int error)
{
    char unknown[WEFT_ERROR_TEXT];
    const char *texts[] = {text, path, path[0] ? "': " : ": ", weft_error_text(error, unknown), NULL};
    weft_complain("metering", texts);
}

static void note_complaint(const char *text)
{
    if (!process->complaint)
        process->complaint = text;
}

/// Lack of memory is worth one line, from whoever runs into it first.
static void say_complaint(void)
{
    const char *complaint = __atomic_load_n(&process->complaint, __ATOMIC_ACQUIRE);
    if (complaint && *__atomic_exchange_n(&process->complaint, "", __ATOMIC_ACQ_REL))
        complain(complaint, "", ENOMEM);
}

// ---- Cells ----

static uint64_t load(const uint64_t *cell)
{
    return __atomic_load_n(cell, __ATOMIC_RELAXED); // its thread may be adding to it: an old value will do
}

static int is_map(const uint64_t *cells)
{
    return cells && cells != process->discarded && cells != process->spare;
}

static struct cell_map *map_of(uint64_t *cells)
{
    return is_map(cells) ? (struct cell_map *)((char *)cells - sizeof(struct cell_map)) : NULL;
}

static uint64_t sum(const uint64_t *cells)
{
    uint64_t total = 0;
    for (uint64_t i = 0, used = process->used_cells; i < used; i++)
        total += load(&cells[i]);
    return total;
}

static void clear(uint64_t *cells)
{
    for (uint64_t i = 0, used = process->used_cells; i < used; i++)
        if (cells[i]) // a store would bring in a page that has never been used
            cells[i] = 0;
}

static void enqueue(struct cell_map *map)
{
    map->next_queued = NULL;
    if (process->queue)
        process->queue_end->next_queued = map;
    else
        process->queue = map;
    process->queue_end = map;
}

static struct cell_map *dequeue(void)
{
    struct cell_map *map = process->queue;
    process->queue = map->next_queued;
    return map;
}

/// Adds what a thread that is gone has counted to the totals, and empties its cells.
static void fold(struct cell_map *map)
{
    struct thread *thread = map->thread;
    for (uint64_t i = 0, used = thread ? process->used_cells : 0; i < used; i++) {
        uint64_t units = map->cells[i];
        if (units) {
            process->ended[i] += units;
            thread->units += units;
        }
    }
    clear(map->cells);
    map->thread = NULL;
}

/// A few tries only: a thread leaves the kernel a little after its destructors ran and even after it was joined.
static struct cell_map *reuse_map(void)
{
    for (int tries = 0; tries < 4 && process->queue; tries++) {
        struct cell_map *map = dequeue();
        if (map->owner == 0 || weft_thread_is_gone(map->owner)) {
            fold(map);
            return map;
        }
        enqueue(map);
    }
    return NULL;
}

static struct cell_map *new_map(void)
{
    struct cell_map *map = weft_reserve(sizeof *map + CELLS * sizeof map->cells[0]);
    if (map) {
        map->next_map = process->maps;
        process->maps = map;
    }
    return map;
}

static struct cell_map *take_map(void)
{
    if (!process->tables)
        return NULL;
    struct cell_map *map = reuse_map();
    if (!map)
        map = new_map();
    if (!map)
        note_complaint("no memory for a thread's counts by function; they go to \"(unattributed)\"");
    return map;
}

// ---- Threads ----

static struct thread *next_thread(void)
{
    struct thread *thread = &process->other_threads;
    if (process->tables && process->thread_count < THREADS)
        thread = &process->tables->threads[process->thread_count++];
    thread->id = weft_thread_id();
    return thread;
}

/// Gives the calling thread a place in the report and cells. Registry locked.
static struct thread *attach_thread(void)
{
    struct thread *thread = next_thread();
    struct cell_map *map = take_map();
    if (map) {
        map->thread = thread;
        map->owner = thread->id;
    }
    state.cells = map ? map->cells : process->discarded;
    return thread;
}

/// Adds the units of a thread without a cell map to the totals.
static void fold_uncelled(struct thread *thread)
{
    thread->units += state.count;
    process->ended[0] += state.count;
    state.count = 0;
}

/// The place of the calling thread, which has no cell map.
static struct thread *uncelled_thread(void)
{
    for (uint32_t i = 0, end = process->uncelled_count ? process->thread_count : 0; i < end; i++)
        if (process->tables->threads[i].uncelled == &state)
            return &process->tables->threads[i];
    return &process->other_threads;
}

/// Runs as the destructor of a thread-specific value. Others may run woven code after it: that is still counted, since
/// the thread keeps its map until it is gone. Only a thread without a map must come again to hand over the rest.
static void thread_ends(void *value)
{
    struct thread *thread = value;
    sigset_t mask;
    if (weft_lock_signal_safe(&process->registry, &mask) != 0)
        return;
    struct cell_map *map = map_of(state.cells);
    if (thread != &process->other_threads && !thread->ended) {
        prctl(PR_GET_NAME, thread->name);
        __atomic_store_n(&thread->ended, 1, __ATOMIC_RELEASE); // a report reads the name without the lock
    }
    if (thread->uncelled)
        process->uncelled_count--;
    thread->uncelled = NULL;
    if (map)
        enqueue(map);
    else
        fold_uncelled(thread);
    weft_unlock_signal_safe(&process->registry, &mask);
    if (!map)
        pthread_setspecific(process->key, thread);
}

/// Asks to be told when the calling thread ends. Returns whether that will be so.
static int ask_to_be_told(struct thread *thread)
{
    return __atomic_load_n(&process->hooks, __ATOMIC_ACQUIRE) == HOOKS_INSTALLED &&
           pthread_setspecific(process->key, thread) == 0;
}

/// A map can be handed on without being told, by asking the kernel; the state of a thread must not be read then, since
/// only thread_ends(), waiting for the lock, keeps it from going away. Registry locked.
static void settle_thread(struct thread *thread, int told)
{
    struct cell_map *map = map_of(state.cells);
    if (map && !told)
        enqueue(map);
    if (!map && told && thread != &process->other_threads) {
        thread->uncelled = &state;
        process->uncelled_count++;
    }
}

static void watch_thread(struct thread *thread)
{
    int told = ask_to_be_told(thread);
    sigset_t mask;
    if (weft_lock_signal_safe(&process->registry, &mask) != 0)
        return;
    settle_thread(thread, told);
    weft_unlock_signal_safe(&process->registry, &mask);
}

// ---- Fork ----

/// Does not wait for a report: a half-written one is of no use to the child, and fork() must not wait for a slow disk.
static void before_fork(void)
{
    sigset_t mask;
    weft_lock_signal_safe(&process->registry, &mask);
    process->fork_mask = mask;
}

static void after_fork_in_parent(void)
{
    sigset_t mask = process->fork_mask;
    weft_unlock_signal_safe(&process->registry, &mask);
}

/// The maps of threads that do not exist in the child become free; they are emptied when somebody takes them.
static void free_maps_but(const struct cell_map *own)
{
    process->queue = NULL;
    for (struct cell_map *map = process->maps; map; map = map->next_map) {
        if (map == own)
            continue;
        map->thread = NULL;
        map->owner = 0;
        enqueue(map);
    }
}

static void forget_threads(void)
{
    if (process->tables)
        memset(process->tables->threads, 0, process->thread_count * sizeof(struct thread));
    memset(&process->other_threads, 0, sizeof process->other_threads);
    process->thread_count = 0;
    process->uncelled_count = 0;
}

/// The forking thread is the child's first.
static void continue_thread(struct cell_map *map)
{
    struct thread *thread = next_thread();
    if (map) {
        clear(map->cells);
        map->thread = thread;
        map->owner = thread->id;
    }
    settle_thread(thread, ask_to_be_told(thread));
}

static void after_fork_in_child(void)
{
    sigset_t mask = process->fork_mask;
    struct cell_map *own = map_of(state.cells);
    process->id = getpid();
    process->forked = 1;
    free_maps_but(own);
    forget_threads();
    clear(process->ended);
    state.count = 0;
    if (state.cells)
        continue_thread(own);
    process->registry.word = 0;
    process->report.word = 0;
    pthread_sigmask(SIG_SETMASK, &mask, NULL);
}

// ---- Start ----

/// Registered by the copy that is never unloaded, through process->install_hooks: libc keeps the addresses, and forgets
/// the fork handlers of a module that leaves. No lock is held, since libc may allocate, and malloc() may be woven.
WEFT_WEAK __attribute__((used)) void weft_metering_install_hooks(void)
{
    int error = pthread_key_create(&process->key, thread_ends);
    pthread_atfork(before_fork, after_fork_in_parent, after_fork_in_child);
    __atomic_store_n(&process->hooks, error ? HOOKS_FAILED : HOOKS_INSTALLED, __ATOMIC_RELEASE);
}

static void ensure_hooks(void)
{
    uint32_t none = NO_HOOKS;
    if (__atomic_load_n(&process->hooks, __ATOMIC_RELAXED) == NO_HOOKS &&
        __atomic_compare_exchange_n(&process->hooks, &none, INSTALLING_HOOKS, 0, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
        process->install_hooks();
}

/// The file is meant from where the program was started, and by the environment it was started with.
static void remember_report_path(void)
{
    const char *setting = weft_setting("WEFT_METERING_REPORT");
    char *path = process->tables->report;
    if (!setting)
        return;
    if (strcmp(setting, "-") == 0 || weft_absolute_path(path, PATH_MAX, setting) != 0)
        strncpy(path, setting, PATH_MAX - 1);
}

/// Registry locked. Runs before any cell is given out, so without tables every function stays with cell 0.
static void prepare_process(void)
{
    if (process->prepared)
        return;
    struct tables *tables = weft_reserve(sizeof *tables);
    process->tables = tables;
    process->discarded = tables ? tables->discarded : &process->spare[0];
    process->ended = tables ? tables->ended : &process->spare[1];
    process->shown = tables ? tables->shown : &process->spare[2];
    process->used_cells = 1;
    process->id = getpid();
    process->prepared = 1;
    if (tables)
        remember_report_path();
    else
        note_complaint("no memory for counts by thread and function; all go into one");
}

EXPORT void __weft_metering_thread_start(void)
{
    int saved = errno;
    struct thread *thread = NULL;
    sigset_t mask;
    if (weft_lock_signal_safe(&process->registry, &mask) == 0) {
        int is_new = !state.cells; // a handler may have come first
        prepare_process();
        if (is_new)
            thread = attach_thread();
        weft_unlock_signal_safe(&process->registry, &mask);
    } else if (!state.cells) {
        // The libc that the locked code calls is itself woven; the thread is about to get real cells.
        state.cells = process->discarded ? process->discarded : process->spare;
    }
    if (thread) {
        ensure_hooks();
        watch_thread(thread);
        say_complaint();
    }
    errno = saved;
}

// ---- Modules ----

/// Walks the names of a module's functions, in the module or as they were kept.
struct names {
    const struct weft_metering_record *record;
    const char *kept;
    const char *name;
    const char *module;
};

static const char *or_empty(const char *text)
{
    return text ? text : "";
}

static const char *next_kept(struct names *names)
{
    const char *text = names->kept;
    if (!text)
        return "(unloaded)"; // there was no memory to keep the names
    names->kept += strlen(text) + 1;
    return text;
}

static void next_name(struct names *names)
{
    if (names->record) {
        names->name = or_empty(names->record->name);
        names->module = or_empty(names->record->module);
        names->record++;
    } else {
        names->name = next_kept(names);
        names->module = next_kept(names);
    }
}

static struct names names_of(const struct module *module)
{
    return (struct names){.record = module->records, .kept = module->kept};
}

/// Whether these are the functions of a module that was unloaded and has come back.
static int is_back(const struct module *module, struct weft_metering_record *records, uint64_t count)
{
    if (module->records || !module->kept || module->count != count)
        return 0;
    struct names old = names_of(module), new = {.record = records};
    for (uint64_t i = 0; i < count; i++) {
        next_name(&old);
        next_name(&new);
        if (strcmp(old.name, new.name) != 0 || strcmp(old.module, new.module) != 0)
            return 0;
    }
    return 1;
}

/// NULL when there is no place left.
static struct module *module_for(struct weft_metering_record *records, uint64_t count)
{
    struct module *modules = process->tables->modules;
    for (uint32_t i = 0; i < process->module_count; i++)
        if (modules[i].records == records || is_back(&modules[i], records, count))
            return &modules[i];
    if (process->module_count == MODULES)
        return NULL;
    struct module *module = &modules[process->module_count++];
    module->first_cell = process->used_cells < OTHER_CELL ? process->used_cells : OTHER_CELL;
    module->count = count;
    return module;
}

/// The functions of a module that comes back get the cells they had.
static void register_functions(struct weft_metering_record *records, uint64_t count)
{
    if (count == 0)
        return;
    process->woven = 1;
    if (!process->tables)
        return;
    struct module *module = module_for(records, count);
    uint64_t first = module ? module->first_cell : OTHER_CELL;
    if (module)
        module->records = records;
    for (uint64_t i = 0; i < count; i++)
        records[i].cell = first + i < OTHER_CELL ? first + i : OTHER_CELL;
    uint64_t used = first + count <= OTHER_CELL ? first + count : CELLS;
    if (used > process->used_cells)
        process->used_cells = used;
}

/// A module's names go with it when it is unloaded, and its counts stay.
static void keep_names(struct module *module)
{
    struct names names = names_of(module);
    size_t size = 0;
    for (uint64_t i = 0; i < module->count; i++) {
        next_name(&names);
        size += strlen(names.name) + strlen(names.module) + 2;
    }
    char *end = module->kept ? NULL : weft_reserve(size);
    names = names_of(module);
    if (end)
        module->kept = end;
    for (uint64_t i = 0; end && i < module->count; i++) {
        next_name(&names);
        end = stpcpy(stpcpy(end, names.name) + 1, names.module) + 1;
    }
    module->records = NULL;
}

static void module_leaves(const struct weft_metering_record *records)
{
    for (uint32_t i = 0; records && i < process->module_count; i++)
        if (process->tables->modules[i].records == records)
            keep_names(&process->tables->modules[i]);
}

// ---- Report ----

static void show_units(struct thread *thread, uint64_t cell, uint64_t units)
{
    thread->shown += units;
    process->shown[cell] += units;
}

static void show_thread(struct thread *thread)
{
    thread->shown = thread->units;
    if (thread->uncelled)
        show_units(thread, 0, load(&thread->uncelled->count));
}

/// Takes the figures of all threads at one moment. Each cell is read once and counts for its thread and its function,
/// so the sums are equal even if threads run on. Registry locked.
static void take_figures(void)
{
    for (uint64_t i = 0; i < process->used_cells; i++)
        process->shown[i] = process->ended[i];
    show_thread(&process->other_threads);
    for (uint32_t i = 0; i < process->thread_count; i++)
        show_thread(&process->tables->threads[i]);
    for (struct cell_map *map = process->maps; map; map = map->next_map)
        for (uint64_t i = 0, used = map->thread ? process->used_cells : 0; i < used; i++)
            show_units(map->thread, i, load(&map->cells[i]));
    if (state.cells && !is_map(state.cells) && uncelled_thread() == &process->other_threads)
        show_units(&process->other_threads, 0, state.count);
}

/// The name of a thread that has not ended, as far as it can be known.
static void read_name(pid_t thread, char *name, size_t size)
{
    char path[64];
    if (weft_expand_path(path, sizeof path, "/proc/self/task/%p/comm", thread, 0) != 0)
        return;
    int descriptor = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t length = descriptor < 0 ? 0 : read(descriptor, name, size);
    if (descriptor >= 0)
        close(descriptor);
    if (length > 0)
        name[length - 1] = '\0'; // a newline
}

static void write_thread(struct weft_file *file, uint32_t index, const char *name, uint64_t units, int ended)
{
    weft_file_text(file, index == 0 ? "\n{\"index\":" : ",\n{\"index\":");
    weft_file_number(file, index);
    weft_file_text(file, ",\"name\":");
    weft_file_json(file, name);
    weft_file_text(file, ",\"units\":");
    weft_file_number(file, units);
    weft_file_text(file, ended ? ",\"ended\":true}" : ",\"ended\":false}");
}

static void write_threads(struct weft_file *file, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        const struct thread *thread = &process->tables->threads[i];
        int told = __atomic_load_n(&thread->ended, __ATOMIC_ACQUIRE);
        char name[32] = "";
        if (!told)
            read_name(thread->id, name, sizeof name);
        write_thread(file, i, told ? thread->name : name, thread->shown, told || weft_thread_is_gone(thread->id));
    }
    if (process->other_threads.shown)
        write_thread(file, count, "(other threads)", process->other_threads.shown, 1);
}

static void write_function(struct weft_file *file, int *first, const char *name, const char *module, uint64_t units)
{
    if (units == 0)
        return;
    weft_file_text(file, *first ? "\n{\"name\":" : ",\n{\"name\":");
    weft_file_json(file, name);
    weft_file_text(file, ",\"module\":");
    weft_file_json(file, module);
    weft_file_text(file, ",\"units\":");
    weft_file_number(file, units);
    weft_file_text(file, "}");
    *first = 0;
}

static void write_functions(struct weft_file *file)
{
    int first = 1;
    write_function(file, &first, "(unattributed)", "", process->shown[0]);
    for (uint32_t i = 0; i < process->module_count; i++) {
        const struct module *module = &process->tables->modules[i];
        struct names names = names_of(module);
        for (uint64_t k = 0; k < module->count && module->first_cell + k < OTHER_CELL; k++) {
            next_name(&names);
            write_function(file, &first, names.name, names.module, process->shown[module->first_cell + k]);
        }
    }
    if (process->tables)
        write_function(file, &first, "(other functions)", "", process->shown[OTHER_CELL]);
}

static void write_program(struct weft_file *file)
{
    char program[PATH_MAX];
    ssize_t length = readlink("/proc/self/exe", program, sizeof program - 1);
    if (length < 0) // the first thread has ended
        length = readlink("/proc/thread-self/exe", program, sizeof program - 1);
    program[length > 0 ? length : 0] = '\0';
    weft_file_text(file, "{\"format\":\"weft-metering\",\"version\":1,\"program\":");
    weft_file_json(file, program);
    weft_file_text(file, ",\"pid\":");
    weft_file_number(file, (uint64_t)getpid());
}

static void write_figures(struct weft_file *file)
{
    sigset_t mask;
    if (weft_lock_signal_safe(&process->registry, &mask) != 0)
        return;
    prepare_process();
    take_figures();
    uint32_t threads = process->thread_count; // more may begin while the report is written
    weft_unlock_signal_safe(&process->registry, &mask);

    uint64_t total = process->other_threads.shown;
    for (uint32_t i = 0; i < threads; i++)
        total += process->tables->threads[i].shown;
    write_program(file);
    weft_file_text(file, ",\"total\":");
    weft_file_number(file, total);
    weft_file_text(file, ",\n\"threads\":[");
    write_threads(file, threads);
    weft_file_text(file, "],\n\"functions\":[");
    write_functions(file);
    weft_file_text(file, "]}\n");
}

/// Report locked. `path` NULL: standard error.
static int write_report(const char *path)
{
    static struct weft_file file;
    struct weft_quiet quiet;
    weft_quiet_begin(&quiet);
    if (path)
        weft_file_open(&file, path);
    else
        weft_file_attach(&file, STDERR_FILENO);
    if (!file.error)
        write_figures(&file);
    int error = weft_file_close(&file);
    weft_quiet_end(&quiet);
    return error;
}

/// Report locked, unless `error` says that it could not be.
static void write_exit_report(int error)
{
    static char path[PATH_MAX];
    const char *setting = process->tables ? process->tables->report : weft_setting("WEFT_METERING_REPORT");
    if (!setting || !*setting)
        return;
    int to_stderr = strcmp(setting, "-") == 0;
    // A child that no fork handler has seen must not take its parent's place either.
    int is_child = process->forked || process->id != getpid();
    if (!error && !to_stderr)
        error = weft_expand_path(path, sizeof path, setting, getpid(), is_child);
    if (!error)
        error = write_report(to_stderr ? NULL : path);
    if (error)
        complain("cannot write report '", *path ? path : setting, error);
}

// ---- Modules coming and going ----

// 101 is the first priority that programs may use: woven constructors that come later are attributed, and woven
// destructors of the module that come earlier are in the report.

__attribute__((constructor(101))) static void module_begins(void)
{
    int saved = errno;
    sigset_t mask;
    if (weft_lock_signal_safe(&process->registry, &mask) == 0) {
        prepare_process();
        process->copies++;
        register_functions(__start_weft_metering, (uint64_t)(__stop_weft_metering - __start_weft_metering));
        weft_unlock_signal_safe(&process->registry, &mask);
    }
    ensure_hooks();
    say_complaint();
    errno = saved;
}

/// At exit every module comes here, the one that nothing depends on first; after dlclose() only the one that leaves.
/// The two look alike, so the names are kept in both cases, and the last to come writes.
__attribute__((destructor(101))) static void module_ends(void)
{
    int error = weft_lock(&process->report);
    sigset_t mask;
    if (weft_lock_signal_safe(&process->registry, &mask) == 0) {
        int last = --process->copies == 0;
        if (!last)
            module_leaves(__start_weft_metering);
        weft_unlock_signal_safe(&process->registry, &mask);
        if (last)
            write_exit_report(error);
    }
    if (!error)
        weft_unlock(&process->report);
}

// ---- Public interface ----

// Interrupts on this count are due at some value of it: they have to hear when it falls.
extern void weft_interrupts_count_falls(uint64_t units) __attribute__((weak, visibility("hidden")));

EXPORT uint64_t weft_metering_count(void)
{
    return state.count;
}

EXPORT void weft_metering_reset(void)
{
    sigset_t mask;
    if (state.cells && !is_map(state.cells) && weft_lock_signal_safe(&process->registry, &mask) == 0) {
        fold_uncelled(uncelled_thread()); // the report knows these units by the count alone
        weft_unlock_signal_safe(&process->registry, &mask);
    }
    if (weft_interrupts_count_falls)
        weft_interrupts_count_falls(state.count);
    state.count = 0;
}

EXPORT uint64_t weft_metering_process_count(void)
{
    sigset_t mask;
    if (weft_lock_signal_safe(&process->registry, &mask) != 0)
        return 0;
    prepare_process();
    uint64_t total = sum(process->ended);
    for (const struct cell_map *map = process->maps; map; map = map->next_map)
        if (map->thread)
            total += sum(map->cells);
    for (uint32_t i = 0, end = process->uncelled_count ? process->thread_count : 0; i < end; i++)
        if (process->tables->threads[i].uncelled)
            total += load(&process->tables->threads[i].uncelled->count);
    if (state.cells && !is_map(state.cells) && uncelled_thread() == &process->other_threads)
        total += state.count;
    weft_unlock_signal_safe(&process->registry, &mask);
    return total;
}

EXPORT int weft_metering_write_report(const char *path)
{
    int saved = errno;
    if (!path)
        return EINVAL;
    int error = weft_lock(&process->report);
    if (!error) {
        error = write_report(path);
        weft_unlock(&process->report);
    }
    errno = saved;
    return error;
}

EXPORT int weft_metering_active(void)
{
    return __atomic_load_n(&process->woven, __ATOMIC_RELAXED);
}
