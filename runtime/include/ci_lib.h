// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The interface of the original Compiler Interrupts library (PLDI 2021), so that programs written for it compile and link
// unchanged. Everything here is a thin layer over weft/interrupts.h, whose rules hold; like it, it works in a program built
// without Weft, where no handler is ever called.

#ifndef WEFT_CI_LIB_H
#define WEFT_CI_LIB_H

#include "weft/interrupts.h"

#ifdef __cplusplus
extern "C" {
#endif

/// Gets the count of the thread since it began.
typedef void (*ci_handler)(long);
typedef void (*ci_margin_hook)(void);

static inline void weft_ci_call(uint64_t count, void *handler)
{
    ((ci_handler)handler)((long)count);
}

/// Registers the calling thread's handler, and replaces the one it had. In a build with --interrupts-clock instructions it
/// is called every `ir_interval` units; otherwise every `cycles_interval` cycles, where the probes' own calibration takes
/// the place of `ir_interval`. If one of the two is 0, the other counts. Values that make no sense (both 0, one negative,
/// no handler) change nothing.
static inline void register_ci(int ir_interval, int cycles_interval, ci_handler handler)
{
    enum weft_interrupts_clock clock = weft_interrupts_build_clock();
    if (ir_interval < 0 || cycles_interval < 0 || !handler)
        return;
    if (clock == WEFT_INTERRUPTS_CYCLES && cycles_interval == 0)
        clock = WEFT_INTERRUPTS_INSTRUCTIONS;
    else if (clock == WEFT_INTERRUPTS_INSTRUCTIONS && ir_interval == 0)
        clock = WEFT_INTERRUPTS_CYCLES;
    uint64_t interval = (uint64_t)(clock == WEFT_INTERRUPTS_INSTRUCTIONS ? ir_interval : cycles_interval);
    if (clock == WEFT_INTERRUPTS_FLAG)
        interval = (uint64_t)((double)interval * 1e9 / (double)weft_interrupts_ticks_per_second());
    if (interval > 0)
        weft_interrupts_register(clock, interval, weft_ci_call, (void *)handler);
}

static inline void deregister_ci(void)
{
    weft_interrupts_deregister();
}

/// Both hooks run on every call of the function they are named after.
static inline void register_ci_disable_hook(ci_margin_hook hook)
{
    weft_interrupts_set_disable_hook(hook);
}

static inline void register_ci_enable_hook(ci_margin_hook hook)
{
    weft_interrupts_set_enable_hook(hook);
}

static inline void deregister_ci_disable_hook(void)
{
    weft_interrupts_set_disable_hook(0);
}

static inline void deregister_ci_enable_hook(void)
{
    weft_interrupts_set_enable_hook(0);
}

/// Calls nest.
static inline void ci_disable(void)
{
    weft_interrupts_disable();
}

static inline void ci_enable(void)
{
    weft_interrupts_enable();
}

// Not functions: the compiler takes the calls out and places no probes between them.
#define instr_disable() weft_interrupts_instr_disable()
#define instr_enable() weft_interrupts_instr_enable()

#ifdef __cplusplus
}
#endif

#endif
