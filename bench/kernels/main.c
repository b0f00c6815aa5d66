// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The harness of the C kernels: calls one, with interrupts or without, and prints a line of JSON. README.md has the settings.
//
// It is compiled without Weft, so it has no probes, and sees the runtime through the weak references of interrupts.h.

#define _GNU_SOURCE

#include "kernel.h"
#include "weft/interrupts.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/perf_event.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#ifndef sigev_notify_thread_id
#define sigev_notify_thread_id _sigev_un._tid
#endif

/// Records of one slot; what comes after them is not recorded.
#define RECORDS 1000000

/// Intervals that are left out at the start of each thread: the runtime is still learning how often to look at the clock.
#define CALIBRATION 32

/// Stretches between kernel_thread_begin() and kernel_thread_end() that one slot holds.
#define STRETCHES 1024

#define DEFAULT_INTERVAL 10000

/// Seconds after which a peer is given up: signals that come faster than they can be handled leave the kernel no time.
#define PATIENCE 15

enum source { NONE, WOVEN, TIMER, PERF };

struct record {
    uint64_t ticks;
    uint64_t count;
    uint64_t kernel; ///< how often the kernel had taken the thread, if that is asked for
};

/// What a thread writes to while its interrupts are on. Made before the first pass and used by one thread after the other,
/// so that starting a thread touches no new memory.
struct slot {
    struct record *records;
    size_t used;
    size_t starts[STRETCHES];
    size_t stretches;
    uint64_t fired;
    uint64_t fired_before;
    timer_t timer;
    int perf;
    bool taken;
};

static enum source source;
static enum weft_interrupts_clock clock_kind;
static weft_interrupts_handler handler;
static uint64_t interval;
static bool recording;
static uint64_t ticks_per_second;

static struct slot slots[KERNEL_THREADS];
static pthread_mutex_t slots_lock = PTHREAD_MUTEX_INITIALIZER;
static __thread struct slot *volatile mine;

static inline uint64_t ticks(void)
{
#if defined(__x86_64__)
    return __builtin_ia32_rdtsc();
#elif defined(__aarch64__)
    uint64_t value;
    __asm__ volatile("mrs %0, cntvct_el0" : "=r"(value));
    return value;
#else
#error "which instruction reads this processor's clock?"
#endif
}

