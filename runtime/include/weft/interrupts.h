// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Interrupts: a handler called on the program's own thread every N cycles, units of work or ticks of a flag, by probes
// that the compiler wove into the program. No signal, no kernel, no async-signal-safety rules: a handler runs between two
// instructions of ordinary code, like a function that the code called there.
//
// The header works in a program built without Weft too: it compiles, links and runs, registration succeeds, no handler is
// ever called, and weft_interrupts_active() says 0. No #ifdef is needed around the calls.
//
// Everything here concerns the calling thread alone. A new thread has no handler.
//
// Rules
// -----
//   - While a handler runs, interrupts are disabled on its thread, as if by weft_interrupts_disable().
//   - A handler may register, deregister, disable and enable. What it disables stays disabled after its return. What it
//     registers takes effect when it returns.
//   - A handler that calls weft_interrupts_enable() may itself be interrupted. It must call weft_interrupts_disable()
//     again before it returns. This is also how a scheduler leaves a handler for another stack: enable, switch, and
//     disable when it is switched back.
//   - A handler that will never return (longjmp(), a C++ exception, a switch of stacks for good) calls
//     weft_interrupts_enable() first; without it interrupts stay disabled on the thread. longjmp() and exceptions pass
//     the interrupted functions without running their own cleanups (destructors in frames further out do run), and an
//     exception ends the program where the compiler proved that a function cannot throw. pthread_exit() is allowed.
//   - A handler that runs longer than the interval is called again one interval after it returned (cycles, flag), or when
//     the next whole interval of work is done (instructions). Calls never pile up.
//   - An interrupt that falls due while interrupts are disabled comes at the first probe after they are enabled.
//   - Signal handlers are ordinary code: when their code is woven, an interrupt may come in them. One that must not be
//     interrupted disables and enables. One that leaves by siglongjmp() may have come into the middle of the runtime,
//     which then waits for the end of what it did: register again afterwards, or the thread may have no more interrupts.
//   - After fork() the child's only thread keeps its registration. A child of vfork() shares its parent's: only call
//     execve() or _exit() there.
//   - When a thread ends, its registration ends, after the destructors of its thread-locals.
//   - Objects loaded by dlopen() are interrupted like the rest when they were woven.
//   - errno is kept.

#ifndef WEFT_INTERRUPTS_H
#define WEFT_INTERRUPTS_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/// What an interval is counted in.
enum weft_interrupts_clock {
    /// The one that the build asked for with --interrupts-clock; cycles if it did not.
    WEFT_INTERRUPTS_DEFAULT = 0,

    /// Ticks of the processor's clock: the time-stamp counter on x86_64, the virtual counter on aarch64.
    /// weft_interrupts_ticks_per_second() says how many a second has. Interval: time.
    WEFT_INTERRUPTS_CYCLES = 1,

    /// Units of work, as weft_interrupts_count() counts them. The same build with the same input is interrupted at the
    /// same points on every run. Built with metering too and --interrupts-clock instructions, a unit is metering's, and
    /// the points are the same at every level of optimisation and on every target.
    WEFT_INTERRUPTS_INSTRUCTIONS = 2,

    /// Whenever somebody set the thread's flag: weft_interrupts_flag(). The interval is in nanoseconds, after which a timer
    /// thread sets the flag; with interval 0 only the application does. Cheapest in a build with --interrupts-clock flag.
    WEFT_INTERRUPTS_FLAG = 3,
};

/// @param count     weft_interrupts_count() of the thread: units since it began, not since the last call.
/// @param argument  What was registered.
typedef void (*weft_interrupts_handler)(uint64_t count, void *argument);

/// Called with interrupts disabled.
typedef void (*weft_interrupts_hook)(void);

/// Longest interval of every clock: 2^48 (more than a day of cycles).
#define WEFT_INTERRUPTS_MAX_INTERVAL (UINT64_C(1) << 48)

#ifdef __WEFT_INTERRUPTS__ // Weft's compiler driver says that the runtime will be linked

/// Registers the calling thread's handler; replaces the one it had. The first call comes one interval from now.
/// Returns 0, or an errno value and changes nothing: EINVAL: no handler, an unknown clock, interval 0 (other than
/// WEFT_INTERRUPTS_FLAG) or above WEFT_INTERRUPTS_MAX_INTERVAL. ENOTSUP: the build has no probes for this clock (cycles and
/// instructions with --interrupts-clock flag; anything but instructions where metering counts). EAGAIN or ENOMEM: no timer
/// thread could be started.
/// Intervals shorter than the longest path between two probes (see --interrupts-max-gap) come as fast as probes do.
/// Safe in a handler. Not in a signal handler: the loop it interrupts may hold the thread's budget in a register.
int weft_interrupts_register(enum weft_interrupts_clock clock, uint64_t interval, weft_interrupts_handler handler, void *argument);

