// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The functions of woven modules, where a build tells them apart, and the cells that threads count them in.

#include "metering_internal.h"

#include <errno.h>
#include <string.h>

// ---- Cells ----

static int is_map(const uint64_t *cells)
{
    return cells && cells != process->discarded && cells != process->spare;
}

WEFT_WEAK struct cell_map *weft_metering_map_of(uint64_t *cells)
{
    return is_map(cells) ? (struct cell_map *)((char *)cells - sizeof(struct cell_map)) : NULL;
}

WEFT_WEAK void weft_metering_clear(uint64_t *cells)
{
    for (uint64_t i = 0, used = process->used_cells; i < used; i++)
        if (cells[i]) // a store would bring in a page that has never been used
            cells[i] = 0;
}

WEFT_WEAK void weft_metering_enqueue(struct cell_map *map)
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
    for (uint64_t i = 0, used = map->thread ? process->used_cells : 0; i < used; i++)
        if (map->cells[i])
            process->ended[i] += map->cells[i];
    weft_metering_clear(map->cells);
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
        weft_metering_enqueue(map);
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
        weft_metering_note_complaint("no memory for a thread's counts by function; they go to \"(unattributed)\"");
    return map;
}

WEFT_WEAK void weft_metering_free_maps_but(const struct cell_map *own)
{
    process->queue = NULL;
    for (struct cell_map *map = process->maps; map; map = map->next_map) {
        if (map == own)
            continue;
        map->thread = NULL;
        map->owner = 0;
        weft_metering_enqueue(map);
    }
}

/// A thread that does not tell when it ends is asked for, by whoever looks for a map.
static void attach_map(void)
{
    struct thread *thread = state.thread;
    struct cell_map *map = thread ? take_map() : NULL;
    if (map) {
        map->thread = thread;
        map->owner = thread->id;
        if (state.flags & ENDING)
            weft_metering_enqueue(map);
    }
    state.cells = map ? map->cells : process->discarded;
}

EXPORT uint64_t *__weft_metering_cells(struct weft_metering_record *record)
{
    int saved = errno;
    sigset_t mask;
    (void)record;
    process->woven = 1;
    weft_metering_thread_start();
    if (weft_lock_signal_safe(&process->registry, &mask) == 0) {
        if (!state.cells)
            attach_map();
        weft_unlock_signal_safe(&process->registry, &mask);
    }
    errno = saved;
    return state.cells ? state.cells : process->discarded ? process->discarded : process->spare;
}

// ---- Names ----

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

WEFT_WEAK void weft_metering_next_name(struct names *names)
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

WEFT_WEAK struct names weft_metering_names_of(const struct module *module)
{
    return (struct names){.record = module->records, .kept = module->kept};
}

// ---- Modules ----

/// Whether these are the functions of a module that was unloaded and has come back.
static int is_back(const struct module *module, struct weft_metering_record *records, uint64_t count)
{
    if (module->records || !module->kept || module->count != count)
        return 0;
    struct names old = weft_metering_names_of(module), new = {.record = records};
    for (uint64_t i = 0; i < count; i++) {
        weft_metering_next_name(&old);
        weft_metering_next_name(&new);
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
WEFT_WEAK void weft_metering_register_functions(struct weft_metering_record *records, uint64_t count)
{
    if (count == 0)
        return;
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
    struct names names = weft_metering_names_of(module);
    size_t size = 0;
    for (uint64_t i = 0; i < module->count; i++) {
        weft_metering_next_name(&names);
        size += strlen(names.name) + strlen(names.module) + 2;
    }
    char *end = module->kept ? NULL : weft_reserve(size);
    names = weft_metering_names_of(module);
    if (end)
        module->kept = end;
    for (uint64_t i = 0; end && i < module->count; i++) {
        weft_metering_next_name(&names);
        end = stpcpy(stpcpy(end, names.name) + 1, names.module) + 1;
    }
    module->records = NULL;
}

WEFT_WEAK void weft_metering_module_leaves(const struct weft_metering_record *records)
{
    for (uint32_t i = 0; records && i < process->module_count; i++)
        if (process->tables->modules[i].records == records)
            keep_names(&process->tables->modules[i]);
}
