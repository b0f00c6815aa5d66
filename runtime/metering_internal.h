// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What the files of the metering runtime share.
//
// Every linked module (executable or shared object) carries a copy of the runtime. What the copies share are two objects
// of which the dynamic linker keeps one per process, whatever the visibility of the modules to each other
// (STB_GNU_UNIQUE): the thread-local state and `struct process`. The functions of all copies are equivalent.
//
//   metering.c           threads, fork, start and end, and the counts
//   metering_limits.c    what happens when nothing is left: more units, or a limit
//   metering_modules.c   the functions of woven modules, and the cells that threads count them in
//   metering_costs.c     what the units of woven modules are
//   metering_contexts.c  who called whom
//   metering_report.c    the report
//   metering_linux.c     what is the system's: the shared objects, hooks, names
//   metering_windows.c   the same
//
// Locks, in the order in which they are taken: `report` (one report at a time, and no module may leave during one),
// then `registry` (everything else; held for moments, with signals blocked, and never while anything is written).

#ifndef WEFT_METERING_INTERNAL_H
#define WEFT_METERING_INTERNAL_H

#define __WEFT_METERING__ 1

#include "metering_abi.h"
#include "support.h"
#include "include/weft/metering.h"

#define EXPORT WEFT_WEAK __attribute__((visibility("default")))

#define STATE_BYTES 64
#define CALLS_BYTES 32

#define CELLS (1u << 20)
#define OTHER_CELL (CELLS - 1) // shared by the functions that found no cell of their own
#define THREADS 65536u
#define MODULES 4096u
#define COSTS 320 // bytes: a file's name and a digest

#define FUNCTION_NODES (1u << 18)         // functions in the tree of a thread's calls
#define NODES (2 * FUNCTION_NODES + 1024) // with a "(deeper)" below each, and what handlers make twice
#define DEEPEST 1000                      // calls within each other that have nodes of their own
#define DEEPER CELLS                      // in place of a function's cell: what found no node
#define NO_KEY UINT64_MAX

#define UNLIMITED UINT64_MAX

/// A thread's place in the report. Stays after the thread has ended.
struct thread {
    uint64_t units; ///< of it, as far as its state says that they are in here
    uint64_t shown; ///< the figure for the report being written
    struct weft_metering_state *running; ///< the state of a thread that will tell when it ends, until it does
    pid_t id;
    int ended;
    char name[16];
};

/// Bits of a state's `flags`.
enum {
    IN_CALLBACK = 1, ///< what is charged does not count, until the callback returns or is left
    SUSPENDED = 2,   ///< the same between weft_metering_suspend() and weft_metering_resume()
    CAN_UNWIND = 8,  ///< the callback that runs may throw
    ENDING = 4,      ///< every check has to look: what is counted goes to the thread's place in the report at once
};

#define BUDGETS 64 // the thread's own limit and those within it

struct budget {
    uint64_t end;   ///< the thread's units at which it is spent, or UNLIMITED
    uint64_t units; ///< that were given, for messages
    int was_left;   ///< its callback was left: what may still be done is for cleaning up
    weft_metering_callback *callback;
    void *argument;
};

/// What a thread needs that has limits. Never unmapped; taken over when its thread is gone.
struct account {
    struct account *next_account;
    pid_t owner;        ///< of no use to anybody else while it lives
    uint32_t depth;     ///< of `budgets`; at least 1
    uint32_t suspended; ///< how often
    const void *frame;  ///< of the function that has called a callback: what is above has left it
    int64_t left;       ///< as they were before weft_metering_suspend()
    uint64_t granted;
    uint64_t *cells;
    uint32_t reached;   ///< the budget whose callback runs; BUDGETS: the process's
    uint64_t end;       ///< where it was when it was reached
    struct budget budgets[BUDGETS];
};