/// Ends the calling thread's registration. Returns 0, also when there is none. Hooks and disabling stay.
int weft_interrupts_deregister(void);

/// From now on no handler is called on this thread until weft_interrupts_enable() was called as often as this. Calls nest.
/// Needs no registration. Safe in signal handlers.
void weft_interrupts_disable(void);

/// Undoes one weft_interrupts_disable(). Without one it does nothing, except that the hook runs. Safe in signal handlers.
void weft_interrupts_enable(void);

/// Sets what runs at the end of every weft_interrupts_disable() on the calling thread, nested or not; NULL for nothing.
void weft_interrupts_set_disable_hook(weft_interrupts_hook hook);

/// Sets what runs at the start of every weft_interrupts_enable() on the calling thread, nested or not; NULL for nothing.
void weft_interrupts_set_enable_hook(weft_interrupts_hook hook);

/// Between these two calls, on every path through the code of one function as written, the compiler places no probes. The
/// calls themselves vanish. Code called from there is not affected: that is what weft_interrupts_disable() is for.
void weft_interrupts_instr_disable(void);
void weft_interrupts_instr_enable(void);

/// Units of work of the calling thread since it began: instructions of the optimised program weighted by what they
/// usually cost, charged as probes are passed. 0 in a build with --interrupts-clock flag. Safe in signal handlers.
uint64_t weft_interrupts_count(void);

/// Number of handler calls on the calling thread. Safe in signal handlers.
uint64_t weft_interrupts_fired(void);

/// The calling thread's flag, for WEFT_INTERRUPTS_FLAG: any thread or signal handler may store a non-zero value to it,
/// atomically, while the owner runs; the next probe clears it and calls the handler. Valid until the thread ends.
volatile uint32_t *weft_interrupts_flag(void);

/// Ticks of the clock behind WEFT_INTERRUPTS_CYCLES in a second; measured on the first call where the processor does not
/// tell, which takes 10 ms. Thread-safe.
uint64_t weft_interrupts_ticks_per_second(void);

/// What WEFT_INTERRUPTS_DEFAULT means in this build. Thread-safe; safe in signal handlers.
enum weft_interrupts_clock weft_interrupts_build_clock(void);

/// 1 if the program or library was woven for interrupts, else 0. Thread-safe; safe in signal handlers.
int weft_interrupts_active(void);

#else

// As in weft/metering.h: weak references are 0 when nothing defines them.
#define WEFT_INTERRUPTS_WEAK(name) __asm__(#name) __attribute__((weak))
#define WEFT_INTERRUPTS_INLINE __attribute__((always_inline, unused)) static inline

extern int weft_interrupts_linked_register(enum weft_interrupts_clock clock, uint64_t interval, weft_interrupts_handler handler, void *argument) WEFT_INTERRUPTS_WEAK(weft_interrupts_register);
extern int weft_interrupts_linked_deregister(void) WEFT_INTERRUPTS_WEAK(weft_interrupts_deregister);
extern void weft_interrupts_linked_disable(void) WEFT_INTERRUPTS_WEAK(weft_interrupts_disable);
extern void weft_interrupts_linked_enable(void) WEFT_INTERRUPTS_WEAK(weft_interrupts_enable);
extern void weft_interrupts_linked_set_disable_hook(weft_interrupts_hook hook) WEFT_INTERRUPTS_WEAK(weft_interrupts_set_disable_hook);
extern void weft_interrupts_linked_set_enable_hook(weft_interrupts_hook hook) WEFT_INTERRUPTS_WEAK(weft_interrupts_set_enable_hook);
extern uint64_t weft_interrupts_linked_count(void) WEFT_INTERRUPTS_WEAK(weft_interrupts_count);
extern uint64_t weft_interrupts_linked_fired(void) WEFT_INTERRUPTS_WEAK(weft_interrupts_fired);
extern volatile uint32_t *weft_interrupts_linked_flag(void) WEFT_INTERRUPTS_WEAK(weft_interrupts_flag);
extern uint64_t weft_interrupts_linked_ticks_per_second(void) WEFT_INTERRUPTS_WEAK(weft_interrupts_ticks_per_second);
extern enum weft_interrupts_clock weft_interrupts_linked_build_clock(void) WEFT_INTERRUPTS_WEAK(weft_interrupts_build_clock);
extern int weft_interrupts_linked_active(void) WEFT_INTERRUPTS_WEAK(weft_interrupts_active);

