// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The interrupts runtime: decides, when a probe has used up its thread's budget of units, whether it is time to call the
// handler, and how many units to allow until the next look at the clock.
//
// The clock of time works by prediction. `budget` is how many units an interval took lately. A probe that runs out of
// units reads the time-stamp counter once: if the interval is nearly over (three parts in 64 missing at most),
// the handler is called and the prediction corrected; if not, the rest of the interval is converted into units and armed.
// One look an interval is the rule. All of it is integer arithmetic, and without divisions where the prediction was good.
//
// Every linked module carries a copy of this file. What the copies share are objects that the dynamic linker keeps once
// per process (STB_GNU_UNIQUE): the thread-local state and `struct process`. The functions of all copies are equivalent.

#define __WEFT_INTERRUPTS__ 1

#include "interrupts_abi.h"
#include "preserve_most.h"
#include "support.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
#if defined(__x86_64__)
#include <cpuid.h>
#include <x86intrin.h>
#endif

#define EXPORT __attribute__((weak, visibility("default")))
#define HIDDEN __attribute__((weak, visibility("hidden")))

typedef struct weft_interrupts_state state_t;

/// What the copies of the runtime in a process share. All of it starts as zero.
struct process {
    struct weft_lock lock;
    uint32_t changed; ///< futex of the timer thread: counts changes of the list
    uint32_t prepared;
    pid_t timer; ///< process that the timer thread belongs to
    pthread_key_t key;
    sigset_t fork_mask;
    state_t *first; ///< threads whose flags the timer thread sets
    struct profile *profile; ///< NULL: nobody asked for one
};

#define PROCESS_BYTES 512 // part of version 1 of the object
#define STATE_BYTES 256

_Static_assert(sizeof(struct process) <= PROCESS_BYTES, "the shared object has outgrown its reserve");
_Static_assert(sizeof(state_t) <= STATE_BYTES, "the state has outgrown its reserve");
_Static_assert(offsetof(state_t, left) == 0 && offsetof(state_t, flag) == 8 && offsetof(state_t, target) == 16, "probes use these");
_Static_assert(offsetof(state_t, armed) == 24, "initialised below");

extern struct process __weft_interrupts_process_v1;

#define process (&__weft_interrupts_process_v1)
#define state (&__weft_interrupts_v1)
#define FRESH 0x80000000u // the flag of a thread that has not passed a probe yet

// A thread's first probe looks, so that a profile can begin there: no units are left, the flag is set, and the target is
// reached.
__asm__(WEFT_SHARED("__weft_interrupts_v1")
        ".section .tdata.__weft_interrupts_v1, \"awTG\", %progbits, __weft_interrupts_v1, comdat\n"
        ".balign 64\n"
        "__weft_interrupts_v1:\n"
        ".quad 0\n"          // left
        ".quad 0x80000000\n" // flag: FRESH
        ".quad 0\n"          // target
        ".quad 0\n"          // armed
        ".zero " WEFT_TEXT(STATE_BYTES) " - 32\n"
        ".size __weft_interrupts_v1, " WEFT_TEXT(STATE_BYTES) "\n"
        ".text\n");

__asm__(WEFT_SHARED("__weft_interrupts_process_v1")
        ".section .bss.__weft_interrupts_process_v1, \"awG\", %nobits, __weft_interrupts_process_v1, comdat\n"
        ".balign 64\n"
        "__weft_interrupts_process_v1:\n"
        ".zero " WEFT_TEXT(PROCESS_BYTES) "\n"
        ".size __weft_interrupts_process_v1, " WEFT_TEXT(PROCESS_BYTES) "\n"
        ".text\n");

// ---- The way in from a probe: keeps what preserve_most promises, and lets unwinders pass ----

/// @param from where the probe's call returns to
HIDDEN void weft_interrupts_look(void *from);