static uint64_t nanoseconds(clockid_t id)
{
    struct timespec now;
    clock_gettime(id, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

/// The runtime's figure is not used: the peers run without a runtime.
static uint64_t measure_ticks_per_second(void)
{
    uint64_t nanoseconds_before = nanoseconds(CLOCK_MONOTONIC), ticks_before = ticks(), elapsed;
    while ((elapsed = nanoseconds(CLOCK_MONOTONIC) - nanoseconds_before) < 20000000)
        ;
    return (uint64_t)((double)(ticks() - ticks_before) * 1e9 / (double)elapsed);
}

// ---- What an interrupt does

static void empty(uint64_t count, void *argument)
{
    (void)count;
    (void)argument;
}

static void record(uint64_t count, void *argument)
{
    uint64_t now = ticks();
    struct slot *slot = argument;
    if (slot->used < RECORDS)
        slot->records[slot->used++] = (struct record){now, count, 0};
}

/// Page faults and switches of the thread so far. They cost an interval microseconds that no program can spend better.
static uint64_t taken_by_kernel(void)
{
    struct rusage usage;
    getrusage(RUSAGE_THREAD, &usage);
    return (uint64_t)(usage.ru_minflt + usage.ru_majflt + usage.ru_nvcsw + usage.ru_nivcsw);
}

static void record_apart(uint64_t count, void *argument)
{
    struct slot *slot = argument;
    size_t used = slot->used;
    record(count, argument);
    if (used < RECORDS)
        slot->records[used].kernel = taken_by_kernel();
}

/// The peers' interrupt. One that arrives late finds no slot.
static void on_signal(int number)
{
    (void)number;
    struct slot *slot = mine;
    if (!slot)
        return;
    slot->fired++;
    handler(0, slot);
}

static char no_end[256];

static void on_alarm(int number)
{
    (void)number;
    ssize_t written = write(STDOUT_FILENO, no_end, strlen(no_end));
    _exit(written < 0);
}

// ---- Starting and ending interrupts on a thread

_Noreturn static void unavailable(int error)
{
    printf("{\"kernel\":\"%s\",\"unavailable\":\"%s\"}\n", kernel_name, strerror(error));
    fflush(stdout);
    _exit(0);
}

_Noreturn static void fail(const char *what)
{
    fprintf(stderr, "%s: %s\n", kernel_name, what);
    exit(1);
}

static void start_timer(struct slot *slot)
{
    struct sigevent event = {.sigev_notify = SIGEV_THREAD_ID, .sigev_signo = SIGRTMIN};
    event.sigev_notify_thread_id = (int)syscall(SYS_gettid);
    if (timer_create(CLOCK_MONOTONIC, &event, &slot->timer))
        unavailable(errno);
    uint64_t period = (uint64_t)((double)interval * 1e9 / (double)ticks_per_second);
    struct timespec time = {.tv_sec = (time_t)(period / 1000000000), .tv_nsec = (long)(period % 1000000000)};
    if (!period)
        time.tv_nsec = 1;
    if (timer_settime(slot->timer, 0, &(struct itimerspec){time, time}, NULL))
        unavailable(errno);
}

static void start_perf(struct slot *slot)
{
    struct perf_event_attr attributes = {
        .type = PERF_TYPE_HARDWARE,
        .size = sizeof attributes,
        .config = PERF_COUNT_HW_CPU_CYCLES,
        .sample_period = interval,
        .wakeup_events = 1,
        .disabled = 1,
        .exclude_kernel = 1,
        .exclude_hv = 1,
    };
    slot->perf = (int)syscall(SYS_perf_event_open, &attributes, 0, -1, -1, PERF_FLAG_FD_CLOEXEC);
    if (slot->perf < 0)
        unavailable(errno);
    struct f_owner_ex owner = {F_OWNER_TID, (pid_t)syscall(SYS_gettid)};
    if (fcntl(slot->perf, F_SETOWN_EX, &owner) || fcntl(slot->perf, F_SETSIG, SIGRTMIN)
        || fcntl(slot->perf, F_SETFL, O_ASYNC) || ioctl(slot->perf, PERF_EVENT_IOC_ENABLE, 0))
        unavailable(errno);
}

static struct slot *take_slot(void)
{
    struct slot *slot = NULL;
    pthread_mutex_lock(&slots_lock);
    for (size_t i = 0; i < KERNEL_THREADS && !slot; i++)
        if (!slots[i].taken)
            slot = &slots[i];
    if (slot)
        slot->taken = true;
    pthread_mutex_unlock(&slots_lock);
    if (!slot)
        fail("more threads than KERNEL_THREADS have interrupts at once");
    if (slot->stretches == STRETCHES)
        fail("threads start interrupts more often than STRETCHES allows");
    return slot;
}

void kernel_thread_begin(void)
{
    if (source == NONE)
        return;
    struct slot *slot = take_slot();
    slot->starts[slot->stretches++] = slot->used;
    mine = slot;
    if (source == TIMER)
        start_timer(slot);
    if (source == PERF)
        start_perf(slot);
    if (source == WOVEN) {
        slot->fired_before = weft_interrupts_fired();
        int error = weft_interrupts_register(clock_kind, interval, handler, slot);
        if (error)
            unavailable(error);
    }
}

void kernel_thread_end(void)
{
    if (source == NONE)
        return;
    struct slot *slot = mine;
    if (source == TIMER)
        timer_delete(slot->timer);
    if (source == PERF) {
        ioctl(slot->perf, PERF_EVENT_IOC_DISABLE, 0);
        close(slot->perf);
    }
    if (source == WOVEN) {
        weft_interrupts_deregister();
        slot->fired += weft_interrupts_fired() - slot->fired_before;
    }
    mine = NULL;
    pthread_mutex_lock(&slots_lock);
    slot->taken = false;
    pthread_mutex_unlock(&slots_lock);
}

// ---- Settings

static void read_clock(const char *name)
{
    static const struct {
        const char *name;
        enum source source;
        enum weft_interrupts_clock clock;
    } known[] = {
        {"none", NONE, WEFT_INTERRUPTS_DEFAULT},
        {"cycles", WOVEN, WEFT_INTERRUPTS_CYCLES},
        {"instructions", WOVEN, WEFT_INTERRUPTS_INSTRUCTIONS},
        {"flag", WOVEN, WEFT_INTERRUPTS_FLAG},
        {"timer", TIMER, WEFT_INTERRUPTS_DEFAULT},
        {"perf", PERF, WEFT_INTERRUPTS_DEFAULT},
    };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        if (strcmp(name, known[i].name))
            continue;
        source = known[i].source;
        clock_kind = known[i].clock;
        return;
    }
    fail("KERNEL_CLOCK is none, cycles, instructions, flag, timer or perf");
}

static void read_settings(void)
{
    const char *clock_name = getenv("KERNEL_CLOCK"), *interval_text = getenv("KERNEL_INTERVAL");
    const char *handler_name = getenv("KERNEL_HANDLER");
    read_clock(clock_name ? clock_name : "none");
    interval = DEFAULT_INTERVAL;
    if (interval_text) {
        char *end;
        errno = 0;
        interval = strtoull(interval_text, &end, 10);
        if (errno || end == interval_text || *end)
            fail("KERNEL_INTERVAL is a number");
    }
    bool apart = handler_name && !strcmp(handler_name, "record-apart");
    if (handler_name && strcmp(handler_name, "empty") && strcmp(handler_name, "record") && !apart)
        fail("KERNEL_HANDLER is empty, record or record-apart");
    recording = source != NONE && handler_name && strcmp(handler_name, "empty");
    handler = !recording ? empty : apart ? record_apart : record;
}

/// The handler must not be the first to touch its memory.
static void reserve_records(void)
{
    for (size_t i = 0; i < KERNEL_THREADS; i++) {
        void *memory = mmap(NULL, RECORDS * sizeof(struct record), PROT_READ | PROT_WRITE,
                            MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
        if (memory == MAP_FAILED)
            fail("no memory for records");
        slots[i].records = memory;
    }
}

static void prepare_peer(void)
{
    snprintf(no_end, sizeof no_end, "{\"kernel\":\"%s\",\"unavailable\":\"no end after %d s\"}\n", kernel_name, PATIENCE);
    sigaction(SIGRTMIN, &(struct sigaction){.sa_handler = on_signal, .sa_flags = SA_RESTART}, NULL);
    sigaction(SIGALRM, &(struct sigaction){.sa_handler = on_alarm}, NULL);
    alarm(PATIENCE);
}

static void prepare(void)
{
    read_settings();
    if (recording)
        reserve_records();
    if (source == TIMER)
        ticks_per_second = measure_ticks_per_second();
    if (source == TIMER || source == PERF)
        prepare_peer();
}

// ---- The report

static int compare(const void *left, const void *right)
{
    uint64_t a = *(const uint64_t *)left, b = *(const uint64_t *)right;
    return (a > b) - (a < b);
}

/// Nearest rank.
static uint64_t percentile(const uint64_t *sorted, size_t n, size_t percent)
{
    return sorted[(n * percent + 99) / 100 - 1];
}

static void print_distribution(const char *name, uint64_t *values, size_t n)
{
    printf(",\"%s\":", name);
    if (!n) {
        printf("null");
        return;
    }
    static const size_t percents[] = {1, 10, 50, 90, 99};
    qsort(values, n, sizeof *values, compare);
    printf("{\"n\":%zu", n);
    for (size_t i = 0; i < sizeof percents / sizeof *percents; i++)
        printf(",\"p%zu\":%" PRIu64, percents[i], percentile(values, n, percents[i]));
    printf(",\"max\":%" PRIu64 "}", values[n - 1]);
}

enum kind { TICKS, TICKS_UNDISTURBED, COUNTS };

static size_t stretch_differences(const struct record *records, size_t n, enum kind kind, uint64_t *to)
{
    size_t written = 0;
    for (size_t i = CALIBRATION + 1; i < n; i++) {
        if (kind == TICKS_UNDISTURBED && records[i].kernel != records[i - 1].kernel)
            continue;
        to[written++] = kind == COUNTS ? records[i].count - records[i - 1].count : records[i].ticks - records[i - 1].ticks;
    }
    return written;
}

static size_t differences(enum kind kind, uint64_t *to)
{
    size_t written = 0;
    for (size_t i = 0; i < KERNEL_THREADS; i++)
        for (size_t j = 0; j < slots[i].stretches; j++) {
            size_t start = slots[i].starts[j];
            size_t end = j + 1 < slots[i].stretches ? slots[i].starts[j + 1] : slots[i].used;
            written += stretch_differences(slots[i].records + start, end - start, kind, to + written);
        }
    return written;
}

static bool counted(void)
{
    for (size_t i = 0; i < KERNEL_THREADS; i++)
        if (slots[i].used && slots[i].records[slots[i].used - 1].count)
            return true;
    return false;
}

static void print_distributions(void)
{
    uint64_t *values = recording ? malloc((size_t)KERNEL_THREADS * RECORDS * sizeof *values) : NULL;
    if (recording && !values)
        fail("no memory for the report");
    print_distribution("intervals", values, recording ? differences(TICKS, values) : 0);
    if (handler == record_apart)
        print_distribution("undisturbed", values, differences(TICKS_UNDISTURBED, values));
    print_distribution("units", values, recording && counted() ? differences(COUNTS, values) : 0);
    free(values);
}

static uint64_t fired(void)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < KERNEL_THREADS; i++)
        sum += slots[i].fired;
    return sum;
}

