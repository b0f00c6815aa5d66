// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Events that go through C: filters that depend on other calls, values, handlers. The trampolines come here with the
// registers saved when WEFT_TRACING_CALLED is set in a sled's word.
//
// Filters need the calls that are open: each thread has a stack of them, which is right as long as its calls are on one
// stack. An entry goes to its place before the count says so, so that what a signal handler calls finds a stack that it can
// use and leaves it as it was.

#include "tracing_internal.h"

struct shadow {
    uint64_t stack, clock;
    char *place; ///< the entry's record
    uint32_t id;
    uint32_t level; ///< recorded calls up to here, this one included
    uint32_t word;
    uint8_t state;
    uint8_t inside;  ///< of a function of WEFT_TRACING_FILTER
    uint8_t outside; ///< within a function of WEFT_TRACING_NOTRACE
    uint8_t size;    ///< of the entry's record
};

enum { LEFT_OUT, HELD, RECORDED };

#define SHADOWS 65536u // calls further in are left out

struct shadows {
    uint32_t count;
    struct shadow frames[SHADOWS];
};

_Static_assert(offsetof(struct shadows, count) == 0, "who makes it clears it");

/// Lives as long as the thread's buffer, which the next thread takes over.
static struct shadows *own_shadows(void)
{
    if (!self->shadows)
        self->shadows = weft_tracing_shadows(sizeof *self->shadows);
    return self->shadows;
}

static const struct weft_tracing_function *function_of(uint32_t id)
{
    for (uint32_t i = 0; i < process->module_count; i++) {
        const struct weft_tracing_module *module = &process->tables->modules[i];
        if (id - module->first_id < module->function_count)
            return module->gone ? NULL : &module->functions[id - module->first_id];
    }
    return NULL;
}

// ---- Records ----

static unsigned collect_values(uint32_t types, uint32_t kind, const struct weft_tracing_registers *registers, uint64_t *values)
{
    unsigned count = 0, general = 0, vector = 0;
    if (kind == WEFT_TRACING_EXIT) {
        uint32_t type = types & 15;
        if (!type)
            return 0;
#if defined(__x86_64__)
        values[0] = type >= 7 ? registers->vector[0][0] : registers->result;
#else
        values[0] = type >= 7 ? registers->vector[0][0] : registers->general[0];
#endif
        return 1;
    }
    for (types >>= 4; types & 15 && count < 7; types >>= 4)
        if ((types & 15) >= 7 && vector < 8)
            values[count++] = registers->vector[vector++][0];
        else if ((types & 15) < 7 && general < sizeof registers->general / sizeof *registers->general)
            values[count++] = registers->general[general++];
        else
            break;
    return count;
}

struct written {
    char *place; ///< NULL: nowhere
    size_t size;
};

/// Writes the event; without `registers`, without values.
static struct written record(uint32_t word, uint64_t clock, uint64_t stack, const struct weft_tracing_registers *registers)
{
    uint64_t payload[2 + 7];
    unsigned count = 0;
    if (word & WEFT_TRACING_FRAMED)
        payload[count++] = (uint64_t)(uint32_t)stack << 32 | WEFT_TRACING_FRAME_WORD;
    uint32_t kind = word & 3;
    if (process->values && registers && kind != WEFT_TRACING_TAIL_EXIT) {
        const struct weft_tracing_function *function = function_of(word >> WEFT_TRACING_ID_SHIFT);
        unsigned values = function ? collect_values(function->types, kind, registers, payload + count + 1) : 0;
        if (values) {
            payload[count] = (uint64_t)values << WEFT_TRACING_ARGUMENT_SHIFT | WEFT_TRACING_VALUES_RECORD << WEFT_TRACING_TYPE_SHIFT | WEFT_TRACING_OTHER;
            count += 1 + values;
        }
    }
    char *place = weft_tracing_put(word & ~(uint32_t)WEFT_TRACING_VARIANT, clock, payload, count);
    return (struct written){place, 8 + 8 * (size_t)count};
}

// ---- Filters ----

static struct shadow *top(struct shadows *open)
{
    return &open->frames[open->count - 1];
}

/// Forgets the calls that are no longer on the stack: a call is when its frame lies above.
static void drop_dead(struct shadows *open, uint64_t at)
{
    while (open->count && top(open)->stack <= at)
        open->count--;
}

static void write_entry(struct shadow *frame, const struct weft_tracing_registers *registers)
{
    frame->state = RECORDED; // before it is: what a signal handler calls must not write it too
    struct written written = record(frame->word, frame->clock, frame->stack, registers);
    frame->place = written.place;
    frame->size = (uint8_t)written.size;
}

