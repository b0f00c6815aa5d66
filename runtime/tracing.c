// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The tracing runtime's life: what each module does when it is loaded, settings from the environment, the public interface
// of weft/tracing.h, fork and exit.

#define __WEFT_TRACING__ 1

#include "tracing_internal.h"
#include "include/weft/tracing.h"

#include <errno.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

// struct weft_tracing_thread with `high` at UINT32_MAX.
__asm__(WEFT_SHARED("__weft_tracing_v1")
        ".section .tdata.__weft_tracing_v1, \"awTG\", %progbits, __weft_tracing_v1, comdat\n"
        ".balign 64\n"
        "__weft_tracing_v1:\n"
        ".zero 8\n.long 0xffffffff\n.zero 52\n"
        ".size __weft_tracing_v1, 64\n"
        ".text\n");

__asm__(WEFT_SHARED("__weft_tracing_process_v1")
        ".section .bss.__weft_tracing_process_v1, \"awG\", %nobits, __weft_tracing_process_v1, comdat\n"
        ".balign 64\n"
        "__weft_tracing_process_v1:\n"
        ".zero " WEFT_TEXT(PROCESS_BYTES) "\n"
        ".size __weft_tracing_process_v1, " WEFT_TEXT(PROCESS_BYTES) "\n"
        ".text\n");

extern const char __start_weft_trc_sleds[] __attribute__((weak, visibility("hidden")));
extern const char __stop_weft_trc_sleds[] __attribute__((weak, visibility("hidden")));
extern const char __start_xray_instr_map[] __attribute__((weak, visibility("hidden")));
extern const char __stop_xray_instr_map[] __attribute__((weak, visibility("hidden")));
#if defined(__x86_64__)
#define TRAMPOLINES(DO) DO(entry_exact) DO(exit_exact) DO(tail_exit_exact) DO(entry_untimed) DO(exit_untimed) DO(tail_exit_untimed) DO(entry_coarse) DO(exit_coarse) DO(tail_exit_coarse)
#else
#define TRAMPOLINES(DO) DO(entry) DO(exit) DO(tail_exit) DO(entry) DO(exit) DO(tail_exit) DO(entry) DO(exit) DO(tail_exit)
#endif
#define DECLARE(name) extern const char weft_tracing_##name[] __attribute__((visibility("hidden")));
#define NAME(name) weft_tracing_##name,

TRAMPOLINES(DECLARE)

static void complain(const char *a, const char *b, const char *c)
{
    const char *texts[] = {a, b, c, NULL};
    weft_complain("tracing", texts);
}

static void complain_of(const char *what, int error)
{
    char unknown[WEFT_ERROR_TEXT];
    complain(what, ": ", weft_error_text(error, unknown));
}

// ---- Settings ----

static int is_text(const char *a, const char *b)
{
    while (*a && *a == *b)
        a++, b++;
    return *a == *b;
}

/// Whether the text up to `end` is all of `word`.
static int is_word(const char *text, const char *end, const char *word)
{
    while (text < end && *text == *word)
        text++, word++;
    return text == end && !*word;
}

/// A number with a unit, up to `end`: bytes with K, M, G; or ns, us, ms, s. UINT64_MAX when it is not one.
static uint64_t quantity(const char *text, const char *end)
{
    static const struct {
        const char *unit;
        uint64_t factor;
    } units[] = {{"", 1}, {"K", 1 << 10}, {"M", 1 << 20}, {"G", 1 << 30}, {"ns", 1}, {"us", 1000}, {"ms", 1000000}, {"s", 1000000000}};
    uint64_t number = 0, parts = 1;
    int pointed = 0;
    const char *at = text;
    for (; at < end && ((*at >= '0' && *at <= '9') || (*at == '.' && !pointed && at > text)); at++)
        if (*at == '.')
            pointed = 1;
        else if (__builtin_mul_overflow(number, 10, &number) || __builtin_add_overflow(number, (uint64_t)(*at - '0'), &number) || (pointed && __builtin_mul_overflow(parts, 10, &parts)))
            return UINT64_MAX;
    for (unsigned i = 0; at > text && i < sizeof units / sizeof *units; i++)
        if (is_word(at, end, units[i].unit) && !__builtin_mul_overflow(number, units[i].factor, &number))
            return number / parts;
    return UINT64_MAX;
}

