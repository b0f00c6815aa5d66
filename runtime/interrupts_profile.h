// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The profile: with WEFT_INTERRUPTS_PROFILE=FILE in the environment, every thread that passes a probe gets a built-in
// handler, which records how far apart interrupts come, and FILE is written when the process exits. See
// docs/interrupts-profile.md for the format. Part of interrupts.c.
//
// A thread's record is written by that thread alone and is never unmapped, so that the writer of the file may read it at
// any time; `sequence` is odd while it changes. Nothing here allocates or locks on the way of a probe.
//
// The handler and the writer belong to the copy of the runtime whose constructor comes first: its module is there from
// the start or defines the shared objects, and so is never unloaded.

#ifndef WEFT_INTERRUPTS_PROFILE_H
#define WEFT_INTERRUPTS_PROFILE_H

#include <elf.h>
#include <link.h>

#define PROFILE_THREADS 4096u
#define PROFILE_GAPS 64u

/// Sixteen buckets for each power of two: a value is known to a sixteenth of it.
#define PROFILE_BUCKETS 976u

struct profile_gap {
    uint64_t ticks;
    uint64_t units;
    uint64_t from; ///< where the interrupt was taken that the gap begins with: a return address
    uint64_t to;   ///< and the one that it ends with
};

struct profile_figures {
    uint64_t ticks;
    uint64_t units;
    uint64_t handler_ticks;
    uint64_t longest_ticks;
    uint64_t longest_units;
    uint64_t gap_count;
    uint64_t shortest_gap; ///< index in `gaps`, once all are taken
    struct profile_gap gaps[PROFILE_GAPS];
    uint64_t ticks_histogram[PROFILE_BUCKETS];
    uint64_t units_histogram[PROFILE_BUCKETS];
};

struct profile_thread {
    struct profile_thread *next;
    pid_t id;
    char name[16];
    int own_handler; ///< the program registered one, which ends the profile of the thread
    uint64_t count;
    uint64_t last_ticks;
    uint64_t last_units;
    uint64_t last_from;
    uint32_t sequence;
    struct profile_figures figures;
};

struct profile {
    weft_interrupts_handler handler;
    struct profile_thread *threads; ///< the newest first
    uint32_t count;
    uint32_t left_out; ///< threads beyond PROFILE_THREADS, or without memory
    uint32_t closed;   ///< the file is being written
    uint32_t refused;  ///< errno of a registration that failed
    pid_t pid;
    int forked;
    enum weft_interrupts_clock clock;
    uint64_t interval;
    const void *writer; ///< of the copy that writes: the address of something of its own
    struct profile_figures shown;
    char path[PATH_MAX];
};

static const char profile_copy;

static void profile_complain(const char *text, const char *more, int error)
{
    char unknown[WEFT_ERROR_TEXT];
    const char *texts[] = {text, more, error ? ": " : "", error ? weft_error_text(error, unknown) : "", NULL};
    weft_complain("interrupts", texts);
}

// ---- Recording ----

static uint32_t profile_bucket(uint64_t value)
{
    if (value < 16)
        return (uint32_t)value;
    uint32_t power = 63 - (uint32_t)__builtin_clzll(value);
    return (power - 3) * 16 + (uint32_t)((value >> (power - 4)) & 15);
}

/// The smallest value of a bucket.
static uint64_t profile_lowest(uint32_t bucket)
{
    return bucket < 16 ? bucket : (uint64_t)(16 + bucket % 16) << (bucket / 16 - 1);
}

static void profile_keep_gap(struct profile_figures *f, const struct profile_gap *gap)
{
    if (f->gap_count < PROFILE_GAPS)
        f->gaps[f->gap_count++] = *gap;
    else if (gap->ticks > f->gaps[f->shortest_gap].ticks)
        f->gaps[f->shortest_gap] = *gap;
    else
        return;
    if (f->gap_count < PROFILE_GAPS)
        return;
    uint64_t shortest = 0;
    for (uint64_t i = 1; i < PROFILE_GAPS; i++)
        if (f->gaps[i].ticks < f->gaps[shortest].ticks)
            shortest = i;
    f->shortest_gap = shortest;
}

