// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The report: who has done how much, as JSON. The format is in include/weft/metering.h.

#include "metering_internal.h"

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
    weft_metering_show_contexts();
    uint64_t total = shown_threads(process->thread_count), attributed = 0;
    for (uint64_t i = 0; i < process->used_cells; i++)
        attributed += process->shown[i];
    process->shown[0] += total > attributed ? total - attributed : 0;
}

/// An array of objects in the report.
struct list {
    struct weft_file *file;
    uint32_t count;
};

static void begin_object(struct list *list, const char *field)
{
    weft_file_text(list->file, list->count++ ? ",\n{\"" : "\n{\"");
    weft_file_text(list->file, field);
    weft_file_text(list->file, "\":");
}

static void write_field(struct list *list, const char *field, uint64_t number)
{
    weft_file_text(list->file, ",\"");
    weft_file_text(list->file, field);
    weft_file_text(list->file, "\":");
    weft_file_number(list->file, number);
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
            weft_metering_read_name(thread->id, name, sizeof name);
        write_thread(file, i, told ? thread->name : name, thread->shown, told || weft_thread_is_gone(thread->id));
    }
    if (process->other_threads.shown)
        write_thread(file, count, "(other threads)", process->other_threads.shown, 1);
}

// ---- Functions ----

static const struct weft_metering_record unloaded = {.name = "(unloaded)"}; // there was no memory to keep what it was

static const struct weft_metering_record *record_at(const struct module *module, uint64_t index)
{
    const struct weft_metering_record *records = weft_metering_records_of(module);
    return records ? &records[index] : &unloaded;
}

/// Calls `write` for each record that has a cell of its own.
static void for_records(struct list *list, void (*write)(struct list *list, const struct weft_metering_record *record, uint64_t cell))
{
    for (uint32_t i = 0; i < process->module_count; i++) {
        const struct module *module = &process->tables->modules[i];
        for (uint64_t k = 0; k < module->count && module->first_cell + k < OTHER_CELL; k++)
            write(list, record_at(module, k), module->first_cell + k);
    }
}

/// A function's units are those of its lines and those that no line has.
static void add_line(struct list *unused, const struct weft_metering_record *record, uint64_t cell)
{
    (void)unused;
    const struct weft_metering_record *function = weft_metering_function_of(record);
    if (function != record && function->cell != cell)
        process->shown[function->cell] += process->shown[cell];
}

#define WANTED UINT32_MAX // a function without units that contexts name

static void want_functions(void)
{
    struct context context;
    memset(process->tables->number, 0, process->used_cells * sizeof process->tables->number[0]);
    for (uint32_t at = 0; weft_metering_next_context(&at, &context);)
        if (context.cell != DEEPER)
            process->tables->number[context.cell] = WANTED;
}

static void write_place(struct list *list, const struct weft_metering_place *place)
{
    weft_file_text(list->file, ",\"file\":");
    weft_file_json(list->file, place->file ? place->file : "");
    write_field(list, "line", place->line);
}

static void write_function(struct list *list, const struct weft_metering_record *record, uint64_t cell)
{
    uint64_t units = process->shown[cell];
    if (units == 0 && !(process->tables && process->tables->number[cell] == WANTED))
        return;
    if (process->tables)
        process->tables->number[cell] = list->count;
    begin_object(list, "name");
    weft_file_json(list->file, record->name ? record->name : "");
    weft_file_text(list->file, ",\"module\":");
    weft_file_json(list->file, record->module ? record->module : "");
    write_field(list, "units", units);
    if (record->place)
        write_place(list, record->place);
    weft_file_text(list->file, "}");
}

static void write_named(struct list *list, const struct weft_metering_record *record, uint64_t cell)
{
    if (weft_metering_function_of(record) == record)
        write_function(list, record, cell);
}

static void write_functions(struct list *list)
{
    static const struct weft_metering_record nobody = {.name = "(unattributed)"}, others = {.name = "(other functions)"};
    write_function(list, &nobody, 0);
    for_records(list, write_named);
    if (process->tables)
        write_function(list, &others, OTHER_CELL);
}

static void write_line(struct list *list, const struct weft_metering_record *record, uint64_t cell)
{
    const struct weft_metering_record *function = weft_metering_function_of(record);
    if (function == record || function->cell == cell || !process->shown[cell])
        return;
    begin_object(list, "function");
    weft_file_number(list->file, process->tables->number[function->cell]);
    write_place(list, record->place);
    write_field(list, "units", process->shown[cell]);
    weft_file_text(list->file, "}");
}

static void write_contexts(struct list *list)
{
    struct context context;
    for (uint32_t at = 0; weft_metering_next_context(&at, &context);) {
        *context.number = list->count;
        begin_object(list, "calls");
        weft_file_number(list->file, context.calls);
        write_field(list, "units", context.units);
        if (context.cell != DEEPER)
            write_field(list, "function", process->tables->number[context.cell]);
        if (context.parent)
            write_field(list, "parent", context.parent_number);
        if (context.line)
            write_field(list, "line", context.line);
        weft_file_text(list->file, "}");
    }
}

static void write_program(struct weft_file *file)
{
    char program[PATH_MAX];
    weft_metering_read_program(program, sizeof program);
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

/// What there is in some builds only.
static void write_details(struct weft_file *file)
{
    struct list lines = {.file = file}, contexts = lines;
    weft_file_text(file, ",\n\"lines\":[");
    for_records(&lines, write_line);
    weft_file_text(file, "],\n\"contexts\":[");
    write_contexts(&contexts);
    weft_file_text(file, "]");
}

static void write_figures(struct weft_file *file)
{
    weft_signals mask;
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
    if (process->tables)
        want_functions();
    for_records(NULL, add_line);
    write_functions(&(struct list){.file = file});
    weft_file_text(file, "]");
    if (process->tables)
        write_details(file);
    weft_file_text(file, "}\n");
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