/// The cells of one running thread, or of an ended one until another thread takes them over. Never unmapped, so a report may
/// read them at any time.
struct cell_map {
    struct cell_map *next_map;
    struct cell_map *next_queued;
    struct thread *thread; ///< whose units these are; NULL: leftovers of a fork that count for nothing
    pid_t owner;           ///< who writes to the cells; 0: nobody
    struct tree *tree; ///< of its calls, with --metering-detail=calls
    uint64_t reserved[3];
    uint64_t cells[];
};

/// The records of one woven module. They have consecutive cells.
struct module {
    struct weft_metering_record *records; ///< NULL once the module has been finalised
    struct weft_metering_record *kept;    ///< then: a copy; NULL where there was no memory for it
    uint64_t first_cell;
    uint64_t count;
};

/// Address space reserved once; pages come into being as they are touched.
struct tables {
    uint64_t discarded[CELLS]; ///< where threads write that have no cell map, or do not count; never read
    uint64_t ended[CELLS];     ///< units of ended threads by function
    uint64_t shown[CELLS];     ///< units by function for the report being written
    uint32_t number[CELLS];    ///< of functions, in that report
    struct thread threads[THREADS];
    struct module modules[MODULES];
    char report[PATH_MAX]; ///< WEFT_METERING_REPORT as it was at the start
    char costs[COSTS];     ///< what the units of all modules are, or "mixed"
};

/// What the copies of the runtime in a process share. All of it but `install` starts as zero.
struct process {
    void (*install_hooks)(void); ///< of the copy that defines this object, which is never unloaded
    struct weft_lock registry;
    struct weft_lock report;
    weft_signals fork_mask;
    int prepared;
    int forked;
    int woven; ///< woven code has run
    uint32_t hooks; ///< NO_HOOKS...
    uint32_t copies;
    pid_t id;
    uint32_t key; ///< whose destructor tells that a thread ends
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
    uint32_t running_count; ///< of threads that have `running` set
    uint32_t module_count;
    uint32_t stopping; ///< somebody has begun to end the process at a limit
    struct thread other_threads;
    uint64_t spare[3]; ///< the one cell of `discarded`, `ended` and `shown` when there are no tables
    struct account *accounts; ///< all
    struct budget limit; ///< of the process: `end` counts the units of all threads
    int has_limit;           ///< whether `limit` is one
    int is_from_environment; ///< the limit is WEFT_METERING_LIMIT's
    uint64_t stopped_at; ///< the limit at which the process was stopped, for the report
    const char *stopped_scope; ///< "process" or "thread"; NULL: it was not
    struct tree *ended_contexts; ///< who called whom in ended threads
    struct tree *shown_contexts; ///< the same in all, for the report being written
    struct weft_metering_node spare_node; ///< of threads without a tree
};

enum { NO_HOOKS, INSTALLING_HOOKS, HOOKS_INSTALLED, HOOKS_FAILED };

#define PROCESS_BYTES 1024 // the size is part of version 2 of the object: copies may come from different builds of Weft

_Static_assert(sizeof(struct process) <= PROCESS_BYTES, "the shared object has outgrown its reserve");

extern struct process __weft_metering_process_v2;

#define process (&__weft_metering_process_v2)
#define state __weft_metering_v2

#pragma GCC visibility push(hidden)

// ---- metering_linux.c, metering_windows.c ----

/// Asks to be told when the calling thread ends: weft_metering_thread_ends() then runs on it. Returns whether that will be so.
int weft_metering_ask_to_be_told(struct thread *thread);

/// Sees to it, once a process, that threads can ask. No lock is held.
void weft_metering_ensure_hooks(void);

/// Brings out what the program has written so far, which would have come out by now had it gone on. Not more than that.
void weft_metering_flush_output(void);

/// Lets the calling thread wait for the end of the process, or less.
void weft_metering_pause(void);

/// The name of a thread that has not ended, as far as it can be known, in at most `size` bytes.
void weft_metering_read_name(pid_t thread, char *name, size_t size);

/// The path of the program.
void weft_metering_read_program(char *path, size_t size);

/// Interrupts on the count are due at some value of it: they have to hear when it falls.
void weft_metering_tell_fall(uint64_t units);

