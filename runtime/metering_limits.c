// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What happens when woven code finds nothing left: the thread gets more units, or has reached a limit.
//
// A thread is given a slice at a time, so that a limit of the process that somebody sets meanwhile is noticed. A limit lies at a
// number of units; woven code may have charged more by the time it looks. What is beyond the limit does not count while
// the callback runs, nor if the callback does not come back, so that the count is the same wherever the code looked.

#include "metering_internal.h"
#include "preserve_most.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#define SLICE (UINT64_C(1) << 24) // 5 to 10 ms
#define SMALLEST_SLICE 1024
#define LEAST_GRACE 65536

// ---- The way in from woven code: keeps what preserve_most promises, and lets unwinders pass ----

__attribute__((visibility("hidden"))) void weft_metering_look(uint64_t pending);

WEFT_PRESERVING_ENTRY("__weft_metering_spent", WEFT_AS_THEY_ARE, "weft_metering_look");
WEFT_PRESERVING_ENTRY("__weft_metering_overdrawn", WEFT_ZERO, "weft_metering_look");

// ---- Numbers ----

static uint64_t sum_of(uint64_t a, uint64_t b)
{
    return a > UNLIMITED - b ? UNLIMITED : a + b;
}

static uint64_t smaller(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static struct account *account_of(void)
{
    return state.account;
}

/// Lets the thread do so much before it has to look again. Its count stays.
static void set_left(uint64_t units)
{
    state.granted += units - (uint64_t)state.left;
    state.left = (int64_t)units;
}

/// Makes the thread's total what is said, with nothing left.
static void set_total(uint64_t total)
{
    state.left = 0;
    state.granted = total - state.earlier;
}

// ---- Limits ----

/// Where the thread's nearest limit is, and whose: a budget's index; BUDGETS stands for none.
static uint64_t nearest_budget(uint32_t *which)
{
    const struct account *account = account_of();
    uint64_t end = UNLIMITED;
    *which = BUDGETS;
    for (uint32_t i = 0; account && i < account->depth; i++)
        if (account->budgets[i].end <= end && account->budgets[i].end != UNLIMITED) {
            end = account->budgets[i].end;
            *which = i;
        }
    return end;
}

/// The thread's total at which the process's limit is reached if no other thread goes on. Registry locked.
static uint64_t process_end(void)
{
    uint64_t others = weft_metering_used() - weft_metering_total();
    return process->limit.end > others ? process->limit.end - others : 0;
}

/// How far the thread may go before it looks again. Several threads share what the process has left, and none can see
/// another's coming; a thread alone may take all. Registry locked.
static uint64_t slice_of(uint64_t total, uint64_t end)
{
    uint64_t slice = smaller(end - total, SLICE);
    uint64_t threads = process->running_count;
    if (!process->has_limit || threads < 2)
        return slice;
    uint64_t share = (process_end() - total) / (2 * threads);
    return smaller(slice, share < SMALLEST_SLICE ? SMALLEST_SLICE : share);
}

/// Gives the thread units if it may have them. Returns 0, or the number of the limit that it has reached, plus 1, with its place
/// in `end`. Registry locked.
static uint32_t try_to_grant(uint64_t pending, uint64_t *end)
{
    uint32_t which;
    uint64_t total = weft_metering_total(), need = sum_of(total, pending);
    *end = nearest_budget(&which);
    if (process->has_limit) {
        uint64_t all = process_end();
        if (all < *end) {
            *end = all;
            which = BUDGETS;
        }
    }
    int wrapped = state.left < 0 && total < state.earlier + state.granted;
    if (need > *end || (wrapped && *end != UNLIMITED))
        return which + 1;
    if (state.flags & ENDING)
        weft_metering_fold();
    set_left(pending + (state.flags & ENDING ? 0 : slice_of(need, *end)));
    return 0;
}

// ---- The end of the process ----

static void append_number(char *text, uint64_t number)
{
    char digits[24];
    int at = sizeof digits - 1;
    digits[at] = '\0';
    do
        digits[--at] = (char)('0' + number % 10);
    while (number /= 10);
    strcpy(text, digits + at);
}

/// Report locked, unless `error` says that it could not be.
/// @param scope whose limit it is: "process", "thread", or "program" if it stops itself
__attribute__((noreturn)) static void stop_process(const char *scope, uint64_t units, int error)
{
    char number[24];
    uint32_t nobody = 0;
    if (!__atomic_compare_exchange_n(&process->stopping, &nobody, 1, 0, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
        for (;;)
            weft_metering_pause(); // another thread is about to end all
    append_number(number, units);
    process->stopped_at = units;
    process->stopped_scope = scope;
    weft_metering_flush_output();
    const char *by_itself[] = {"stopped by the program", NULL};
    const char *at_limit[] = {"stopped: the ", scope, " has done the ", number, " units of work that it may", process->is_from_environment ? " (WEFT_METERING_LIMIT)" : "", NULL};
    weft_complain("metering", strcmp(scope, "program") == 0 ? by_itself : at_limit);
    weft_metering_write_exit_report(error);
    _exit(WEFT_METERING_STOPPED);
}

__attribute__((noreturn)) static void stop_at(uint32_t which, const struct budget *budget)
{
    int error = weft_lock(&process->report);
    if (which != BUDGETS)
        process->is_from_environment = 0;
    stop_process(which == BUDGETS ? "process" : "thread", budget->units, error);
}

WEFT_WEAK void weft_metering_last_look(void)
{
    weft_signals mask;
    if (!process->has_limit || weft_lock_signal_safe(&process->registry, &mask) != 0)
        return;
    int over = weft_metering_used() > process->limit.end;
    weft_unlock_signal_safe(&process->registry, &mask);
    if (over)
        stop_process("process", process->limit.units, 0);
}

// ---- Callbacks ----

static struct budget *budget_at(uint32_t which)
{
    return which == BUDGETS ? &process->limit : &account_of()->budgets[which];
}

static int still_there(uint32_t which)
{
    return which == BUDGETS ? process->has_limit : which < account_of()->depth;
}

/// An account to run a callback with, or NULL: then the process is stopped, as if there were no callback.
static struct account *ensure_account(void);

/// Calls the callback of a limit that is reached. If it returns, somebody must have given more units.
static void reach(uint32_t which, uint64_t end, uint64_t can_unwind)
{
    struct budget budget = *budget_at(which);
    uint64_t total = weft_metering_total();
    set_total(end);
    struct account *account = budget.callback ? ensure_account() : NULL;
    if (!account)
        stop_at(which, &budget);
    uint64_t *cells = state.cells;
    if (cells)
        state.cells = process->discarded;
    weft_metering_follow_cells();
    account->frame = __builtin_frame_address(0);
    account->reached = which;
    account->end = budget.end;
    account->cells = cells;
    state.flags |= IN_CALLBACK | can_unwind;
    budget.callback(budget.argument);
    state.flags &= ~(uint64_t)(IN_CALLBACK | CAN_UNWIND);
    state.cells = cells;
    weft_metering_follow_cells();
    if (still_there(which) && budget_at(which)->end == budget.end)
        stop_at(which, &budget);
    set_total(total);
}

/// A limit that was left is reached again later: not at once, since who comes out has to clean up and to end it, and not never,
/// since a guest could catch the exception. To clean up takes no more than to build did.
static void put_off(uint32_t which, uint64_t end)
{
    struct budget *budget = still_there(which) ? budget_at(which) : NULL;
    if (!budget || budget->end != end)
        return;
    budget->end = sum_of(end, budget->units > LEAST_GRACE ? budget->units : LEAST_GRACE);
    budget->was_left = 1;
}

/// Whether a callback still runs, as against having been left by longjmp() or an exception.
static int is_in_callback(const void *frame)
{
    struct account *account = account_of();
    if (!(state.flags & IN_CALLBACK))
        return 0;
    if ((uintptr_t)frame < (uintptr_t)account->frame) // stacks grow downwards
        return 1;
    state.flags &= ~(uint64_t)(IN_CALLBACK | CAN_UNWIND);
    state.cells = account->cells;
    weft_metering_follow_cells();
    put_off(account->reached, account->end);
    return 0;
}

/// What is charged now does not count. Where a callback is left, a check comes right before: nothing of it stays charged.
static int is_free(uint64_t pending, const void *frame)
{
    if (state.flags & SUSPENDED) {
        set_left(pending + SLICE);
        return 1;
    }
    if (!is_in_callback(frame))
        return 0;
    state.left = 0;
    return 1;
}

/// @param can_unwind CAN_UNWIND, if what called can be unwound, or 0
static void look(uint64_t pending, uint64_t can_unwind)
{
    int saved = errno;
    __atomic_store_n(&process->woven, 1, __ATOMIC_RELAXED);
    weft_metering_thread_start();
    while (!is_free(pending, __builtin_frame_address(0))) {
        weft_signals mask;
        uint64_t end = 0;
        if (weft_lock_signal_safe(&process->registry, &mask) != 0) {
            set_left(pending + SLICE); // the libc that the locked code calls is itself woven
            break;
        }
        uint32_t reached = try_to_grant(pending, &end);
        weft_unlock_signal_safe(&process->registry, &mask);
        if (!reached)
            break;
        reach(reached - 1, end, can_unwind);
    }
    errno = saved;
}

WEFT_WEAK __attribute__((used, visibility("hidden"))) void weft_metering_look(uint64_t pending)
{
    look(pending, 0);
}

WEFT_WEAK __attribute__((used, visibility("hidden"))) void __weft_metering_spent_unwinding(uint64_t pending)
{
    look(pending, CAN_UNWIND);
}

// ---- Accounts ----

/// One whose thread is gone, else a new one. Registry locked.
static struct account *take_account(void)
{
    int tries = 8;
    for (struct account *known = process->accounts; known && tries; known = known->next_account, tries--)
        if (weft_thread_is_gone(known->owner)) {
            struct account *next = known->next_account;
            *known = (struct account){.next_account = next};
            return known;
        }
    struct account *account = weft_reserve(sizeof *account);
    if (account) {
        account->next_account = process->accounts;
        process->accounts = account;
    }
    return account;
}

static struct account *ensure_account(void)
{
    weft_signals mask;
    if (state.account || weft_lock_signal_safe(&process->registry, &mask) != 0)
        return state.account;
    struct account *account = take_account();
    if (account) {
        account->owner = weft_thread_id();
        account->depth = 1;
        account->budgets[0].end = UNLIMITED;
        state.account = account;
    }
    weft_unlock_signal_safe(&process->registry, &mask);
    return account;
}

static uint64_t moved(uint64_t end, uint64_t by)
{
    return end == UNLIMITED ? end : end > by ? end - by : 0;
}

WEFT_WEAK void weft_metering_limits_after_fork(uint64_t own, uint64_t all)
{
    struct account *account = account_of();
    if (account)
        account->owner = weft_thread_id();
    for (uint32_t i = 0; account && i < account->depth; i++)
        account->budgets[i].end = moved(account->budgets[i].end, own);
    process->limit.end = moved(process->limit.end, all);
    process->stopping = 0;
}

/// A limit that says nothing must not pass for none.
static void refuse_limit(const char *text)
{
    const char *texts[] = {"WEFT_METERING_LIMIT='", text, "' is not a number of units from 0 to 18446744073709551615; the program is not run", NULL};
    weft_complain("metering", texts);
    _exit(WEFT_METERING_REFUSED);
}

WEFT_WEAK void weft_metering_read_limit(void)
{
    const char *text = weft_setting("WEFT_METERING_LIMIT");
    uint64_t units = 0;
    if (!text)
        return;
    for (const char *at = text; *at; at++) {
        if (*at < '0' || *at > '9' || units > UNLIMITED / 10 || units * 10 > UNLIMITED - (uint64_t)(*at - '0'))
            refuse_limit(text);
        units = units * 10 + (uint64_t)(*at - '0');
    }
    process->limit = (struct budget){.end = units, .units = units};
    process->has_limit = units != UNLIMITED;
    process->is_from_environment = 1;
}

// ---- Public interface ----

/// A callback that was left is over, and what it did is free.
static void settle(const void *frame)
{
    weft_metering_thread_start();
    if (state.flags & IN_CALLBACK && !is_in_callback(frame))
        set_left(0);
    if (!(state.flags & (IN_CALLBACK | SUSPENDED)))
        set_left(0); // the next check looks where the limits are now
}

static void open_budget(struct budget *budget, uint64_t units, weft_metering_callback *callback, void *argument)
{
    uint64_t end = units == UNLIMITED ? UNLIMITED : sum_of(weft_metering_total(), units);
    *budget = (struct budget){.end = end, .units = units, .callback = callback, .argument = argument};
}

EXPORT int weft_metering_set_limit(uint64_t units, weft_metering_callback *callback, void *argument)
{
    settle(__builtin_frame_address(0));
    struct account *account = ensure_account();
    if (!account)
        return ENOMEM;
    open_budget(&account->budgets[0], units, callback, argument);
    return 0;
}

EXPORT int weft_metering_begin(uint64_t units, weft_metering_callback *callback, void *argument)
{
    settle(__builtin_frame_address(0));
    struct account *account = ensure_account();
    if (!account)
        return -ENOMEM;
    if (account->depth == BUDGETS)
        return -ENOSPC;
    open_budget(&account->budgets[account->depth], units, callback, argument);
    return (int)account->depth++;
}

EXPORT uint64_t weft_metering_end(int budget)
{
    settle(__builtin_frame_address(0));
    struct account *account = account_of();
    if (!account || budget < 1 || (uint32_t)budget >= account->depth)
        return 0;
    uint64_t end = account->budgets[budget].end, total = account->budgets[budget].was_left ? end : weft_metering_total();
    account->depth = (uint32_t)budget;
    return end == UNLIMITED ? UNLIMITED : end > total ? end - total : 0;
}

/// The limit that is meant: the one that was reached, inside a callback, else the innermost.
static struct budget *meant(struct account *account)
{
    if (state.flags & IN_CALLBACK)
        return still_there(account->reached) ? budget_at(account->reached) : NULL;
    return &account->budgets[account->depth - 1];
}

EXPORT int weft_metering_refuel(uint64_t units)
{
    settle(__builtin_frame_address(0));
    struct account *account = account_of();
    struct budget *budget = account ? meant(account) : NULL;
    if (!budget || budget->end == UNLIMITED)
        return EINVAL;
    budget->units = sum_of(budget->units, units);
    budget->end = sum_of(budget->was_left ? weft_metering_total() : budget->end, units);
    budget->was_left = 0;
    return 0;
}

EXPORT uint64_t weft_metering_left(void)
{
    uint32_t which;
    weft_signals mask;
    settle(__builtin_frame_address(0));
    uint64_t end = nearest_budget(&which), total = weft_metering_total();
    if (process->has_limit && weft_lock_signal_safe(&process->registry, &mask) == 0) {
        end = smaller(end, process_end());
        weft_unlock_signal_safe(&process->registry, &mask);
    }
    return end == UNLIMITED ? UNLIMITED : end > total ? end - total : 0;
}

EXPORT int weft_metering_set_process_limit(uint64_t units, weft_metering_callback *callback, void *argument)
{
    weft_signals mask;
    settle(__builtin_frame_address(0));
    if (weft_lock_signal_safe(&process->registry, &mask) != 0)
        return EDEADLK;
    uint64_t end = units == UNLIMITED ? UNLIMITED : sum_of(weft_metering_used(), units);
    process->limit = (struct budget){.end = end, .units = units, .callback = callback, .argument = argument};
    process->has_limit = end != UNLIMITED;
    process->is_from_environment = 0;
    weft_unlock_signal_safe(&process->registry, &mask);
    return 0;
}

EXPORT int weft_metering_suspend(void)
{
    settle(__builtin_frame_address(0));
    struct account *account = ensure_account();
    if (!account)
        return ENOMEM;
    if (account->suspended++)
        return 0;
    account->left = state.left;
    account->granted = state.granted;
    account->cells = state.cells;
    if (state.cells)
        state.cells = process->discarded;
    weft_metering_follow_cells();
    state.flags |= SUSPENDED;
    return 0;
}

EXPORT void weft_metering_resume(void)
{
    struct account *account = account_of();
    if (!account || !account->suspended || --account->suspended)
        return;
    state.left = account->left;
    state.granted = account->granted;
    state.cells = account->cells;
    weft_metering_follow_cells();
    state.flags &= ~(uint64_t)SUSPENDED;
}

EXPORT void weft_metering_stop(void)
{
    struct account *account = account_of();
    if (account && state.flags & IN_CALLBACK && still_there(account->reached))
        stop_at(account->reached, budget_at(account->reached));
    stop_process("program", 0, weft_lock(&process->report));
}

EXPORT int weft_metering_can_unwind(void)
{
    return is_in_callback(__builtin_frame_address(0)) && state.flags & CAN_UNWIND;
}