static void profile_record(struct profile_figures *f, const struct profile_gap *gap)
{
    f->ticks += gap->ticks;
    f->units += gap->units;
    f->ticks_histogram[profile_bucket(gap->ticks)]++;
    f->units_histogram[profile_bucket(gap->units)]++;
    if (gap->ticks > f->longest_ticks)
        f->longest_ticks = gap->ticks;
    if (gap->units > f->longest_units)
        f->longest_units = gap->units;
    if (f->gap_count < PROFILE_GAPS || gap->ticks > f->gaps[f->shortest_gap].ticks)
        profile_keep_gap(f, gap);
}

static void profile_handler(uint64_t count, void *argument)
{
    struct profile_thread *t = argument;
    uint64_t now = ticks(), elapsed = now - t->last_ticks;
    struct profile_gap gap = {(int64_t)elapsed < 0 ? 0 : elapsed, count - t->last_units, t->last_from, (uint64_t)(uintptr_t)state->from};
    if (__atomic_load_n(&process->profile->closed, __ATOMIC_RELAXED))
        return;
    if ((t->count & (t->count + 1)) == 0)
        prctl(PR_GET_NAME, t->name); // threads are named after they begin
    __atomic_store_n(&t->sequence, t->sequence + 1, __ATOMIC_RELAXED);
    __atomic_thread_fence(__ATOMIC_RELEASE);
    t->count++;
    profile_record(&t->figures, &gap);
    t->last_ticks = now;
    t->last_units = count;
    t->last_from = gap.to;
    t->figures.handler_ticks += ticks() - now;
    __atomic_store_n(&t->sequence, t->sequence + 1, __ATOMIC_RELEASE);
}

// ---- Threads ----

/// The calling thread's record, or NULL.
static struct profile_thread *profile_thread(state_t *s)
{
    struct profile *p = process->profile;
    if (s->profile || !p)
        return s->profile;
    struct profile_thread *t = NULL;
    if (__atomic_add_fetch(&p->count, 1, __ATOMIC_RELAXED) <= PROFILE_THREADS)
        t = weft_reserve(sizeof *t);
    if (!t) {
        __atomic_add_fetch(&p->left_out, 1, __ATOMIC_RELAXED);
        return NULL;
    }
    t->id = weft_thread_id();
    prctl(PR_GET_NAME, t->name);
    s->profile = t;
    t->next = __atomic_load_n(&p->threads, __ATOMIC_RELAXED);
    while (!__atomic_compare_exchange_n(&p->threads, &t->next, t, 1, __ATOMIC_RELEASE, __ATOMIC_RELAXED))
        ;
    return t;
}

/// A thread without a handler is at a probe. Returns whether it has one now.
static int profile_begins(state_t *s)
{
    struct profile *p = process->profile;
    if (!p || s->profile || p->refused || p->closed)
        return 0;
    int saved = errno;
    struct profile_thread *t = profile_thread(s);
    if (t) {
        t->last_units = weft_interrupts_count();
        t->last_from = (uint64_t)(uintptr_t)s->from;
        t->last_ticks = ticks();
    }
    int error = t ? weft_interrupts_register(p->clock, p->interval, p->handler, t) : ENOMEM;
    if (t && error && !__atomic_exchange_n(&p->refused, (uint32_t)error, __ATOMIC_RELAXED))
        profile_complain("no profile: ", error == ENOTSUP ? "the program has no probes for this clock" : "no timer", error == ENOTSUP ? 0 : error);
    errno = saved;
    return !error;
}

/// The program registers or deregisters a handler itself: that ends the profile of the thread.
static void profile_yields(state_t *s, weft_interrupts_handler handler)
{
    struct profile *p = process->profile;
    if (!p || handler == p->handler)
        return;
    struct profile_thread *t = profile_thread(s);
    if (t)
        t->own_handler = 1;
}