WEFT_PRESERVING_ENTRY("__weft_interrupts_expired", WEFT_RETURN_ADDRESS, "weft_interrupts_look");

// ---- Clocks ----

static inline uint64_t ticks(void)
{
#if defined(__x86_64__)
    return __rdtsc();
#else
    uint64_t value;
    __asm__ volatile("mrs %0, cntvct_el0" : "=r"(value));
    return value;
#endif
}

static uint64_t nanoseconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static enum weft_interrupts_probes probes(void)
{
    const struct weft_interrupts_build *build = &__weft_interrupts_build_v1;
    __asm__("" : "+r"(build)); // a weak symbol: its address may be 0
    return build ? (enum weft_interrupts_probes)build->probes : WEFT_INTERRUPTS_COUNTING;
}

// Metering's count, where the probes are canonical and the process has metering.
extern uint64_t weft_interrupts_metered(void) __asm__("weft_metering_count") __attribute__((weak));

// ---- Budgets ----

/// Allows no more than this at a time, however long the interval: woven loops divide by multiplying (see PrepaidWeaver.cs).
#define LONGEST (WEFT_INTERRUPTS_IDLE / 4)

/// Adds the units used since `left` was set to the total, and allows `units` more.
static inline void arm(state_t *s, uint64_t used_up_to_now, int64_t units)
{
    s->total = used_up_to_now;
    s->armed = units;
    s->left = units;
}

/// Between these two, the probes of a signal handler leave the state alone, but for what stand_by() does.
static inline void hold(state_t *s)
{
    s->busy = 1;
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
}

static inline void let_go(state_t *s)
{
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
    s->busy = 0;
}

static inline uint64_t total(const state_t *s)
{
    return s->total + (uint64_t)(s->armed - s->left);
}

static void allow(state_t *s, int64_t units)
{
    if (s->probes == WEFT_INTERRUPTS_CANONICAL) {
        s->total = weft_interrupts_metered ? weft_interrupts_metered() : 0;
        s->target = units >= WEFT_INTERRUPTS_IDLE ? UINT64_MAX : s->total + (uint64_t)(units > 0 ? units : 0);
    } else {
        s->target = UINT64_MAX;
        arm(s, total(s), units);
    }
}

static inline int64_t at_most_longest(uint64_t units)
{
    return units < (uint64_t)LONGEST ? (int64_t)units : LONGEST;
}

/// ticks / interval as a 16.16 number; for less than a few intervals.
static inline uint64_t share(const state_t *s, uint64_t elapsed)
{
    return (elapsed * s->inverse) >> 32;
}

#define ONE ((uint64_t)1 << 16)

/// units * part / whole, for parts and wholes of any length; exact to 28 bits.
static __attribute__((noinline, cold)) int64_t long_proportion(uint64_t units, uint64_t part, uint64_t whole)
{
    uint64_t largest = part > whole ? part : whole;
    int shift = largest >> 28 ? 36 - __builtin_clzll(largest) : 0;
    part >>= shift;
    whole >>= shift;
    while (units >> 35) {
        units >>= 1;
        whole >>= 1;
    }
    return at_most_longest(units * part / (whole ? whole : 1));
}

/// The same; a division of 32 bits takes a third of the time of one of 64.
static inline int64_t proportion(uint64_t units, uint64_t part, uint64_t whole)
{
    if (__builtin_expect((units | part) >> 16 || whole >> 32 || !whole, 0))
        return long_proportion(units, part, whole);
    return (int64_t)((uint32_t)(units * part) / (uint32_t)whole);
}

/// budget * ticks / interval
static inline int64_t convert(const state_t *s, uint64_t elapsed)
{
    return (int64_t)(((uint64_t)s->budget * share(s, elapsed)) >> 16);
}

static inline int64_t at_least_one(int64_t units)
{
    return units > 0 ? units : 1;
}