/// Writes the calls that lead to the innermost. Those that are held are the innermost ones, but for what is left out. Something
/// else may have been recorded since they began: time never runs backwards in the file.
static void release_held(struct shadows *open)
{
    uint32_t first = open->count;
    while (first && open->frames[first - 1].state != RECORDED)
        first--;
    for (; first < open->count; first++) {
        struct shadow *frame = &open->frames[first];
        if (frame->state != HELD)
            continue;
        frame->clock = frame->clock < self->latest ? self->latest : frame->clock;
        write_entry(frame, NULL);
    }
}

/// Whether and how the call below `parent` (NULL: none) is wanted.
static void judge(struct shadow *frame, const struct shadow *parent)
{
    const struct weft_tracing_filters *filters = &process->filters;
    const struct weft_tracing_function *function = filters->patterns ? function_of(frame->id) : NULL;
    uint32_t flags = function ? function->flags : 0;
    frame->inside = (parent && parent->inside) || flags & FILTERED_FUNCTION;
    frame->outside = (parent && parent->outside) || flags & EXCLUDED_FUNCTION;
    frame->level = parent ? parent->level : 0;
    int wanted = !frame->outside && (frame->inside || !(filters->patterns & FILTERED_FUNCTION)) && !(filters->depth && frame->level >= filters->depth);
    frame->level += (uint32_t)wanted;
    frame->state = !wanted ? LEFT_OUT : filters->patterns & REACHED_FUNCTION && !(flags & REACHED_FUNCTION) ? HELD : RECORDED;
}

static void filtered_entry(uint32_t word, const struct weft_tracing_registers *registers)
{
    struct shadows *open = own_shadows();
    if (!open)
        return;
    drop_dead(open, registers->stack);
    if (open->count == SHADOWS)
        return;
    struct shadow *frame = &open->frames[open->count];
    struct shadow made = {.stack = registers->stack, .clock = weft_tracing_clock(), .id = word >> WEFT_TRACING_ID_SHIFT, .word = word};
    judge(&made, open->count ? top(open) : NULL);
    int wanted = made.state == RECORDED;
    if (wanted) {
        made.state = HELD; // until it is written
        if (process->filters.patterns & REACHED_FUNCTION)
            release_held(open);
    }
    *frame = made;
    *(volatile uint32_t *)&open->count += 1;
    if (frame->stack != made.stack || frame->clock != made.clock)
        *frame = made; // a signal handler has used the place meanwhile
    if (wanted && frame->state == HELD)
        write_entry(frame, registers);
}

static int is_call(const struct shadow *frame, uint32_t id, uint64_t stack)
{
    return frame->id == id && frame->stack == stack;
}

static void filtered_exit(uint32_t word, const struct weft_tracing_registers *registers)
{
    struct shadows *open = own_shadows();
    uint32_t id = word >> WEFT_TRACING_ID_SHIFT;
    if (!open || !open->count)
        return;
    if (!is_call(top(open), id, registers->stack)) {
        drop_dead(open, registers->stack - 1);
        if (!open->count || !is_call(top(open), id, registers->stack))
            return;
    }
    struct shadow frame = *top(open);
    open->count--;
    if (frame.state != RECORDED)
        return;
    uint64_t shortest = process->filters.min_duration, now = weft_tracing_clock();
    uint64_t nanoseconds = (uint64_t)((unsigned __int128)(now - frame.clock) * 1000000000u / process->frequency);
    if (!(shortest && nanoseconds < shortest && frame.place && weft_tracing_take_back(frame.place + frame.size, frame.size)))
        record(word, now, registers->stack, registers);
}

/// What the functions of a module are to the filters by name.
void weft_tracing_classify(struct weft_tracing_module *module)
{
    const struct {
        uint32_t flag;
        const char *patterns;
    } filters[] = {{FILTERED_FUNCTION, process->tables->filter}, {EXCLUDED_FUNCTION, process->tables->notrace}, {REACHED_FUNCTION, process->tables->callers}};
    for (unsigned f = 0; f < sizeof filters / sizeof *filters; f++)
        for (uint32_t i = 0; process->filters.patterns & filters[f].flag && i < module->function_count; i++)
            if (weft_tracing_matches(filters[f].patterns, module, &module->functions[i]))
                module->functions[i].flags |= filters[f].flag;
}

// ---- From the trampolines ----

void weft_tracing_called(uint32_t word, struct weft_tracing_registers *registers)
{
    uint32_t kind = word & 3, id = word >> WEFT_TRACING_ID_SHIFT;
    void *handler = __atomic_load_n(&process->handler, __ATOMIC_ACQUIRE);
#if defined(__x86_64__)
    if (kind == WEFT_TRACING_EXIT)
        registers->stack -= 8; // exits jump to the trampoline, entries and tail exits call it
#endif
    if (handler)
        ((void (*)(int32_t, int))handler)((int32_t)id, (int)kind);
    if (!process->recording)
        return;
    if (!process->filters.active)
        record(word, weft_tracing_clock(), registers->stack, registers);
    else if (kind == WEFT_TRACING_ENTRY)
        filtered_entry(word, registers);
    else
        filtered_exit(word, registers);
}