int main(void)
{
    prepare();
    uint64_t checksum = 0;
    kernel_thread_begin();
    uint64_t wall = nanoseconds(CLOCK_MONOTONIC), cpu = nanoseconds(CLOCK_PROCESS_CPUTIME_ID), cycles = ticks();
    uint64_t fastest = UINT64_MAX, before = cpu;
    for (unsigned i = 0; i < kernel_passes; i++) {
        checksum = kernel_mix(checksum, kernel());
        uint64_t now = nanoseconds(CLOCK_PROCESS_CPUTIME_ID), pass = now - before;
        fastest = pass < fastest ? pass : fastest;
        before = now;
    }
    cycles = ticks() - cycles;
    cpu = before - cpu;
    wall = nanoseconds(CLOCK_MONOTONIC) - wall;
    kernel_thread_end();
    alarm(0);

    printf("{\"kernel\":\"%s\",\"checksum\":\"%016" PRIx64 "\",\"nanoseconds\":%" PRIu64 ",\"cpu_nanoseconds\":%" PRIu64,
           kernel_name, checksum, wall, cpu);
    printf(",\"fastest_pass_nanoseconds\":%" PRIu64, fastest);
    printf(",\"cycles\":%" PRIu64 ",\"fired\":%" PRIu64, cycles, fired());
    print_distributions();
    printf("}\n");
    return 0;
}