/// Where the rate changes all the time, a look that comes too early is cheap, and one that comes too late is an error that
/// nothing mends. The margin follows: late intervals widen it quickly, others narrow it slowly, until about one interval
/// in twelve is late.
#define SMALLEST_MARGIN (ONE / 48)
#define LARGEST_MARGIN (ONE * 3 / 8)
#define WIDEN (ONE / 24)
#define NARROW (WIDEN / 11)

/// Fewer units than what is to pass is worth.
static inline int64_t cautious(int64_t units, uint64_t margin)
{
    return at_least_one((int64_t)(((uint64_t)units * (ONE - margin)) >> 16));
}

/// Too early: allow what the rest of the interval is worth, at the rate seen since it began. An error in the rate matters
/// less for a rest than for the whole.
static void wait_longer(state_t *s, uint64_t elapsed)
{
    uint64_t used = s->total - s->began, rest = s->interval - elapsed;
    int64_t units = elapsed >= s->interval / 16 ? proportion(used, rest, elapsed) : convert(s, rest);
    s->looks++;
    s->left = s->armed = cautious(units, s->margin >> (s->looks < 3 ? 2 * s->looks : 6));
}

static __attribute__((noinline, cold)) void learn_from_slip(state_t *s, uint64_t used, uint64_t elapsed)
{
    // A long handler, an unwoven function, the kernel, or a slower phase. Only the last of these lasts.
    if (s->slips < 2)
        s->slips++;
    else
        s->budget = at_least_one(proportion(used, s->interval, elapsed));
}

/// Learns from an interval that is over: how many units would have been right?
static inline void learn(state_t *s, uint64_t elapsed)
{
    uint64_t used = s->total - s->began;
    if (__builtin_expect(elapsed > 2 * s->interval, 0)) {
        learn_from_slip(s, used, elapsed);
        return;
    }
    uint64_t part = share(s, elapsed);
    s->slips = 0;
    if (part > ONE + ONE / 24)
        s->margin += s->margin < LARGEST_MARGIN ? WIDEN : 0;
    else if (s->margin > SMALLEST_MARGIN)
        s->margin -= NARROW;
    // 1 / x is near 2 - x near 1, and errs to the short side elsewhere.
    int64_t right = (int64_t)((used * (2 * ONE - part)) >> 16);
    int64_t budget = at_least_one(s->budget + (right - s->budget) / 4);
    s->budget = budget < LONGEST ? budget : LONGEST;
}

/// Calls the handler with interrupts disabled. Only finish() may follow: a handler that switches stacks may come back on
/// another thread, whose state is elsewhere.
static inline void call(state_t *s, uint64_t count)
{
    s->fired++;
    s->due = 0;
    s->nested = 1;
    let_go(s);
    s->handler(count, s->argument);
}

/// What fell due while interrupts were disabled comes at the next probe.
static void settle(state_t *s)
{
    if (!s->due || s->nested || !s->handler || s->busy)
        return;
    hold(s);
    s->due = 0;
    s->flag = s->clock == WEFT_INTERRUPTS_FLAG;
    allow(s, 0);
    let_go(s);
}

/// After a handler that ran long. If it ran longer than the interval, the next one begins now.
static __attribute__((noinline, cold)) void catch_up(state_t *s)
{
    if (s->clock == WEFT_INTERRUPTS_CYCLES && s->nested == 0 && s->handler) {
        uint64_t end = ticks();
        if (end - s->start > s->interval) {
            hold(s);
            s->start = end;
            s->due = 0;
            arm(s, total(s), cautious(s->budget, s->margin));
            s->began = s->total;
            let_go(s);
        }
    }
    settle(s);
}

/// The handler has returned. Not inline: see call().
static __attribute__((noinline)) void finish(int error)
{
    state_t *s = state;
    if (s->nested > 0)
        s->nested--;
    if (__builtin_expect(s->error != NULL, 1))
        *s->error = error;
    if (__builtin_expect(s->slips | s->due, 0))
        catch_up(s);
}

