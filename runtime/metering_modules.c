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
    weft_metering_fold_contexts(map->tree, map->thread != NULL);
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
    weft_metering_follow_cells();
}

EXPORT uint64_t *__weft_metering_cells(struct weft_metering_record *record)
{
    int saved = errno;
    weft_signals mask;
    (void)record;
    __atomic_store_n(&process->woven, 1, __ATOMIC_RELAXED);
    weft_metering_thread_start();
    if (weft_lock_signal_safe(&process->registry, &mask) == 0) {
        if (!state.cells)
            attach_map();
        weft_unlock_signal_safe(&process->registry, &mask);
    }
    errno = saved;
    return state.cells ? state.cells : process->discarded ? process->discarded : process->spare;
}

// ---- Modules ----

static int same_text(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

static int same_place(const struct weft_metering_place *a, const struct weft_metering_place *b)
{
    return a == b || (a && b && a->line == b->line && same_text(a->file, b->file));
}

/// Whether these are the records of a module that was unloaded and has come back.
static int is_back(const struct module *module, struct weft_metering_record *records, uint64_t count)
{
    const struct weft_metering_record *kept = module->kept;
    if (module->records || !kept || module->count != count)
        return 0;
    for (uint64_t i = 0; i < count; i++)
        if (!same_text(kept[i].name, records[i].name) || !same_text(kept[i].module, records[i].module) || !same_place(kept[i].place, records[i].place))
            return 0;
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
    for (uint64_t i = 0; i < count; i++)
        if (records[i].cell == OTHER_CELL)
            records[i].cell = weft_metering_function_of(&records[i])->cell; // the function's units stay its own
    uint64_t used = first + count <= OTHER_CELL ? first + count : CELLS;
    if (used > process->used_cells)
        process->used_cells = used;
}

enum { NAME, MODULE, PLACE, KINDS };

/// Copies of text, one behind the other. What comes several times in a row is there once.
struct texts {
    const char *last[KINDS], *copy[KINDS];
    char *end; ///< NULL: only to know the size
    size_t size;
};

static const char *copy_text(struct texts *texts, int kind, const char *text)
{
    if (!text || text == texts->last[kind])
        return text ? texts->copy[kind] : NULL;
    texts->last[kind] = text;
    texts->copy[kind] = texts->end;
    size_t size = strlen(text) + 1;
    texts->size += size;
    if (texts->end)
        texts->end = (char *)memcpy(texts->end, text, size) + size;
    return texts->copy[kind];
}

/// A module's records go with it when it is unloaded, and its counts stay. Copies them to `kept`, if it is not NULL, with what they
/// point to behind. Returns the size of all.
static size_t copy_records(const struct module *module, struct weft_metering_record *kept)
{
    struct weft_metering_place *places = kept ? (struct weft_metering_place *)(kept + module->count) : NULL;
    struct texts texts = {.end = kept ? (char *)(places + module->count) : NULL};
    for (uint64_t i = 0; i < module->count; i++) {
        const struct weft_metering_record *record = &module->records[i];
        const struct weft_metering_place *place = record->place;
        const char *name = copy_text(&texts, NAME, record->name), *source = copy_text(&texts, MODULE, record->module);
        const char *file = place ? copy_text(&texts, PLACE, place->file) : NULL;
        if (!kept)
            continue;
        kept[i] = (struct weft_metering_record){.cell = record->cell, .name = name, .module = source, .place = place ? &places[i] : NULL};
        if (place)
            places[i] = (struct weft_metering_place){.function = kept + (place->function - module->records), .file = file, .line = place->line};
    }
    return module->count * (sizeof *kept + sizeof *places) + texts.size;
}

static void keep_records(struct module *module)
{
    if (!module->kept)
        module->kept = weft_reserve(copy_records(module, NULL));
    if (module->kept)
        copy_records(module, module->kept);
    module->records = NULL;
}

WEFT_WEAK void weft_metering_module_leaves(const struct weft_metering_record *records)
{
    for (uint32_t i = 0; records && i < process->module_count; i++)
        if (process->tables->modules[i].records == records)
            keep_records(&process->tables->modules[i]);
}