static uint64_t numeric(const char *name, uint64_t otherwise)
{
    const char *text = weft_setting(name);
    if (!text)
        return otherwise;
    uint64_t number = quantity(text, text + text_length(text));
    if (number != UINT64_MAX)
        return number;
    const char *texts[] = {name, "='", text, "' is not a number: ignored", NULL};
    weft_complain("tracing", texts);
    return otherwise;
}

static int truth(const char *name)
{
    const char *text = weft_setting(name);
    return text && (is_text(text, "on") || is_text(text, "1") || is_text(text, "true") || is_text(text, "yes"));
}

static void copy_text(char *to, size_t size, const char *from, const char *what)
{
    size_t length = from ? text_length(from) : 0;
    if (length >= size) {
        complain(what, " is too long: ignored", "");
        length = 0;
    }
    copy_bytes(to, from, length);
    to[length] = '\0';
}

/// Patterns. Whether there are any.
static int copy_setting(char to[PATTERNS], const char *name)
{
    copy_text(to, PATTERNS, weft_setting(name), name);
    return to[0] != '\0';
}

static void name_program(void)
{
    char link[PATH_MAX];
    long length = raw_syscall(SYS_readlinkat, -100, "/proc/self/exe", link, sizeof link - 1);
    if (length <= 0)
        return copy_text(process->tables->program, sizeof process->tables->program, "program", "");
    link[length] = '\0';
    const char *name = link;
    for (const char *at = link; *at; at++)
        if (*at == '/')
            name = at + 1;
    copy_text(process->tables->program, sizeof process->tables->program, name, "the program's name");
}

/// Where traces go, absolute, so that it outlives a chdir().
static int name_file(void)
{
    char *given = process->tables->file_path; // which is made of the pattern later
    const char *file = weft_setting("WEFT_TRACING_FILE");
    if (!file) {
        const char *folder = weft_setting("WEFT_OUT");
        const char *rest = "/%n.%p.weft-trace";
        size_t size = text_length(folder ? folder : "weft-out");
        if (size + text_length(rest) >= PATH_MAX)
            return ENAMETOOLONG;
        copy_bytes(given, folder ? folder : "weft-out", size);
        copy_bytes(given + size, rest, text_length(rest) + 1);
        file = given;
    }
    return weft_absolute_path(process->tables->file_pattern, sizeof process->tables->file_pattern, file);
}

/// `FROM~TO`, either of which may be missing.
static void range_setting(void)
{
    struct weft_tracing_filters *filters = &process->filters;
    const char *text = weft_setting("WEFT_TRACING_RANGE"), *middle = text;
    filters->until = UINT64_MAX;
    if (!text)
        return;
    while (*middle && *middle != '~')
        middle++;
    uint64_t from = middle == text ? 0 : quantity(text, middle);
    uint64_t until = !*middle ? 0 : !middle[1] ? UINT64_MAX - 1 : quantity(middle + 1, middle + text_length(middle));
    if (from == UINT64_MAX || until == UINT64_MAX || until < from || from > UINT64_MAX / 2) {
        complain("WEFT_TRACING_RANGE='", text, "' is not a range such as 500ms~2s, 5s~ or ~1s: ignored");
        return;
    }
    filters->from = from;
    filters->until = until > UINT64_MAX / 2 ? UINT64_MAX : until;
    filters->range = BEFORE_RANGE;
}

static uint32_t clock_setting(void)
{
    const char *text = weft_setting("WEFT_TRACING_CLOCK");
    if (!text || is_text(text, "exact"))
        return WEFT_TRACING_EXACT;
    if (is_text(text, "coarse"))
        return WEFT_TRACING_COARSE;
    if (is_text(text, "none"))
        return WEFT_TRACING_UNTIMED;
    complain("WEFT_TRACING_CLOCK='", text, "' is not exact, coarse or none: exact it is");
    return WEFT_TRACING_EXACT;
}

// ---- The clock ----