WEFT_INTERRUPTS_INLINE int weft_interrupts_register(enum weft_interrupts_clock clock, uint64_t interval, weft_interrupts_handler handler, void *argument) __asm__("weft_inline_interrupts_register");
WEFT_INTERRUPTS_INLINE int weft_interrupts_deregister(void) __asm__("weft_inline_interrupts_deregister");
WEFT_INTERRUPTS_INLINE void weft_interrupts_disable(void) __asm__("weft_inline_interrupts_disable");
WEFT_INTERRUPTS_INLINE void weft_interrupts_enable(void) __asm__("weft_inline_interrupts_enable");
WEFT_INTERRUPTS_INLINE void weft_interrupts_set_disable_hook(weft_interrupts_hook hook) __asm__("weft_inline_interrupts_set_disable_hook");
WEFT_INTERRUPTS_INLINE void weft_interrupts_set_enable_hook(weft_interrupts_hook hook) __asm__("weft_inline_interrupts_set_enable_hook");
WEFT_INTERRUPTS_INLINE void weft_interrupts_instr_disable(void) __asm__("weft_inline_interrupts_instr_disable");
WEFT_INTERRUPTS_INLINE void weft_interrupts_instr_enable(void) __asm__("weft_inline_interrupts_instr_enable");
WEFT_INTERRUPTS_INLINE uint64_t weft_interrupts_count(void) __asm__("weft_inline_interrupts_count");
WEFT_INTERRUPTS_INLINE uint64_t weft_interrupts_fired(void) __asm__("weft_inline_interrupts_fired");
WEFT_INTERRUPTS_INLINE volatile uint32_t *weft_interrupts_flag(void) __asm__("weft_inline_interrupts_flag");
WEFT_INTERRUPTS_INLINE uint64_t weft_interrupts_ticks_per_second(void) __asm__("weft_inline_interrupts_ticks_per_second");
WEFT_INTERRUPTS_INLINE enum weft_interrupts_clock weft_interrupts_build_clock(void) __asm__("weft_inline_interrupts_build_clock");
WEFT_INTERRUPTS_INLINE int weft_interrupts_active(void) __asm__("weft_inline_interrupts_active");

static inline int weft_interrupts_register(enum weft_interrupts_clock clock, uint64_t interval, weft_interrupts_handler handler, void *argument)
{
    return weft_interrupts_linked_register ? weft_interrupts_linked_register(clock, interval, handler, argument) : 0;
}

static inline int weft_interrupts_deregister(void)
{
    return weft_interrupts_linked_deregister ? weft_interrupts_linked_deregister() : 0;
}

static inline void weft_interrupts_disable(void)
{
    if (weft_interrupts_linked_disable)
        weft_interrupts_linked_disable();
}

static inline void weft_interrupts_enable(void)
{
    if (weft_interrupts_linked_enable)
        weft_interrupts_linked_enable();
}

static inline void weft_interrupts_set_disable_hook(weft_interrupts_hook hook)
{
    if (weft_interrupts_linked_set_disable_hook)
        weft_interrupts_linked_set_disable_hook(hook);
}

static inline void weft_interrupts_set_enable_hook(weft_interrupts_hook hook)
{
    if (weft_interrupts_linked_set_enable_hook)
        weft_interrupts_linked_set_enable_hook(hook);
}

static inline void weft_interrupts_instr_disable(void)
{
}

static inline void weft_interrupts_instr_enable(void)
{
}

static inline uint64_t weft_interrupts_count(void)
{
    return weft_interrupts_linked_count ? weft_interrupts_linked_count() : 0;
}

static inline uint64_t weft_interrupts_fired(void)
{
    return weft_interrupts_linked_fired ? weft_interrupts_linked_fired() : 0;
}

static inline volatile uint32_t *weft_interrupts_flag(void)
{
    static __thread uint32_t unused;
    return weft_interrupts_linked_flag ? weft_interrupts_linked_flag() : &unused;
}

static inline uint64_t weft_interrupts_ticks_per_second(void)
{
    return weft_interrupts_linked_ticks_per_second ? weft_interrupts_linked_ticks_per_second() : UINT64_C(1000000000);
}

static inline enum weft_interrupts_clock weft_interrupts_build_clock(void)
{
    return weft_interrupts_linked_build_clock ? weft_interrupts_linked_build_clock() : WEFT_INTERRUPTS_CYCLES;
}

static inline int weft_interrupts_active(void)
{
    return weft_interrupts_linked_active ? weft_interrupts_linked_active() : 0;
}

#undef WEFT_INTERRUPTS_WEAK
#undef WEFT_INTERRUPTS_INLINE

#endif

#ifdef __cplusplus
}
#endif

#endif