/// The forking thread is the child's only one, and begins at zero.
static void profile_after_fork(void)
{
    struct profile *p = process->profile;
    struct profile_thread *t = state->profile;
    p->pid = getpid();
    p->forked = 1;
    p->threads = t;
    p->count = t != NULL;
    p->left_out = p->closed = 0;
    if (!t)
        return;
    memset(&t->figures, 0, sizeof t->figures);
    t->next = NULL;
    t->id = weft_thread_id();
    t->count = 0;
    t->sequence = 0;
}

// ---- The file ----

static void profile_pair(struct weft_file *file, const char *name, uint64_t number)
{
    weft_file_text(file, name);
    weft_file_number(file, number);
}

static void profile_write_histogram(struct weft_file *file, const char *name, const uint64_t *histogram)
{
    const char *separator = "[";
    weft_file_text(file, name);
    weft_file_text(file, "[");
    for (uint32_t i = 0; i < PROFILE_BUCKETS; i++) {
        if (!histogram[i])
            continue;
        weft_file_text(file, separator);
        weft_file_number(file, profile_lowest(i));
        profile_pair(file, ",", histogram[i]);
        separator = "],[";
    }
    weft_file_text(file, *separator == ']' ? "]]" : "]");
}

/// Copies the figures of a thread that may be recording. `closed` ends that soon.
static void profile_take_figures(const struct profile_thread *t, struct profile_figures *figures)
{
    struct timespec moment = {0, 100 * 1000};
    for (int tries = 0; tries < 1000; tries++) {
        uint32_t before = __atomic_load_n(&t->sequence, __ATOMIC_ACQUIRE);
        memcpy(figures, &t->figures, sizeof *figures);
        __atomic_thread_fence(__ATOMIC_ACQUIRE);
        if (before % 2 == 0 && before == __atomic_load_n(&t->sequence, __ATOMIC_RELAXED))
            return;
        nanosleep(&moment, NULL);
    }
}

static void profile_write_gaps(struct weft_file *file, const struct profile_figures *figures)
{
    weft_file_text(file, ",\n \"gaps\":[");
    for (uint64_t i = 0; i < figures->gap_count; i++) {
        profile_pair(file, i ? ",\n  {\"ticks\":" : "\n  {\"ticks\":", figures->gaps[i].ticks);
        profile_pair(file, ",\"units\":", figures->gaps[i].units);
        profile_pair(file, ",\"from\":", figures->gaps[i].from);
        profile_pair(file, ",\"to\":", figures->gaps[i].to);
        weft_file_text(file, "}");
    }
    weft_file_text(file, "]}");
}

static void profile_write_thread(struct weft_file *file, const struct profile_thread *t, struct profile_figures *figures, int first)
{
    profile_take_figures(t, figures);
    uint64_t interrupts = 0;
    for (uint32_t i = 0; i < PROFILE_BUCKETS; i++)
        interrupts += figures->ticks_histogram[i];
    profile_pair(file, first ? "\n{\"id\":" : ",\n{\"id\":", (uint64_t)t->id);
    weft_file_text(file, ",\"name\":");
    weft_file_json(file, t->name);
    weft_file_text(file, weft_thread_is_gone(t->id) ? ",\"ended\":true" : ",\"ended\":false");
    weft_file_text(file, t->own_handler ? ",\"own_handler\":true" : ",\"own_handler\":false");
    profile_pair(file, ",\"interrupts\":", interrupts);
    profile_pair(file, ",\"ticks\":", figures->ticks);
    profile_pair(file, ",\"units\":", figures->units);
    profile_pair(file, ",\"handler_ticks\":", figures->handler_ticks);
    profile_pair(file, ",\"longest_ticks\":", figures->longest_ticks);
    profile_pair(file, ",\"longest_units\":", figures->longest_units);
    profile_write_histogram(file, ",\n \"ticks_histogram\":", figures->ticks_histogram);
    profile_write_histogram(file, ",\n \"units_histogram\":", figures->units_histogram);
    profile_write_gaps(file, figures);
}