#if defined(__x86_64__)
static void cpuid(uint32_t leaf, uint32_t *registers)
{
    __asm__ volatile("cpuid" : "=a"(registers[0]), "=b"(registers[1]), "=c"(registers[2]), "=d"(registers[3]) : "a"(leaf), "c"(0));
}

static int counter_is_steady(void)
{
    uint32_t registers[4];
    cpuid(0x80000000u, registers);
    if (registers[0] < 0x80000007u)
        return 0;
    cpuid(0x80000007u, registers);
    return registers[3] >> 8 & 1;
}
#else
static int counter_is_steady(void)
{
    return 1; // the architecture says so
}
#endif

static uint64_t wall(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/// Ticks a second, from a fiftieth of a millisecond; the file's later calibrations are far better.
static uint64_t estimate_frequency(void)
{
    if (process->clock_kind == 2)
        return 1000000000u;
    struct weft_tracing_moment first = weft_tracing_look();
    while (weft_tracing_monotonic() - first.nanoseconds < 20000)
        ;
    struct weft_tracing_moment last = weft_tracing_look();
    return (last.ticks - first.ticks) * 1000000000u / (last.nanoseconds - first.nanoseconds);
}

/// Ticks that an event costs, near enough: reading the clock is most of it.
static uint64_t estimate_cost(void)
{
    uint64_t first = weft_tracing_clock(), last = first;
    for (int i = 0; i < 64; i++)
        last = weft_tracing_clock();
    return (last - first) / 64 * 3 / 2 + 1;
}

static void start_clock(void)
{
    process->clock_kind = 1;
    if (!counter_is_steady()) {
        process->clock_kind = 2;
        complain("this processor's counter does not run at a constant rate: events are timed by CLOCK_MONOTONIC, which costs several times as much", "", "");
    }
    process->frequency = estimate_frequency();
    process->cost = estimate_cost();
    struct weft_tracing_moment now = weft_tracing_look();
    process->started = now.ticks;
    process->started_monotonic = now.nanoseconds;
    process->started_wall = wall();
}

static void *tick(void *unused)
{
    (void)unused;
    pthread_setname_np(pthread_self(), "weft-tick");
    // As often as sleeping allows without a timer's slack; records say that their clock is coarse.
    struct timespec pause = {0, 1000};
    raw_syscall(SYS_prctl, 29, 1); // PR_SET_TIMERSLACK
    for (;;) {
        __atomic_store_n(&process->tick, weft_tracing_clock(), __ATOMIC_RELAXED);
        raw_syscall(SYS_clock_nanosleep, CLOCK_MONOTONIC, 0, &pause, NULL);
    }
    return NULL;
}

static void start_thread(void *(*body)(void *), const char *otherwise)
{
    pthread_t thread;
    pthread_attr_t attributes;
    sigset_t all, saved;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &saved);
    pthread_attr_init(&attributes);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    if (pthread_create(&thread, &attributes, body, NULL) != 0)
        complain(otherwise, "", "");
    pthread_attr_destroy(&attributes);
    pthread_sigmask(SIG_SETMASK, &saved, NULL);
}

static void start_ticking(void)
{
    if (process->ticking)
        return;
    process->tick = weft_tracing_clock();
    process->ticking = 1;
    start_thread(tick, "no thread for the coarse clock: it stands still");
}

/// The clock that a request for `clock` gets here.
uint32_t weft_tracing_served(uint32_t clock)
{
    if (clock == WEFT_TRACING_COARSE && process->clock_kind == 1)
        start_ticking();
    int indirect = process->filters.active || process->values || process->handler || (process->clock_kind == 2 && clock != WEFT_TRACING_UNTIMED);
    return indirect ? WEFT_TRACING_CALLED : clock;
}

// ---- Recording ----

int weft_tracing_begin_recording(void)
{
    weft_tracing_own_file();
    if (process->recording)
        return 0;
    if (!process->sink) {
        char *memory = weft_reserve(3 * BLOCK);
        if (!memory)
            return ENOMEM;
        process->sink = (char *)(((uintptr_t)memory + BLOCK - 1) & ~(BLOCK - 1));
    }
    start_clock();
    process->pid = getpid();
    process->metadata = NULL;
    process->metadata_blocks = 0;
    int error = weft_tracing_open_file();
    if (error)
        return -error;
    __atomic_store_n(&process->recording, 1, __ATOMIC_RELEASE);
    return 0;
}