/// The next functions return whether they called the handler; if not, the state is still held.
static int look_cycles(state_t *s)
{
    uint64_t now = ticks(), elapsed = now - s->start;
    if (elapsed < s->threshold) {
        wait_longer(s, elapsed);
        return 0;
    }
    if ((int64_t)elapsed < 0) // the counter of another processor is behind: begin again
        elapsed = s->interval;
    else
        learn(s, elapsed);
    s->start = now;
    s->began = s->total;
    s->looks = 0;
    s->left = s->armed = cautious(s->budget, s->margin);
    call(s, s->total);
    return 1;
}

static int look_instructions(state_t *s)
{
    uint64_t count = s->total;
    if (count < s->start) {
        allow(s, at_most_longest(s->start - count));
        return 0;
    }
    s->start += s->interval;
    if (s->start <= count)
        s->start = count + s->interval;
    allow(s, at_most_longest(s->start - count));
    call(s, count);
    return 1;
}

#define POLL 1000 // units between looks at the flag where probes count

static int look_flag(state_t *s)
{
    allow(s, POLL);
    if (!__atomic_load_n(&s->flag, __ATOMIC_RELAXED) || !__atomic_exchange_n(&s->flag, 0, __ATOMIC_ACQUIRE))
        return 0;
    call(s, s->total);
    return 1;
}

static inline int look(state_t *s)
{
    if (__builtin_expect(s->clock == WEFT_INTERRUPTS_CYCLES, 1))
        return look_cycles(s);
    return s->clock == WEFT_INTERRUPTS_INSTRUCTIONS ? look_instructions(s) : look_flag(s);
}

/// What is allowed while an interrupt waits to be enabled. Not more: where this happens in a signal handler, the loop that
/// the signal came into still holds what was allowed before, and the difference goes into the count.
#define WAITING (1 << 16)

#include "interrupts_profile.h"

/// Nothing is registered, or interrupts are disabled.
static __attribute__((noinline, cold)) void look_away(state_t *s)
{
    if (!s->handler) {
        s->flag = 0;
        s->probes = (uint8_t)probes();
        if (!profile_begins(s))
            allow(s, WEFT_INTERRUPTS_IDLE);
    } else {
        if (s->clock == WEFT_INTERRUPTS_FLAG)
            s->due |= __atomic_exchange_n(&s->flag, 0, __ATOMIC_ACQUIRE) != 0;
        else
            s->due = s->clock != WEFT_INTERRUPTS_CYCLES || ticks() - s->start >= s->threshold;
        allow(s, s->due ? WAITING : at_least_one(s->budget));
    }
    let_go(s);
}

/// A probe in a signal handler that came in the middle of what the runtime does. It goes on for a while, and the
/// difference between `armed` and `left`, which may just be being read, stays what it is.
static __attribute__((noinline, cold)) void stand_by(state_t *s)
{
    s->armed += POLL - s->left;
    s->left = POLL;
}

/// A probe found no units left, or a flag.
HIDDEN void weft_interrupts_look(void *from)
{
    state_t *s = state;
    if (__builtin_expect(s->busy, 0)) {
        stand_by(s);
        return;
    }
    hold(s);
    s->from = from;
    uint64_t count = s->probes == WEFT_INTERRUPTS_CANONICAL ? weft_interrupts_metered() : total(s);
    s->armed = s->left;
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
    s->total = count;
    if (__builtin_expect(!s->handler || s->nested, 0)) {
        look_away(s);
        return;
    }
    int error = *s->error;
    if (look(s))
        finish(error);
    else
        let_go(s);
}

// ---- The timer thread of the flag clock: one a process, asleep until the next flag is due ----

enum { FUTEX_WAIT_PRIVATE = 128, FUTEX_WAKE_PRIVATE = 129 };