static void profile_write_program(struct weft_file *file)
{
    char program[PATH_MAX];
    ssize_t length = readlink("/proc/self/exe", program, sizeof program - 1);
    program[length > 0 ? length : 0] = '\0';
    weft_file_json(file, program);
}

/// The note of the linker, in hexadecimal; "" without one.
static void profile_build_id(const struct dl_phdr_info *module, char *text, size_t room)
{
    static const char hexadecimal[] = "0123456789abcdef";
    *text = '\0';
    for (size_t i = 0; i < module->dlpi_phnum; i++) {
        if (module->dlpi_phdr[i].p_type != PT_NOTE || module->dlpi_phdr[i].p_align > 8)
            continue;
        const char *note = (const char *)(module->dlpi_addr + module->dlpi_phdr[i].p_vaddr), *end = note + module->dlpi_phdr[i].p_memsz;
        while ((size_t)(end - note) >= sizeof(ElfW(Nhdr))) {
            const ElfW(Nhdr) *header = (const void *)note;
            const char *name = note + sizeof *header, *id = name + (header->n_namesz + 3) / 4 * 4;
            if (header->n_type == NT_GNU_BUILD_ID && header->n_namesz == 4 && memcmp(name, "GNU", 4) == 0) {
                for (size_t k = 0; k < header->n_descsz && 2 * k + 2 < room; k++) {
                    *text++ = hexadecimal[(unsigned char)id[k] >> 4];
                    *text++ = hexadecimal[id[k] & 15];
                    *text = '\0';
                }
                return;
            }
            note = id + (header->n_descsz + 3) / 4 * 4;
        }
    }
}

struct profile_modules {
    struct weft_file *file;
    int count;
};

static int profile_write_module(struct dl_phdr_info *module, size_t size, void *argument)
{
    struct profile_modules *modules = argument;
    uint64_t start = UINT64_MAX, end = 0;
    char build_id[130];
    (void)size;
    for (size_t i = 0; i < module->dlpi_phnum; i++) {
        if (module->dlpi_phdr[i].p_type != PT_LOAD)
            continue;
        uint64_t first = module->dlpi_addr + module->dlpi_phdr[i].p_vaddr;
        start = first < start ? first : start;
        end = first + module->dlpi_phdr[i].p_memsz > end ? first + module->dlpi_phdr[i].p_memsz : end;
    }
    if (start >= end)
        return 0;
    int first = modules->count++ == 0;
    weft_file_text(modules->file, first ? "\n{\"path\":" : ",\n{\"path\":");
    if (first && !*module->dlpi_name)
        profile_write_program(modules->file);
    else
        weft_file_json(modules->file, module->dlpi_name);
    profile_build_id(module, build_id, sizeof build_id);
    weft_file_text(modules->file, ",\"build_id\":");
    weft_file_json(modules->file, build_id);
    profile_pair(modules->file, ",\"base\":", module->dlpi_addr);
    profile_pair(modules->file, ",\"start\":", start);
    profile_pair(modules->file, ",\"end\":", end);
    weft_file_text(modules->file, "}");
    return 0;
}

static void profile_write_all(struct weft_file *file, struct profile *p)
{
    static const char *const clocks[] = {"", "cycles", "instructions", "flag"};
    struct profile_modules modules = {file, 0};
    weft_file_text(file, "{\"format\":\"weft-interrupts-profile\",\"version\":1,\"program\":");
    profile_write_program(file);
    profile_pair(file, ",\"pid\":", (uint64_t)getpid());
    weft_file_text(file, ",\"clock\":");
    weft_file_json(file, clocks[p->clock]);
    profile_pair(file, ",\"interval\":", p->interval);
    profile_pair(file, ",\"ticks_per_second\":", weft_interrupts_ticks_per_second());
    profile_pair(file, ",\"refused\":", p->refused);
    profile_pair(file, ",\"threads_left_out\":", p->left_out);
    weft_file_text(file, ",\n\"threads\":[");
    const struct profile_thread *newest = __atomic_load_n(&p->threads, __ATOMIC_ACQUIRE);
    for (const struct profile_thread *t = newest; t; t = t->next)
        profile_write_thread(file, t, &p->shown, t == newest);
    weft_file_text(file, "],\n\"modules\":[");
    dl_iterate_phdr(profile_write_module, &modules);
    weft_file_text(file, "]}\n");
}