// ---- metering.c ----

/// What a linked module holds of metering: the records of its functions, and texts that say what its units are.
struct woven {
    struct weft_metering_record *records, *records_end;
    const char *costs, *costs_end;
};

/// Come before what the module does and after it.
void weft_metering_module_begins(const struct woven *woven);
void weft_metering_module_ends(const struct woven *woven);

void weft_metering_thread_ends(struct thread *thread);
void weft_metering_begin_child(void);

/// Units of the calling thread since it began.
static inline uint64_t weft_metering_total(void)
{
    return state.granted - (uint64_t)state.left + state.earlier;
}

void weft_metering_note_complaint(const char *text);
void weft_metering_complain(const char *text, const char *path, int error);

/// Registry locked.
void weft_metering_prepare_process(void);

/// Makes the calling thread known. No lock is held.
void weft_metering_thread_start(void);

/// Puts what the calling thread has counted into its place in the report. Registry locked.
void weft_metering_fold(void);

/// Units of a thread, as far as they can be known. Registry locked.
uint64_t weft_metering_units_of(const struct thread *thread);

/// Units of the process. Registry locked.
uint64_t weft_metering_used(void);

// ---- metering_limits.c ----

/// After fork(), in the child: limits are as far away as they were. Registry locked.
void weft_metering_limits_after_fork(uint64_t own, uint64_t all);

/// Reads WEFT_METERING_LIMIT. Registry locked.
void weft_metering_read_limit(void);

/// Ends the process if it has done more than it may, when it would end anyway. Report locked.
void weft_metering_last_look(void);

// ---- metering_modules.c ----

/// Cells of the calling thread, if it has any of its own.
struct cell_map *weft_metering_map_of(uint64_t *cells);
void weft_metering_clear(uint64_t *cells);
void weft_metering_enqueue(struct cell_map *map);

/// The maps of threads that do not exist in the child become free; they are emptied when somebody takes them.
void weft_metering_free_maps_but(const struct cell_map *own);

void weft_metering_register_functions(struct weft_metering_record *records, uint64_t count);
void weft_metering_module_leaves(const struct weft_metering_record *records);

/// The records of a module, in it or as they were kept; NULL where there was no memory for that.
static inline const struct weft_metering_record *weft_metering_records_of(const struct module *module)
{
    return module->records ? module->records : module->kept;
}

/// The record of the function that a record is of: another one for a line.
static inline const struct weft_metering_record *weft_metering_function_of(const struct weft_metering_record *record)
{
    return record->place ? record->place->function : record;
}

// ---- metering_contexts.c ----

/// Says, whenever `state.cells` has changed, whether calls count. The thread's own.
void weft_metering_follow_cells(void);

/// Sets all counts in a thread's tree to 0; it may be in the middle of it.
void weft_metering_clear_contexts(struct tree *tree);

/// Empties the tree of a thread that is gone, with what it holds, if that counts, going to the others'. Registry locked.
void weft_metering_fold_contexts(struct tree *tree, int counts);

/// Adds up the trees of all threads for a report. Registry locked.
void weft_metering_show_contexts(void);

/// A function called by those above it, in the report being written.
struct context {
    uint32_t cell; ///< or DEEPER
    uint32_t parent; ///< 0: none
    uint32_t parent_number;
    uint32_t line;
    uint64_t calls;
    uint64_t units;
    uint32_t *number; ///< room for its number in the report
};

/// The next context behind `*index`, parents first. Returns whether there is one.
int weft_metering_next_context(uint32_t *index, struct context *context);

// ---- metering_costs.c ----

/// Takes what the objects of a module say that their units are: texts, NUL after each. Registry locked.
void weft_metering_note_costs(const char *texts, const char *end);

// ---- metering_report.c ----

/// Report locked. `path` NULL: standard error.
int weft_metering_write_report_to(const char *path);

/// The report that the environment asks for. Report locked, unless `error` says that it could not be.
void weft_metering_write_exit_report(int error);

#pragma GCC visibility pop

#endif