/// Sets every flag that is due and returns when the next one is.
static uint64_t set_flags(uint64_t now)
{
    uint64_t next = UINT64_MAX;
    for (state_t *s = process->first; s; s = s->next) {
        if (s->deadline <= now) {
            __atomic_store_n(&s->flag, 1, __ATOMIC_RELEASE);
            s->deadline = s->deadline + s->interval > now ? s->deadline + s->interval : now + s->interval;
        }
        if (s->deadline < next)
            next = s->deadline;
    }
    return next;
}

static void *run_timer(void *unused)
{
    (void)unused;
    prctl(PR_SET_NAME, "weft-interrupts");
    prctl(PR_SET_TIMERSLACK, 1);
    for (;;) {
        uint32_t seen = __atomic_load_n(&process->changed, __ATOMIC_ACQUIRE);
        weft_lock(&process->lock);
        uint64_t next = set_flags(nanoseconds());
        weft_unlock(&process->lock);
        uint64_t now = nanoseconds(), rest = next > now ? next - now : 0;
        struct timespec limit = {(time_t)(rest / 1000000000u), (long)(rest % 1000000000u)};
        if (rest)
            syscall(SYS_futex, &process->changed, FUTEX_WAIT_PRIVATE, seen, next == UINT64_MAX ? NULL : &limit, NULL, 0);
    }
    return NULL;
}

static int start_timer(void)
{
    pthread_t thread;
    pthread_attr_t attributes;
    sigset_t all, saved;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &saved);
    pthread_attr_init(&attributes);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    int error = pthread_create(&thread, &attributes, run_timer, NULL);
    pthread_attr_destroy(&attributes);
    pthread_sigmask(SIG_SETMASK, &saved, NULL);
    if (!error)
        process->timer = getpid();
    return error;
}

