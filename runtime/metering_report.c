// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The report: who has done how much, as JSON. The format is in include/weft/metering.h.

#include "metering_internal.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

// ---- Figures ----

static uint64_t load(const uint64_t *cell)
{
    return __atomic_load_n(cell, __ATOMIC_RELAXED); // its thread may be adding to it: an old value will do
}

/// What functions have done. A running thread may be ahead of its count there; at a limit the count stays what it is.
static void show_cells(void)
{
    for (uint64_t i = 0; i < process->used_cells; i++)
        process->shown[i] = process->ended[i];
    for (struct cell_map *map = process->maps; map; map = map->next_map) {
        uint64_t sum = 0;
        for (uint64_t i = 0, used = map->thread ? process->used_cells : 0; i < used; i++) {
            uint64_t units = load(&map->cells[i]);
            process->shown[i] += units;
            sum += units;
        }
        if (!process->stopped_scope && map->thread && map->thread->running && map->thread->shown < sum)
            map->thread->shown = sum;
    }
}

static uint64_t shown_threads(uint32_t threads)
{
    uint64_t total = process->other_threads.shown;
    for (uint32_t i = 0; i < threads; i++)
        total += process->tables->threads[i].shown;
    return total;
}

/// Takes the figures of all threads at one moment. What no function has is unattributed, so the sums are equal even if threads
/// run on. Registry locked.
static void take_figures(void)
{
    process->other_threads.shown = weft_metering_units_of(&process->other_threads);
    for (uint32_t i = 0; i < process->thread_count; i++)
        process->tables->threads[i].shown = weft_metering_units_of(&process->tables->threads[i]);
    struct thread *own = state.thread;
    if (own && !own->running)
        own->shown += weft_metering_total() - state.folded;
    show_cells();
    uint64_t total = shown_threads(process->thread_count), attributed = 0;
    for (uint64_t i = 0; i < process->used_cells; i++)
        attributed += process->shown[i];
    process->shown[0] += total > attributed ? total - attributed : 0;
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
        struct names names = weft_metering_names_of(module);
        for (uint64_t k = 0; k < module->count && module->first_cell + k < OTHER_CELL; k++) {
            weft_metering_next_name(&names);
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
    weft_file_text(file, "{\"format\":\"weft-metering\",\"version\":2,\"program\":");
    weft_file_json(file, program);
    weft_file_text(file, ",\"pid\":");
    weft_file_number(file, (uint64_t)getpid());
    if (process->tables && *process->tables->costs) {
        weft_file_text(file, ",\"costs\":");
        weft_file_json(file, process->tables->costs);
    }
}

static void write_stop(struct weft_file *file)
{
    if (!process->stopped_scope)
        return;
    weft_file_text(file, ",\n\"stopped\":{\"scope\":");
    weft_file_json(file, process->stopped_scope);
    weft_file_text(file, ",\"limit\":");
    weft_file_number(file, process->stopped_at);
    weft_file_text(file, "}");
}

static void write_figures(struct weft_file *file)
{
    sigset_t mask;
    if (weft_lock_signal_safe(&process->registry, &mask) != 0)
        return;
    weft_metering_prepare_process();
    take_figures();
    uint32_t threads = process->thread_count; // more may begin while the report is written
    weft_unlock_signal_safe(&process->registry, &mask);

    write_program(file);
    weft_file_text(file, ",\"total\":");
    weft_file_number(file, shown_threads(threads));
    write_stop(file);
    weft_file_text(file, ",\n\"threads\":[");
    write_threads(file, threads);
    weft_file_text(file, "],\n\"functions\":[");
    write_functions(file);
    weft_file_text(file, "]}\n");
}

WEFT_WEAK int weft_metering_write_report_to(const char *path)
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

WEFT_WEAK void weft_metering_write_exit_report(int error)
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
        error = weft_metering_write_report_to(to_stderr ? NULL : path);
    if (error)
        weft_metering_complain("cannot write report '", *path ? path : setting, error);
}