static int begin_recording_loudly(void)
{
    int error = weft_tracing_begin_recording();
    if (error) {
        char unknown[WEFT_ERROR_TEXT];
        const char *texts[] = {"cannot create '", process->tables->file_path, "': ", weft_error_text(error, unknown), ": nothing is recorded; WEFT_TRACING_FILE names another place", NULL};
        weft_complain("tracing", texts);
    }
    return error;
}

/// Switches functions of one module. `patterns` NULL: all.
static long switch_module(struct weft_tracing_module *module, const char *patterns, const char *except, int on, uint32_t clock)
{
    int error = weft_tracing_load(module);
    if (error || !module->function_count || module->gone)
        return -error;
    if (!patterns && !except)
        return weft_tracing_patch_module(module, NULL, on, clock);
    uint8_t *selected = weft_reserve(module->function_count);
    if (!selected)
        return -ENOMEM;
    uint32_t count = 0;
    for (uint32_t i = 0; i < module->function_count; i++) {
        const struct weft_tracing_function *function = &module->functions[i];
        selected[i] = (!patterns || weft_tracing_matches(patterns, module, function)) && !(except && weft_tracing_matches(except, module, function));
        count += selected[i];
    }
    long changed = count ? weft_tracing_patch_module(module, selected, on, clock) : 0;
    munmap(selected, module->function_count);
    return changed;
}

static long switch_all(const char *patterns, const char *except, int on, uint32_t clock)
{
    long changed = 0;
    uint32_t by = weft_tracing_served(clock);
    for (uint32_t i = 0; i < process->module_count; i++) {
        long result = switch_module(&process->tables->modules[i], patterns, except, on, by);
        if (result < 0)
            return result;
        changed += result;
    }
    return changed;
}

static const char *set_or_null(const char *text)
{
    return text[0] ? text : NULL;
}

/// As the environment says.
static void switch_new(struct weft_tracing_module *module)
{
    long changed = -weft_tracing_load(module);
    if (changed == 0 && (!process->tables->only_modules[0] || weft_tracing_is_module(module, process->tables->only_modules)))
        changed = switch_module(module, set_or_null(process->tables->only), set_or_null(process->tables->hide), 1, weft_tracing_served(process->default_clock));
    if (changed < 0)
        complain_of("functions cannot be switched on", (int)-changed);
}

/// For who looks up what could have been switched on.
static void describe_all(struct weft_tracing_module *module)
{
    for (uint32_t i = 0; module->table && i < module->function_count; i++)
        weft_tracing_describe(module, i);
}

/// Whether the environment asked for a trace.
static int should_have_recorded(void)
{
    return process->recording && (process->prepared == 2 || process->filters.range == BEFORE_RANGE || process->filters.range == AFTER_RANGE);
}

static int has_functions(uint32_t flag)
{
    for (uint32_t i = 0; i < process->module_count; i++)
        for (uint32_t j = 0; process->tables->modules[i].table && j < process->tables->modules[i].function_count; j++)
            if (process->tables->modules[i].functions[j].flags & flag)
                return 1;
    return 0;
}

/// Why there is nothing to see, when there is not.
static void explain_nothing(void)
{
    const struct weft_tracing_filters *filters = &process->filters;
    if (filters->range == BEFORE_RANGE)
        complain("the program has ended before WEFT_TRACING_RANGE began: nothing is recorded", "", "");
    else if (!process->next_id)
        complain("no function of this program can be traced: its functions are all below the threshold of --tracing-threshold (200 instructions, or a loop); build with --tracing-threshold 1 for every function", "", "");
    else if (!process->switched_on && process->tables->only_modules[0])
        complain("no function that is wanted lies in WEFT_TRACING_MODULE='", process->tables->only_modules, "': nothing is recorded");
    else if (!process->switched_on)
        complain("no function matches WEFT_TRACING_ONLY='", process->tables->only, "' (and is not hidden): nothing is recorded; 'weft tracing functions' lists those that there are");
    else if (filters->patterns & FILTERED_FUNCTION && !has_functions(FILTERED_FUNCTION))
        complain("no function matches WEFT_TRACING_FILTER='", process->tables->filter, "': no call is recorded");
    else if (filters->patterns & REACHED_FUNCTION && !has_functions(REACHED_FUNCTION))
        complain("no function matches WEFT_TRACING_CALLERS='", process->tables->callers, "': no call is recorded");
    else if (filters->threads == (THREADS_FILTERED | THREAD_EXCLUDED))
        complain("no thread matches WEFT_TRACING_THREADS='", process->tables->threads, "': nothing is recorded");
}

