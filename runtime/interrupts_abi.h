// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The contract between woven code and the interrupts runtime, version 1. The compiler pass emits exactly this; a change
// that old objects could not live with gets new names (`_v2`), so that both kinds can share a process.
//
// What woven code does, with `state` = __weft_interrupts_v1:
//
//     counting probe:   if ((state.left -= cost) < 0) __weft_interrupts_expired();
//     polling probe:    if (state.flag != 0) __weft_interrupts_expired();
//     canonical probe:  if (metering's count >= state.target) __weft_interrupts_expired();
//     after a call that may take long:  if (state.left < WEFT_INTERRUPTS_IDLE / 2) __weft_interrupts_expired();
//
// Loops may keep `left` in a register: they load it before the loop and store it after, and around every call that could
// look at it.
//
// Each woven module defines the hidden, weak constant __weft_interrupts_build_v1, so that its copy of the runtime knows
// which probes there are.
//
// How a module that holds woven code is linked: as for metering (see metering_abi.h), with interrupts.o in place of
// metering.o and the symbols named after interrupts.

#ifndef WEFT_INTERRUPTS_ABI_H
#define WEFT_INTERRUPTS_ABI_H

#include "include/weft/interrupts.h"

#include <stdint.h>

/// What `left` is set to where nothing is registered. A thread's first probe finds it 0 and looks.
#define WEFT_INTERRUPTS_IDLE (INT64_C(1) << 40)

struct weft_interrupts_state {
    // The first two cache lines are all that an interrupt touches.
    int64_t left;    ///< units until somebody has to look at the clock
    uint32_t flag;   ///< not 0: an interrupt was asked for
    uint32_t nested; ///< weft_interrupts_disable() calls without their weft_interrupts_enable()
    uint64_t target; ///< metering's count at which somebody has to look
    int64_t armed;   ///< `left` when it was set last
    uint64_t total;  ///< units before that
    weft_interrupts_handler handler; ///< NULL: nothing is registered
    void *argument;
    uint8_t clock;  ///< enum weft_interrupts_clock
    uint8_t probes; ///< enum weft_interrupts_probes
    uint8_t busy;   ///< the runtime is at work on this state; a signal handler's probe must wait
    uint8_t due;    ///< an interrupt came while they were disabled
    uint8_t slips;  ///< intervals in a row that were far too long
    uint8_t looks;  ///< at the clock since the interval began
    uint8_t queued; ///< known to the timer thread

    uint64_t start;     ///< the clock when the interval began (cycles), or the total at which the next interrupt is due
    uint64_t began;     ///< total when the interval began
    uint64_t interval;
    uint64_t threshold; ///< elapsed ticks from which on the handler is called
    uint64_t inverse;   ///< 2^48 / interval
    int64_t budget;     ///< units that an interval is expected to take
    uint32_t margin;    ///< how much too early to look at the clock, as a 0.16 share of what is to pass
    uint32_t reserved;
    uint64_t fired;

    int *error; ///< the thread's errno
    weft_interrupts_hook disable_hook;
    weft_interrupts_hook enable_hook;

    // flag: the timer thread's, under its lock
    struct weft_interrupts_state *next;
    struct weft_interrupts_state *previous;
    uint64_t deadline;

    void *from; ///< where the probe that looks is
    struct profile_thread *profile; ///< the thread's record in the profile, if there is one
};

/// One per thread and process, whatever number of copies of the runtime the process holds: STB_GNU_UNIQUE.
extern __thread struct weft_interrupts_state __weft_interrupts_v1 __attribute__((tls_model("initial-exec")));

/// What the probes of a module are.
enum weft_interrupts_probes { WEFT_INTERRUPTS_COUNTING = 0, WEFT_INTERRUPTS_POLLING = 1, WEFT_INTERRUPTS_CANONICAL = 2 };

struct weft_interrupts_build {
    uint32_t clock;  ///< enum weft_interrupts_clock
    uint32_t probes; ///< enum weft_interrupts_probes
};

extern const struct weft_interrupts_build __weft_interrupts_build_v1 __attribute__((weak, visibility("hidden")));

/// Looks at the clock and calls the handler if it is time. In LLVM's preserve_most convention: every general register but
/// r11 (x86_64), and x9 to x15 beside the usual ones (aarch64), is kept. Safe in a signal handler.
void __weft_interrupts_expired(void);

#endif