static void wake_timer(void)
{
    __atomic_add_fetch(&process->changed, 1, __ATOMIC_RELEASE);
    syscall(SYS_futex, &process->changed, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

static void unlink_state(state_t *s)
{
    if (!s->queued)
        return;
    *(s->previous ? &s->previous->next : &process->first) = s->next;
    if (s->next)
        s->next->previous = s->previous;
    s->queued = 0;
}

static void leave_timer(state_t *s)
{
    sigset_t saved;
    if (!s->queued || weft_lock_signal_safe(&process->lock, &saved) != 0)
        return;
    unlink_state(s);
    weft_unlock_signal_safe(&process->lock, &saved);
}

static void before_fork(void)
{
    weft_lock_signal_safe(&process->lock, &process->fork_mask);
}

static void after_fork_in_parent(void)
{
    weft_unlock_signal_safe(&process->lock, &process->fork_mask);
}

/// The other threads are gone, and with them their states and the timer thread.
static void after_fork_in_child(void)
{
    state_t *self = state;
    process->first = self->queued ? self : NULL;
    self->next = self->previous = NULL;
    process->lock.word = 0;
    process->timer = 0;
    if (self->queued)
        start_timer(); // if it fails the handler is not called; a fork() cannot say so
    pthread_sigmask(SIG_SETMASK, &process->fork_mask, NULL);
}

static void thread_ends(void *s)
{
    leave_timer(s);
}

/// Called with the lock held.
static int prepare(void)
{
    if (process->prepared)
        return 0;
    int error = pthread_key_create(&process->key, thread_ends);
    if (!error)
        error = pthread_atfork(before_fork, after_fork_in_parent, after_fork_in_child);
    process->prepared = !error;
    return error;
}

// Weak: a static program has no modules to keep, and a libc before 2.34 may have these in a library that is not linked.
struct module_of_address {
    const char *file;
    void *base;
    const char *symbol;
    void *address;
};
extern int weft_interrupts_dladdr(const void *address, struct module_of_address *found) __asm__("dladdr") __attribute__((weak));
extern void *weft_interrupts_dlopen(const char *file, int flags) __asm__("dlopen") __attribute__((weak));

/// The timer thread, the handlers of fork() and the end of threads are code of this module: dlclose() must not take it.
/// Without the lock, which a constructor may want while it keeps others from dlopen().
static void stay_loaded(void)
{
    static uint32_t stays;
    enum { NOW = 2, NOLOAD = 4, NODELETE = 0x1000 };
    struct module_of_address found;
    if (__atomic_exchange_n(&stays, 1, __ATOMIC_RELAXED) || !weft_interrupts_dladdr || !weft_interrupts_dlopen)
        return;
    if (weft_interrupts_dladdr((const void *)&stays, &found) && found.file)
        weft_interrupts_dlopen(found.file, NOW | NOLOAD | NODELETE);
}

static int join_timer(state_t *s)
{
    sigset_t saved;
    stay_loaded();
    int error = weft_lock_signal_safe(&process->lock, &saved);
    if (error)
        return error;
    error = prepare();
    if (!error)
        error = pthread_setspecific(process->key, s);
    if (!error && process->timer != getpid())
        error = start_timer();
    if (!error) {
        s->deadline = nanoseconds() + s->interval;
        s->previous = NULL;
        s->next = process->first;
        if (s->next)
            s->next->previous = s;
        process->first = s;
        s->queued = 1;
        wake_timer();
    }
    weft_unlock_signal_safe(&process->lock, &saved);
    return error;
}

// ---- What weft/interrupts.h declares ----

EXPORT enum weft_interrupts_clock weft_interrupts_build_clock(void)
{
    const struct weft_interrupts_build *build = &__weft_interrupts_build_v1;
    __asm__("" : "+r"(build));
    return build ? (enum weft_interrupts_clock)build->clock : WEFT_INTERRUPTS_CYCLES;
}

EXPORT int weft_interrupts_active(void)
{
    const struct weft_interrupts_build *build = &__weft_interrupts_build_v1;
    __asm__("" : "+r"(build));
    return build != NULL;
}

static int is_possible(enum weft_interrupts_clock clock)
{
    switch (probes()) {
    case WEFT_INTERRUPTS_POLLING: return clock == WEFT_INTERRUPTS_FLAG;
    case WEFT_INTERRUPTS_CANONICAL: return clock == WEFT_INTERRUPTS_INSTRUCTIONS;
    default: return 1;
    }
}

/// Sets the first budget. The rate is not known yet: one unit a cycle is too little for most code, and a look too many.
static void begin(state_t *s)
{
    s->began = total(s);
    s->slips = 0;
    if (s->clock == WEFT_INTERRUPTS_CYCLES) {
        s->start = ticks();
        s->threshold = s->interval - s->interval / 64 * 3;
        s->margin = SMALLEST_MARGIN;
        s->inverse = ((uint64_t)1 << 48) / s->interval;
        s->budget = at_most_longest(s->interval);
        allow(s, s->budget);
    } else if (s->clock == WEFT_INTERRUPTS_INSTRUCTIONS) {
        allow(s, at_most_longest(s->interval));
        s->start = s->total + s->interval;
    } else {
        s->budget = POLL;
        allow(s, POLL);
    }
}

EXPORT int weft_interrupts_register(enum weft_interrupts_clock clock, uint64_t interval, weft_interrupts_handler handler, void *argument)
{
    state_t *s = state;
    if (clock == WEFT_INTERRUPTS_DEFAULT)
        clock = weft_interrupts_build_clock();
    if (!handler || (unsigned)clock > WEFT_INTERRUPTS_FLAG || interval > WEFT_INTERRUPTS_MAX_INTERVAL || (interval == 0 && clock != WEFT_INTERRUPTS_FLAG))
        return EINVAL;
    if (!is_possible(clock))
        return ENOTSUP;

    profile_yields(s, handler);
    state_t before = *s;
    leave_timer(s);
    hold(s);
    if (s->flag == FRESH)
        s->flag = 0;
    s->clock = (uint8_t)clock;
    s->interval = interval;
    int error = clock == WEFT_INTERRUPTS_FLAG && interval ? join_timer(s) : 0;
    if (error) {
        s->clock = before.clock;
        s->interval = before.interval;
        if (before.queued)
            join_timer(s);
    } else {
        s->handler = handler;
        s->argument = argument;
        s->error = &errno;
        s->probes = (uint8_t)probes();
        s->due = 0;
        begin(s);
    }
    let_go(s);
    return error;
}

EXPORT int weft_interrupts_deregister(void)
{
    state_t *s = state;
    profile_yields(s, NULL);
    leave_timer(s);
    hold(s);
    s->handler = NULL;
    s->due = 0;
    allow(s, WEFT_INTERRUPTS_IDLE);
    let_go(s);
    return 0;
}

EXPORT void weft_interrupts_disable(void)
{
    state_t *s = state;
    s->nested++;
    if (s->disable_hook)
        s->disable_hook();
}

EXPORT void weft_interrupts_enable(void)
{
    state_t *s = state;
    uint32_t nested = s->nested;
    if (s->enable_hook) {
        s->nested = nested + (nested == 0);
        s->enable_hook();
        s->nested = nested;
    }
    if (nested > 0)
        s->nested = nested - 1;
    settle(s);
}

EXPORT void weft_interrupts_set_disable_hook(weft_interrupts_hook hook)
{
    state->disable_hook = hook;
}

EXPORT void weft_interrupts_set_enable_hook(weft_interrupts_hook hook)
{
    state->enable_hook = hook;
}

// Where the compiler took the calls out nobody comes here.
EXPORT void weft_interrupts_instr_disable(void)
{
}

EXPORT void weft_interrupts_instr_enable(void)
{
}

EXPORT uint64_t weft_interrupts_count(void)
{
    switch (probes()) {
    case WEFT_INTERRUPTS_POLLING: return 0;
    case WEFT_INTERRUPTS_CANONICAL: return weft_interrupts_metered ? weft_interrupts_metered() : 0;
    default: return total(state);
    }
}

EXPORT uint64_t weft_interrupts_fired(void)
{
    return state->fired;
}

EXPORT volatile uint32_t *weft_interrupts_flag(void)
{
    return &state->flag;
}

/// Ticks in 10 ms of the monotonic clock.
static uint64_t measure_rate(void)
{
    uint64_t begin = nanoseconds(), first = ticks(), now;
    while ((now = nanoseconds()) - begin < 10 * 1000 * 1000)
        ;
    return (ticks() - first) * 1000000000u / (now - begin);
}

EXPORT uint64_t weft_interrupts_ticks_per_second(void)
{
    static uint64_t rate;
    uint64_t known = __atomic_load_n(&rate, __ATOMIC_RELAXED);
    if (known)
        return known;
#if defined(__x86_64__)
    unsigned denominator = 0, numerator = 0, crystal = 0, unused;
    if (__get_cpuid_count(0x15, 0, &denominator, &numerator, &crystal, &unused) && denominator && numerator && crystal)
        known = (uint64_t)crystal * numerator / denominator;
    else
        known = measure_rate();
#else
    __asm__("mrs %0, cntfrq_el0" : "=r"(known));
    if (!known)
        known = measure_rate();
#endif
    __atomic_store_n(&rate, known, __ATOMIC_RELAXED);
    return known;
}

/// weft_metering_reset() takes units off the count that canonical probes compare with. What is due stays as far away.
HIDDEN void weft_interrupts_count_falls(uint64_t units)
{
    state_t *s = state;
    if (s->probes != WEFT_INTERRUPTS_CANONICAL)
        return;
    s->start = s->start > units ? s->start - units : 0; // it may be due already, and wait for the next probe
    if (s->target != UINT64_MAX)
        s->target = s->start;
}