// ---- The range of time ----

static void sleep_until(uint64_t nanoseconds)
{
    uint64_t at = process->started_monotonic + nanoseconds;
    struct timespec when = {(time_t)(at / 1000000000u), (long)(at % 1000000000u)};
    while (raw_syscall(SYS_clock_nanosleep, CLOCK_MONOTONIC, TIMER_ABSTIME, &when, NULL) == -EINTR)
        ;
}

/// Functions are off outside the range: the program runs at full speed until then, and afterwards.
static void enter_range(void)
{
    if (weft_lock(&process->lock) != 0)
        return;
    process->filters.range = IN_RANGE;
    process->prepared = 2;
    for (uint32_t i = 0; i < process->module_count; i++)
        switch_new(&process->tables->modules[i]);
    weft_unlock(&process->lock);
}

static void leave_range(void)
{
    if (weft_lock(&process->lock) != 0)
        return;
    process->filters.range = AFTER_RANGE;
    process->prepared = 1;
    switch_all(NULL, NULL, 0, 0);
    weft_unlock(&process->lock);
}

static void *keep_range(void *unused)
{
    (void)unused;
    pthread_setname_np(pthread_self(), "weft-range");
    sleep_until(process->filters.from);
    if (process->filters.range == BEFORE_RANGE)
        enter_range();
    if (process->filters.until == UINT64_MAX)
        return NULL;
    sleep_until(process->filters.until);
    leave_range();
    return NULL;
}

static void start_range(void)
{
    if (process->filters.range == BEFORE_RANGE || process->filters.range == IN_RANGE)
        start_thread(keep_range, "no thread for WEFT_TRACING_RANGE: nothing is recorded");
}

// ---- Modules ----

static struct weft_tracing_module *own;

static void read_settings(void)
{
    process->size_limit = numeric("WEFT_TRACING_SIZE", (uint64_t)1 << 30);
    struct rlimit limit; // going beyond would be answered with a signal
    if (getrlimit(RLIMIT_FSIZE, &limit) == 0 && limit.rlim_cur < process->size_limit)
        process->size_limit = limit.rlim_cur;
    uint64_t ring = numeric("WEFT_TRACING_RING", 0);
    process->ring = ring ? (ring < 2 * BLOCK ? 2 * BLOCK : ring + BLOCK - 1) & ~(BLOCK - 1) : 0;
    process->filters.depth = (uint32_t)numeric("WEFT_TRACING_DEPTH", 0);
    process->filters.min_duration = numeric("WEFT_TRACING_MIN_DURATION", 0);
    process->filters.threads = copy_setting(process->tables->threads, "WEFT_TRACING_THREADS") ? THREADS_FILTERED : 0;
    process->filters.patterns = (copy_setting(process->tables->filter, "WEFT_TRACING_FILTER") ? FILTERED_FUNCTION : 0) |
        (copy_setting(process->tables->notrace, "WEFT_TRACING_NOTRACE") ? EXCLUDED_FUNCTION : 0) |
        (copy_setting(process->tables->callers, "WEFT_TRACING_CALLERS") ? REACHED_FUNCTION : 0);
    process->filters.active = process->filters.depth || process->filters.min_duration || process->filters.patterns;
    range_setting();
    process->page = (uint64_t)sysconf(_SC_PAGESIZE);
    process->adaptive = (uint32_t)numeric("WEFT_TRACING_ADAPTIVE", 0);
    process->values = (uint32_t)truth("WEFT_TRACING_ARGS");
    process->default_clock = clock_setting();
    copy_setting(process->tables->only, "WEFT_TRACING_ONLY");
    copy_setting(process->tables->hide, "WEFT_TRACING_HIDE");
    copy_setting(process->tables->only_modules, "WEFT_TRACING_MODULE");
    name_program();
    int error = name_file();
    if (error)
        complain_of("the trace's name", error);
}