static void profile_write(struct profile *p)
{
    static struct weft_file file;
    static char path[PATH_MAX];
    struct weft_quiet quiet;
    int to_stderr = strcmp(p->path, "-") == 0;
    __atomic_store_n(&p->closed, 1, __ATOMIC_SEQ_CST);
    weft_quiet_begin(&quiet);
    // A child that no fork handler has seen must not take its parent's place either.
    int error = to_stderr ? 0 : weft_expand_path(path, sizeof path, p->path, getpid(), p->forked || p->pid != getpid());
    if (!error && to_stderr)
        weft_file_attach(&file, STDERR_FILENO);
    else if (!error)
        error = weft_file_open(&file, path);
    if (!error) {
        profile_write_all(&file, p);
        error = weft_file_close(&file);
    }
    weft_quiet_end(&quiet);
    if (error)
        profile_complain("cannot write the profile to ", *path ? path : p->path, error);
}

// ---- Start and end of the process ----

/// The number that a variable of the environment holds; `standard` without it, 0 where it is no interval.
static uint64_t profile_interval(const char *name, uint64_t standard)
{
    const char *text = weft_setting(name);
    if (!text)
        return standard;
    uint64_t number = 0;
    for (; *text >= '0' && *text <= '9' && number <= WEFT_INTERRUPTS_MAX_INTERVAL; text++)
        number = number * 10 + (uint64_t)(*text - '0');
    return *text || number > WEFT_INTERRUPTS_MAX_INTERVAL ? 0 : number;
}

static int profile_settings(struct profile *p)
{
    const char *clock = weft_setting("WEFT_INTERRUPTS_CLOCK"), *path = weft_setting("WEFT_INTERRUPTS_PROFILE");
    p->clock = !clock                               ? weft_interrupts_build_clock()
               : strcmp(clock, "cycles") == 0       ? WEFT_INTERRUPTS_CYCLES
               : strcmp(clock, "instructions") == 0 ? WEFT_INTERRUPTS_INSTRUCTIONS
               : strcmp(clock, "flag") == 0         ? WEFT_INTERRUPTS_FLAG
                                                    : WEFT_INTERRUPTS_DEFAULT;
    p->interval = profile_interval("WEFT_INTERRUPTS_INTERVAL", p->clock == WEFT_INTERRUPTS_FLAG ? 100000 : 10000);
    if (p->clock == WEFT_INTERRUPTS_DEFAULT)
        profile_complain("no profile: WEFT_INTERRUPTS_CLOCK is not one of cycles, instructions, flag", "", 0);
    else if (!p->interval)
        profile_complain("no profile: WEFT_INTERRUPTS_INTERVAL is not a number from 1 to 2^48", "", 0);
    else if (strcmp(path, "-") == 0 || weft_absolute_path(p->path, sizeof p->path, path) != 0)
        strncpy(p->path, path, sizeof p->path - 1);
    return *p->path;
}

/// Threads that were at a probe before this go on without a profile, but for the one that starts the process.
__attribute__((constructor(101))) static void profile_prepare(void)
{
    if (process->profile || !weft_setting("WEFT_INTERRUPTS_PROFILE"))
        return;
    int saved = errno;
    struct profile *p = weft_reserve(sizeof *p);
    if (p && profile_settings(p)) {
        p->handler = profile_handler;
        p->writer = &profile_copy;
        p->pid = getpid();
        process->profile = p;
        pthread_atfork(NULL, NULL, profile_after_fork);
        if (!state->handler) {
            state->flag = FRESH;
            state->probes = (uint8_t)probes();
            allow(state, 0);
        }
    }
    errno = saved;
}

__attribute__((destructor(101))) static void profile_finish(void)
{
    struct profile *p = process->profile;
    int saved = errno;
    if (p && p->writer == &profile_copy)
        profile_write(p);
    errno = saved;
}

#endif
