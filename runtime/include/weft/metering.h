// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Metering: a deterministic count of the work a program did. A *unit* is one instruction of the program as its front
// end wrote it, so a count depends on the source and its input, not on optimisation, processor or load.
//
// The header works in a program built without Weft too: it compiles, links and runs, every count is 0 and
// weft_metering_active() says 0. No #ifdef is needed around the calls.
//
// Only woven code is counted: libraries built without Weft, and the kernel, cost nothing.
//
// The report
// ----------
// With WEFT_METERING_REPORT=FILE in its environment a woven program writes a JSON report when it ends by exit() or by
// returning from main(). `-` means standard error; `%p` in FILE becomes the process id; a relative FILE is meant from
// the directory in which the program was started. The variable is ignored in set-user-id programs.
//
//   {"format":"weft-metering","version":1,"program":PATH,"pid":N,"total":N,
//    "threads":[{"index":N,"name":NAME,"units":N,"ended":BOOL}...],
//    "functions":[{"name":SYMBOL,"module":SOURCE,"units":N}...]}
//
//   - The total, the sum over threads and the sum over functions are equal.
//   - Three names stand for what has none: "(unattributed)" for work done before the module's functions were known
//     (constructors with a priority below 101) or for which no memory could be had; "(other functions)" for those after
//     the first 1,048,574; "(other threads)" for those after the first 65,536.
//   - The last woven module to be finalised writes, after atexit() handlers, static destructors and every destructor
//     function of lower priority (a number above 101) in woven modules: all that work is in the report. Threads that
//     still run then are read as they are. Work done after it is not in the report.
//   - FILE appears complete or not at all: a temporary file beside it is renamed. A FILE that is there already and is
//     not a regular file (a device, a pipe) is written to directly. A failure prints one line on standard error and
//     does not change the exit status.
//   - After fork() the child counts from zero and reports to FILE.PID, unless FILE has a `%p`.
//   - _exit(), quick_exit(), abort(), execve() and a fatal signal write no report; weft_metering_write_report() before
//     them does. A child made by vfork() counts as its parent; one made by _Fork() or a bare clone() starts with its
//     parent's counts.

#ifndef WEFT_METERING_H
#define WEFT_METERING_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#ifdef __WEFT_METERING__ // Weft's compiler driver says that the runtime will be linked

/// Units done by the calling thread since it began or last called weft_metering_reset(). Wraps at 2^64.
/// Safe in signal handlers; costs a load.
uint64_t weft_metering_count(void);

/// Sets the calling thread's weft_metering_count() to 0. Neither the process count nor the report changes.
/// Safe in signal handlers.
void weft_metering_reset(void);

/// Units done by all threads, ended ones included, since the process began or was forked. Threads that are running are
/// read as they are, so the figure is exact only for work that happened before the call.
/// Thread-safe; safe in signal handlers; takes time proportional to (running threads x woven functions).
uint64_t weft_metering_process_count(void);

/// Writes a report of the counts so far to the file `path`, taken literally; the file is replaced as a whole or left
/// alone. `path` stays the caller's. Returns 0, or the errno value of what failed; prints nothing.
/// EINVAL: no path. EDEADLK: called from a signal handler that interrupted a report.
/// Thread-safe; not a cancellation point; not for signal handlers. Without Weft it writes nothing and returns 0.
int weft_metering_write_report(const char *path);

/// 1 if the process holds code woven for metering, else 0. Thread-safe; safe in signal handlers.
int weft_metering_active(void);

#else

// The functions are reached through weak references: the linker resolves a weak reference that nothing defines to
// address 0 instead of failing, in static, position-independent and shared links alike. The wrappers need assembler
// names of their own, since they call functions that are called as they are.
#define WEFT_METERING_WEAK(name) __asm__(#name) __attribute__((weak))
#define WEFT_METERING_INLINE __attribute__((always_inline, unused)) static inline

extern uint64_t weft_metering_linked_count(void) WEFT_METERING_WEAK(weft_metering_count);
extern void weft_metering_linked_reset(void) WEFT_METERING_WEAK(weft_metering_reset);
extern uint64_t weft_metering_linked_process_count(void) WEFT_METERING_WEAK(weft_metering_process_count);
extern int weft_metering_linked_write_report(const char *path) WEFT_METERING_WEAK(weft_metering_write_report);
extern int weft_metering_linked_active(void) WEFT_METERING_WEAK(weft_metering_active);

WEFT_METERING_INLINE uint64_t weft_metering_count(void) __asm__("weft_inline_metering_count");
WEFT_METERING_INLINE void weft_metering_reset(void) __asm__("weft_inline_metering_reset");
WEFT_METERING_INLINE uint64_t weft_metering_process_count(void) __asm__("weft_inline_metering_process_count");
WEFT_METERING_INLINE int weft_metering_write_report(const char *path) __asm__("weft_inline_metering_write_report");
WEFT_METERING_INLINE int weft_metering_active(void) __asm__("weft_inline_metering_active");

static inline uint64_t weft_metering_count(void)
{
    return weft_metering_linked_count ? weft_metering_linked_count() : 0;
}

static inline void weft_metering_reset(void)
{
    if (weft_metering_linked_reset)
        weft_metering_linked_reset();
}

static inline uint64_t weft_metering_process_count(void)
{
    return weft_metering_linked_process_count ? weft_metering_linked_process_count() : 0;
}

static inline int weft_metering_write_report(const char *path)
{
    return weft_metering_linked_write_report ? weft_metering_linked_write_report(path) : 0;
}

static inline int weft_metering_active(void)
{
    return weft_metering_linked_active ? weft_metering_linked_active() : 0;
}

#undef WEFT_METERING_WEAK
#undef WEFT_METERING_INLINE

#endif

#ifdef __cplusplus
}
#endif

#endif