static void before_fork(void)
{
    weft_lock(&process->lock);
}

static void after_fork_in_parent(void)
{
    weft_unlock(&process->lock);
}

static void after_fork_in_child(void)
{
    process->lock.word = 0;
    process->spin = 0;
    process->pid = getpid();
    if (process->recording)
        process->forked = 1;
    if (process->ticking) { // the thread that ticks stayed with the parent
        process->ticking = 0;
        start_ticking();
    }
    if (process->recording)
        start_range();
    self->buffer = NULL;
    self->cursor = NULL;
    self->high = UINT32_MAX;
}

static void prepare(void)
{
    process->tables = weft_reserve(sizeof *process->tables);
    if (!process->tables)
        return;
    pthread_atfork(before_fork, after_fork_in_parent, after_fork_in_child);
    read_settings();
    const char *setting = weft_setting("WEFT_TRACING");
    if (setting && !is_text(setting, "off") && !is_text(setting, "0") && !truth("WEFT_TRACING"))
        complain("WEFT_TRACING='", setting, "' is neither on nor off: off it is");
    if (!(setting && is_text(setting, "off")))
        weft_tracing_listen();
    process->prepared = 1;
    if (!truth("WEFT_TRACING") || begin_recording_loudly() != 0)
        return;
    if (process->filters.range == BEFORE_RANGE && !process->filters.from)
        process->filters.range = IN_RANGE;
    if (process->filters.range != BEFORE_RANGE)
        process->prepared = 2;
    start_range();
}

/// Runs before the constructors of the program.
__attribute__((constructor(101))) static void enter_module(void)
{
    if (weft_lock(&process->lock) != 0)
        return;
    if (!process->prepared)
        prepare();
    if (process->tables && process->module_count < MODULES) {
        own = &process->tables->modules[process->module_count];
        *own = (struct weft_tracing_module){
            .sleds = __start_weft_trc_sleds, .sleds_end = __stop_weft_trc_sleds, .map = __start_xray_instr_map, .map_end = __stop_xray_instr_map};
        const char *const trampolines[] = {TRAMPOLINES(NAME)};
        for (unsigned i = 0; i < 9; i++)
            own->trampolines[i / 3][i % 3] = trampolines[i];
        process->module_count++;
        own = weft_tracing_came_back(own);
        process->entering = 1;
        if (process->prepared == 2 && process->recording)
            switch_new(own);
        process->entering = 0;
    }
    weft_unlock(&process->lock);
}

static void end_recording(void)
{
    if (!process->recording || process->forked || getpid() != process->pid)
        return;
    weft_tracing_calibrate();
    __atomic_fetch_or((uint32_t *)(process->header + 88), 1, __ATOMIC_RELAXED);
}

/// After the destructors of the module; the first that came is the last to go. What a shared object was called stays in the
/// file.
__attribute__((destructor(101))) static void leave_module(void)
{
    if (!own || weft_lock(&process->lock) != 0)
        return;
    if (should_have_recorded() && !process->switched_on)
        describe_all(own);
    if (own->file)
        munmap((void *)own->file, own->file_size);
    own->gone = 1;
    if (own == process->tables->modules) {
        if (should_have_recorded())
            explain_nothing();
        end_recording();
    }
    weft_unlock(&process->lock);
}

// ---- The public interface ----

void weft_tracing_note(uint32_t function, const char *text)
{
    struct {
        uint64_t clock;
        uint32_t function, size;
    } head = {weft_tracing_clock(), function, (uint32_t)text_length(text)};
    size_t size = head.size;
    weft_tracing_write_metadata(4, &head, sizeof head, &text, &size, 1);
}

static uint32_t internal_clock(enum weft_tracing_clock clock)
{
    return clock == WEFT_TRACING_CLOCK_COARSE ? WEFT_TRACING_COARSE : clock == WEFT_TRACING_CLOCK_NONE ? WEFT_TRACING_UNTIMED : WEFT_TRACING_EXACT;
}

