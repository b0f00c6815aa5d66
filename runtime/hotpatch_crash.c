// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A crash within a patch is told as such, in one line on standard error, before it goes its way: to the handler that was there before
// the first patch, or to the system's default, which dumps core and ends the program with the status that it would have had. Programs
// that set a handler later have put it in this one's place.

#include "hotpatch_internal.h"
#include "control.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

static const struct fault {
    int number;
    const char *name;
} faults[] = {{SIGSEGV, "SIGSEGV"}, {SIGBUS, "SIGBUS"}, {SIGILL, "SIGILL"}, {SIGFPE, "SIGFPE"}, {SIGABRT, "SIGABRT"}};

#define FAULTS (sizeof faults / sizeof *faults)

/// A program that lives on such signals is not told of each.
#define MOST_TOLD 16u

static struct sigaction earlier[FAULTS];
static uint32_t told;

static const char *function_at(const struct weft_hotpatch_patch *patch, uintptr_t address)
{
    for (uint32_t i = 0; i < patch->function_count; i++)
        if (address >= patch->functions[i].code && address - patch->functions[i].code <= patch->functions[i].code_size)
            return patch->names + patch->functions[i].name;
    return "new code";
}

/// `address` is in a patch: the fault is there, or in what has been called from there.
static void tell(const char *fault, uintptr_t address, int is_caller)
{
    const struct weft_hotpatch_patch *patch = weft_hotpatch_patch_at((const char *)address);
    char digits[24];
    const char *const texts[] = {fault, is_caller ? " in what " : " in ", function_at(patch, address), " of patch ", patch->name, " (number ", weft_digits(digits, patch->order), is_caller ? ") called" : ")", NULL};
    weft_complain("hotpatch", texts);
}

/// The innermost caller that is in a patch; 0: none is.
static uintptr_t find_caller(uintptr_t sp)
{
    uintptr_t end = weft_hotpatch_end_of_mapping(sp);
    for (sp &= ~(uintptr_t)(sizeof sp - 1); sp + sizeof sp <= end; sp += sizeof sp) {
        uintptr_t word = *(const uintptr_t *)sp;
        if (weft_hotpatch_patch_at((const char *)word))
            return word;
    }
    return 0;
}

static void tell_of(const struct fault *fault, const void *context)
{
    struct weft_hotpatch_place place = weft_hotpatch_place_of(context);
    if (weft_hotpatch_patch_at((const char *)place.pc)) {
        tell(fault->name, place.pc, 0);
        return;
    }
    uintptr_t caller = find_caller(place.sp);
    if (caller)
        tell(fault->name, caller, 1);
}

/// As if there were no handler. A fault comes again when the handler returns; what was sent has to be sent again.
static void take_default(int number, const siginfo_t *information)
{
    struct sigaction none = {.sa_handler = SIG_DFL};
    sigaction(number, &none, NULL);
    if (information->si_code <= 0)
        raw_syscall(SYS_tgkill, getpid(), weft_thread_id(), number);
}

static void on_fault(int number, siginfo_t *information, void *context)
{
    int saved = errno;
    size_t i = 0;
    while (faults[i].number != number)
        i++;
    if (__atomic_fetch_add(&told, 1, __ATOMIC_RELAXED) < MOST_TOLD)
        tell_of(&faults[i], context);
    errno = saved;
    if (earlier[i].sa_flags & SA_SIGINFO)
        earlier[i].sa_sigaction(number, information, context);
    else if (earlier[i].sa_handler == SIG_DFL || (earlier[i].sa_handler == SIG_IGN && information->si_code > 0))
        take_default(number, information);
    else if (earlier[i].sa_handler != SIG_IGN)
        earlier[i].sa_handler(number);
}

/// The mask and flags of the handler that was there are this one's: it runs where, and with what blocked, it would have.
static void watch(size_t i)
{
    struct sigaction action;
    if (sigaction(faults[i].number, NULL, &earlier[i]) != 0)
        return;
    action = earlier[i];
    int is_own = (action.sa_flags & SA_SIGINFO) || (action.sa_handler != SIG_DFL && action.sa_handler != SIG_IGN);
    action.sa_flags = (is_own ? action.sa_flags : SA_ONSTACK) | SA_SIGINFO;
    action.sa_sigaction = on_fault;
    sigaction(faults[i].number, &action, NULL);
}

void weft_hotpatch_guard(void)
{
    if (process->guarded)
        return;
    process->guarded = 1;
    for (size_t i = 0; i < FAULTS; i++)
        watch(i);
}
