// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The metering runtime: knows the threads, and adds up what they have counted. See metering_internal.h.
//
// A thread counts in its own thread-local, which nobody else may read once it is gone. So it tells when it ends; what it counts
// after that, in destructors, goes to its place in the report at each check.

#include "metering_internal.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

_Static_assert(sizeof(struct weft_metering_state) == STATE_BYTES, "the state is part of the ABI");
_Static_assert(sizeof(struct weft_metering_record) == 32, "the record is part of the ABI");
_Static_assert(sizeof(struct cell_map) == 64, "cells begin on a cache line");
_Static_assert(sizeof(void *) == 8, "64-bit targets only");

WEFT_WEAK void weft_metering_complain(const char *text, const char *path, int error)
{
    char unknown[WEFT_ERROR_TEXT];
    const char *texts[] = {text, path, path[0] ? "': " : ": ", weft_error_text(error, unknown), NULL};
    weft_complain("metering", texts);
}

WEFT_WEAK void weft_metering_note_complaint(const char *text)
{
    if (!process->complaint)
        process->complaint = text;
}

/// Lack of memory is worth one line, from whoever runs into it first.
static void say_complaint(void)
{
    const char *complaint = __atomic_load_n(&process->complaint, __ATOMIC_ACQUIRE);
    if (complaint && *__atomic_exchange_n(&process->complaint, "", __ATOMIC_ACQ_REL))
        weft_metering_complain(complaint, "", ENOMEM);
}

// ---- Threads ----

WEFT_WEAK uint64_t weft_metering_units_of(const struct thread *thread)
{
    const struct weft_metering_state *s = thread->running;
    if (!s)
        return thread->units;
    uint64_t left = __atomic_load_n((const uint64_t *)&s->left, __ATOMIC_RELAXED); // its thread may be charging: an old value will do
    return thread->units + s->granted - left + s->earlier - s->folded;
}

WEFT_WEAK uint64_t weft_metering_used(void)
{
    uint64_t all = weft_metering_units_of(&process->other_threads);
    for (uint32_t i = 0; i < process->thread_count; i++)
        all += weft_metering_units_of(&process->tables->threads[i]);
    // A thread that will not tell when it ends is known by what it has folded, and here by the rest, too.
    const struct thread *own = state.thread;
    return own && !own->running ? all + weft_metering_total() - state.folded : all;
}

WEFT_WEAK void weft_metering_fold(void)
{
    struct thread *thread = state.thread;
    uint64_t total = weft_metering_total();
    thread->units += total - state.folded;
    state.folded = total;
}

static struct thread *next_thread(void)
{
    struct thread *thread = &process->other_threads;
    if (process->tables && process->thread_count < THREADS)
        thread = &process->tables->threads[process->thread_count++];
    thread->id = weft_thread_id();
    return thread;
}

static void stop_running(struct thread *thread)
{
    if (thread->running)
        process->running_count--;
    thread->running = NULL;
}

/// Others may run woven code after it: from now on every check looks.
WEFT_WEAK void weft_metering_thread_ends(struct thread *thread)
{
    weft_signals mask;
    if (weft_lock_signal_safe(&process->registry, &mask) != 0)
        return;
    weft_metering_fold();
    if (thread != &process->other_threads && !thread->ended) {
        weft_metering_read_name(thread->id, thread->name, sizeof thread->name);
        __atomic_store_n(&thread->ended, 1, __ATOMIC_RELEASE); // a report reads the name without the lock
    }
    stop_running(thread);
    state.flags |= ENDING; // with the limits that the thread has: its account goes to another thread when it is gone
    state.granted -= (uint64_t)state.left;
    state.left = 0;
    struct cell_map *map = weft_metering_map_of(state.cells);
    if (map)
        weft_metering_enqueue(map);
    weft_unlock_signal_safe(&process->registry, &mask);
}

/// The state of a thread may be read by others only if weft_metering_thread_ends(), waiting for the lock, keeps it from going away.
/// Registry locked.
static void settle_thread(struct thread *thread, int told)
{
    if (told && thread != &process->other_threads) {
        thread->running = &state;
        process->running_count++;
    } else {
        state.flags |= ENDING;
    }
}

WEFT_WEAK void weft_metering_thread_start(void)
{
    weft_signals mask;
    if (state.thread || weft_lock_signal_safe(&process->registry, &mask) != 0)
        return; // or the libc that the locked code calls is itself woven
    struct thread *thread = NULL;
    weft_metering_prepare_process();
    if (!state.thread) // a handler may have come first
        state.thread = thread = next_thread();
    weft_unlock_signal_safe(&process->registry, &mask);
    if (!thread)
        return;
    weft_metering_ensure_hooks();
    int told = weft_metering_ask_to_be_told(thread);
    if (weft_lock_signal_safe(&process->registry, &mask) == 0) {
        settle_thread(thread, told);
        weft_unlock_signal_safe(&process->registry, &mask);
    }
    say_complaint();
}