/// For requests that hold the lock.
long weft_tracing_switch(const char *globs, int on, uint32_t clock)
{
    return switch_all(globs, NULL, on, clock);
}

EXPORT long weft_tracing_on(const char *globs, enum weft_tracing_clock clock)
{
    int saved = errno, error = weft_lock(&process->lock);
    if (error)
        return -error;
    long changed = -(long)weft_tracing_begin_recording();
    if (changed == 0)
        changed = switch_all(globs, NULL, 1, internal_clock(clock));
    if (process->prepared == 1 && changed >= 0 && !globs) {
        process->prepared = 2; // modules that come later too
        process->default_clock = internal_clock(clock);
    }
    weft_unlock(&process->lock);
    errno = saved;
    return changed;
}

EXPORT long weft_tracing_off(const char *globs)
{
    int saved = errno, error = weft_lock(&process->lock);
    if (error)
        return -error;
    long changed = switch_all(globs, NULL, 0, 0);
    if (!globs && process->prepared == 2)
        process->prepared = 1;
    weft_unlock(&process->lock);
    errno = saved;
    return changed;
}

EXPORT const char *weft_tracing_file(void)
{
    weft_tracing_own_file();
    return process->recording ? process->tables->file_path : NULL;
}

static uint32_t describe_name(const char *text, uint32_t kind)
{
    struct {
        uint32_t id, kind, size;
    } head = {++process->name_count, kind, (uint32_t)text_length(text)};
    size_t size = head.size;
    weft_tracing_write_metadata(3, &head, sizeof head, &text, &size, 1);
    return head.id;
}

/// Of a name that had none. Threads that come at once get the same: a span ends with the id that it began with.
static uint32_t new_id(struct weft_tracing_name *name, uint32_t kind)
{
    if (weft_lock(&process->lock) != 0)
        return 0;
    uint32_t id = __atomic_load_n(&name->id, __ATOMIC_RELAXED);
    if (!id) {
        id = describe_name(name->text, kind);
        __atomic_store_n(&name->id, id, __ATOMIC_RELEASE);
    }
    weft_unlock(&process->lock);
    return id;
}

/// Names are numbered in the file that is being written: a forked child's copy has those of its parent.
static uint32_t id_of(struct weft_tracing_name *name, uint32_t kind)
{
    uint32_t id = __atomic_load_n(&name->id, __ATOMIC_ACQUIRE);
    return id ? id : new_id(name, kind);
}

static uint32_t special(uint32_t type, uint32_t argument)
{
    return argument << WEFT_TRACING_ARGUMENT_SHIFT | type << WEFT_TRACING_TYPE_SHIFT | WEFT_TRACING_OTHER;
}

EXPORT void weft_tracing_begin(struct weft_tracing_name *name)
{
    uint32_t id = weft_tracing_recording() ? id_of(name, 0) : 0;
    if (id)
        weft_tracing_put(special(WEFT_TRACING_BEGIN_RECORD, id), weft_tracing_clock(), NULL, 0);
}

EXPORT void weft_tracing_end(struct weft_tracing_name *name)
{
    uint32_t id = weft_tracing_recording() ? id_of(name, 0) : 0;
    if (id)
        weft_tracing_put(special(WEFT_TRACING_END_RECORD, id), weft_tracing_clock(), NULL, 0);
}

EXPORT void weft_tracing_event(struct weft_tracing_name *type, const void *data, size_t size)
{
    uint64_t payload[1 + WEFT_TRACING_EVENT_BYTES / 8] = {0};
    uint32_t id = weft_tracing_recording() ? id_of(type, 1) : 0;
    if (!id)
        return;
    if (size > WEFT_TRACING_EVENT_BYTES)
        size = WEFT_TRACING_EVENT_BYTES;
    payload[0] = id;
    copy_bytes(payload + 1, data, size);
    weft_tracing_put(special(WEFT_TRACING_EVENT_RECORD, (uint32_t)size), weft_tracing_clock(), payload, 1 + (unsigned)(size + 7) / 8);
}

// What `__weft_tracing_always()` in a function's body means is settled when it is compiled; calls that were not woven do nothing.
EXPORT void __weft_tracing_always(void) {}
EXPORT void __weft_tracing_never(void) {}