// ---- Fork ----

static void forget_threads(void)
{
    if (process->tables)
        memset(process->tables->threads, 0, process->thread_count * sizeof(struct thread));
    memset(&process->other_threads, 0, sizeof process->other_threads);
    process->thread_count = 0;
    process->running_count = 0;
}

/// The forking thread is the child's first.
static void continue_thread(void)
{
    struct thread *thread = next_thread();
    struct cell_map *map = weft_metering_map_of(state.cells);
    if (map) {
        weft_metering_clear(map->cells);
        weft_metering_clear_contexts(map->tree);
        map->thread = thread;
        map->owner = thread->id;
    }
    state.thread = thread;
    state.flags &= ~(uint64_t)ENDING;
    settle_thread(thread, weft_metering_ask_to_be_told(thread));
}

/// The process is a new one. Registry locked, if that was possible; free afterwards.
WEFT_WEAK void weft_metering_begin_child(void)
{
    uint64_t own = weft_metering_total(), all = weft_metering_used();
    process->id = getpid();
    process->forked = 1;
    weft_metering_free_maps_but(weft_metering_map_of(state.cells));
    forget_threads();
    weft_metering_clear(process->ended);
    weft_metering_fold_contexts(process->ended_contexts, 0);
    state.granted = (uint64_t)state.left;
    state.earlier = state.folded = 0;
    if (state.thread)
        continue_thread();
    weft_metering_limits_after_fork(own, all);
    process->registry.word = 0;
    process->report.word = 0;
}

// ---- Start ----

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

/// Runs before any cell is given out, so without tables every function stays with cell 0.
WEFT_WEAK void weft_metering_prepare_process(void)
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
    weft_metering_read_limit();
    if (tables)
        remember_report_path();
    else
        weft_metering_note_complaint("no memory for counts by thread and function; all go into one");
}

// ---- Modules coming and going ----

WEFT_WEAK void weft_metering_module_begins(const struct woven *woven)
{
    int saved = errno;
    weft_signals mask;
    if (weft_lock_signal_safe(&process->registry, &mask) == 0) {
        weft_metering_prepare_process();
        process->copies++;
        weft_metering_register_functions(woven->records, (uint64_t)(woven->records_end - woven->records));
        weft_metering_note_costs(woven->costs, woven->costs_end);
        weft_unlock_signal_safe(&process->registry, &mask);
    }
    weft_metering_ensure_hooks();
    say_complaint();
    errno = saved;
}

/// At exit every module comes here, the one that nothing depends on first; after dlclose() only the one that leaves.
/// The two look alike, so the names are kept in both cases, and the last to come writes.
WEFT_WEAK void weft_metering_module_ends(const struct woven *woven)
{
    int error = weft_lock(&process->report);
    weft_signals mask;
    if (weft_lock_signal_safe(&process->registry, &mask) == 0) {
        int last = --process->copies == 0;
        if (!last)
            weft_metering_module_leaves(woven->records);
        weft_unlock_signal_safe(&process->registry, &mask);
        if (last) {
            weft_metering_last_look();
            weft_metering_write_exit_report(error);
        }
    }
    if (!error)
        weft_unlock(&process->report);
}

// ---- Public interface ----

EXPORT uint64_t weft_metering_count(void)
{
    return state.granted - (uint64_t)state.left;
}

EXPORT void weft_metering_reset(void)
{
    weft_signals mask;
    if (weft_lock_signal_safe(&process->registry, &mask) != 0) // others read the three fields together
        return;
    uint64_t count = weft_metering_count();
    state.granted -= count;
    state.earlier += count;
    weft_unlock_signal_safe(&process->registry, &mask);
    weft_metering_tell_fall(count);
}

EXPORT uint64_t weft_metering_process_count(void)
{
    weft_signals mask;
    if (weft_lock_signal_safe(&process->registry, &mask) != 0)
        return 0;
    weft_metering_prepare_process();
    uint64_t total = weft_metering_used();
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
        error = weft_metering_write_report_to(path);
        weft_unlock(&process->report);
    }
    errno = saved;
    return error;
}

EXPORT int weft_metering_active(void)
{
    return __atomic_load_n(&process->woven, __ATOMIC_RELAXED);
}
