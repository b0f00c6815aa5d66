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
// Limits
// ------
// A thread, or the process, may do so many units; what happens then is the program's choice, in a callback that runs on the
// thread that reached the limit. Without one, the process is stopped: it says so on standard error, flushes standard output,
// writes its report and exits with WEFT_METERING_STOPPED; nothing else of the program runs, no atexit() handler or
// destructor. WEFT_METERING_LIMIT=UNITS in the environment of a woven program sets the process's limit so. (Ignored in
// set-user-id programs. A value that is no number of units ends the program with WEFT_METERING_REFUSED before main().)
//
//   - The stop is a property of the program and its input: nothing that comes after the first `units` units is ever seen
//     outside. A limit is looked at before code is called that is not woven, and in loops and recursions. Computations
//     that nobody can see from outside may go a little further before anybody looks; what they did beyond the limit is not
//     counted. In a loop, memory is as of some moment since the last call.
//   - With several threads, a process's limit is exact only in that a process that stays within it is never stopped, and one
//     that does not is, at the latest when it ends. Threads take up to 2^24 units at a time; they notice a new limit after that.
//   - After fork() the child has what its parent had left. An executed program that is woven starts anew.
//   - A thread that ends takes its limits with it.
//
// A callback runs as a signal handler does for the code that it interrupts: what it writes, that code sees for certain only in
// volatile or atomic objects. It may look at everything, give more units (weft_metering_refuel() or another limit), stop the
// process, exit(), or leave by longjmp(). What it does is not counted. If it returns and its limit is where it was, the
// process is stopped. Whoever comes out ends the budget, or sets another
// limit: it is reached again after as many units as it had, at least 65,536. So there is room for cleaning up, and a guest that
// catches the exception does not get away with it.
//
// It may throw (a C++ exception, a Rust panic) where weft_metering_can_unwind() says so: in code that was built with
// --metering-limits=exact. Everywhere else an exception must not leave it, since code was compiled on the ground that a
// charge throws none. It passes like one that comes out of the call or loop where the limit was reached: frames that call
// what may throw clean up and can catch it. But it comes where no other does: a loop without calls, a function that is known not to throw.
// What the frame of that loop, or the direct caller of that function, would have cleaned up is left as it is: memory leaks, a lock stays locked. To
// catch it, put what is limited into a function of its own.
//
// The report
// ----------
// With WEFT_METERING_REPORT=FILE in its environment a woven program writes a JSON report when it ends by exit() or by
// returning from main(). `-` means standard error; `%p` in FILE becomes the process id; a relative FILE is meant from
// the directory in which the program was started. The variable is ignored in set-user-id programs.
//
//   {"format":"weft-metering","version":2,"program":PATH,"pid":N,"costs":NAME,"total":N,
//    "stopped":{"scope":"process"|"thread"|"program","limit":N},
//    "threads":[{"index":N,"name":NAME,"units":N,"ended":BOOL}...],
//    "functions":[{"name":SYMBOL,"module":SOURCE,"units":N,"file":PATH,"line":N}...],
//    "lines":[{"function":I,"file":PATH,"line":N,"units":N}...],
//    "contexts":[{"calls":N,"units":N,"function":I,"parent":I,"line":N}...]}
//
//   - "costs" says what a unit is: "canonical", "instructions", a file's name and digest, or "mixed" if modules differ.
//   - "stopped" is there if the process was.
//   - The total, the sum over threads and the sum over functions are equal; functions may have more when the process was stopped, by
//     what was done beyond the limit.
//   - Functions are told apart in a build with --metering-detail=functions, lines or calls. Their "file" and "line", where they
//     begin, are there with lines and calls, as far as anybody knows.
//   - "lines" are there with --metering-detail=lines or calls: what each function did in each source line, `function` being its index
//     in the list of functions. What the lines of a function leave of its units has no line of its own.
//   - "contexts" are there with --metering-detail=calls: functions by who called them. `parent` is the index of the caller's
//     context, which comes before its callees'; it is not there for a thread's outermost functions. `line` is that of the call, in the
//     caller's source; it is not there if nobody knows, nor for a function that is in the context already (recursion). `units` are
//     those of the function there, without what it calls. A context without a `function` stands for all that is called below
//     its parent: calls deeper than 1,000, and those that a thread made when it had 262,144 contexts. Contexts of threads that
//     called the same are one. After fork() the child's begin at zero, also those that it is in the middle of.
//   - Three names stand for what has none: "(unattributed)" for work of modules built without that, or
//     done before the module's functions were known (constructors with a priority below 101), or
//     for which no memory could be had; "(other functions)" for those after
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
#include <stdlib.h>

#ifdef __cplusplus
extern "C" {
#endif

/// Exit codes of a process that was stopped at a limit, and of one whose WEFT_METERING_LIMIT makes no sense.
#define WEFT_METERING_STOPPED 124
#define WEFT_METERING_REFUSED 125

/// In place of a number of units: as many as it likes.
#define WEFT_METERING_UNLIMITED UINT64_MAX

/// What is called at a limit, on the thread that reached it. See above for what it may do.
typedef void weft_metering_callback(void *argument);

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

/// Lets the calling thread do `units` more from here on, in place of any limit that was set before. Budgets within it stay.
/// Returns 0 or ENOMEM. Not for signal handlers.
int weft_metering_set_limit(uint64_t units, weft_metering_callback *callback, void *argument);

/// Begins a budget within the thread's limit and the budgets begun before: `units` from here on. Whichever ends first is
/// reached; of several that end together, the innermost. Returns its number, for weft_metering_end(), or -ENOMEM, or
/// -ENOSPC where 63 budgets are open. Not for signal handlers.
int weft_metering_begin(uint64_t units, weft_metering_callback *callback, void *argument);

/// Ends a budget, and those begun within it. Returns the units that were left, WEFT_METERING_UNLIMITED if it had no end, 0 if there is no
/// such budget. Not for signal handlers.
uint64_t weft_metering_end(int budget);

/// Adds to the limit that was reached, in a callback; else to the innermost budget, or the thread's limit. Returns 0, or EINVAL if there is
/// none. Not for signal handlers, but for callbacks.
int weft_metering_refuel(uint64_t units);

/// In a callback: 1 if an exception may leave it, else 0. Elsewhere 0. Safe in signal handlers.
int weft_metering_can_unwind(void);

/// Units that the calling thread may do until the nearest limit, the process's included; WEFT_METERING_UNLIMITED if there is none.
/// Exact with one thread. Not for signal handlers.
uint64_t weft_metering_left(void);

/// Lets the process do `units` more from here on, in place of the limit that was set before. The callback runs on whatever thread reaches it.
/// Thread-safe. Returns 0, or EDEADLK. Not for signal handlers.
int weft_metering_set_process_limit(uint64_t units, weft_metering_callback *callback, void *argument);

/// Code of the host that runs on a thread of the guest: what the calling thread does until weft_metering_resume() is not counted and has no
/// limit. May be nested. Returns 0 or ENOMEM. Not for signal handlers.
int weft_metering_suspend(void);
void weft_metering_resume(void);

/// Stops the process as a limit does: for a callback that wants to say something first. Does not return.
void weft_metering_stop(void) __attribute__((noreturn));

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
extern int weft_metering_linked_set_limit(uint64_t units, weft_metering_callback *callback, void *argument) WEFT_METERING_WEAK(weft_metering_set_limit);
extern int weft_metering_linked_begin(uint64_t units, weft_metering_callback *callback, void *argument) WEFT_METERING_WEAK(weft_metering_begin);
extern uint64_t weft_metering_linked_end(int budget) WEFT_METERING_WEAK(weft_metering_end);
extern int weft_metering_linked_refuel(uint64_t units) WEFT_METERING_WEAK(weft_metering_refuel);
extern int weft_metering_linked_can_unwind(void) WEFT_METERING_WEAK(weft_metering_can_unwind);
extern uint64_t weft_metering_linked_left(void) WEFT_METERING_WEAK(weft_metering_left);
extern int weft_metering_linked_set_process_limit(uint64_t units, weft_metering_callback *callback, void *argument) WEFT_METERING_WEAK(weft_metering_set_process_limit);
extern int weft_metering_linked_suspend(void) WEFT_METERING_WEAK(weft_metering_suspend);
extern void weft_metering_linked_resume(void) WEFT_METERING_WEAK(weft_metering_resume);
extern void weft_metering_linked_stop(void) WEFT_METERING_WEAK(weft_metering_stop);

WEFT_METERING_INLINE uint64_t weft_metering_count(void) __asm__("weft_inline_metering_count");
WEFT_METERING_INLINE void weft_metering_reset(void) __asm__("weft_inline_metering_reset");
WEFT_METERING_INLINE uint64_t weft_metering_process_count(void) __asm__("weft_inline_metering_process_count");
WEFT_METERING_INLINE int weft_metering_write_report(const char *path) __asm__("weft_inline_metering_write_report");
WEFT_METERING_INLINE int weft_metering_active(void) __asm__("weft_inline_metering_active");
WEFT_METERING_INLINE int weft_metering_set_limit(uint64_t units, weft_metering_callback *callback, void *argument) __asm__("weft_inline_metering_set_limit");
WEFT_METERING_INLINE int weft_metering_begin(uint64_t units, weft_metering_callback *callback, void *argument) __asm__("weft_inline_metering_begin");
WEFT_METERING_INLINE uint64_t weft_metering_end(int budget) __asm__("weft_inline_metering_end");
WEFT_METERING_INLINE int weft_metering_refuel(uint64_t units) __asm__("weft_inline_metering_refuel");
WEFT_METERING_INLINE int weft_metering_can_unwind(void) __asm__("weft_inline_metering_can_unwind");
WEFT_METERING_INLINE uint64_t weft_metering_left(void) __asm__("weft_inline_metering_left");
WEFT_METERING_INLINE int weft_metering_set_process_limit(uint64_t units, weft_metering_callback *callback, void *argument) __asm__("weft_inline_metering_set_process_limit");
WEFT_METERING_INLINE int weft_metering_suspend(void) __asm__("weft_inline_metering_suspend");
WEFT_METERING_INLINE void weft_metering_resume(void) __asm__("weft_inline_metering_resume");
WEFT_METERING_INLINE void weft_metering_stop(void) __asm__("weft_inline_metering_stop");

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

static inline int weft_metering_set_limit(uint64_t units, weft_metering_callback *callback, void *argument)
{
    return weft_metering_linked_set_limit ? weft_metering_linked_set_limit(units, callback, argument) : 0;
}

static inline int weft_metering_begin(uint64_t units, weft_metering_callback *callback, void *argument)
{
    return weft_metering_linked_begin ? weft_metering_linked_begin(units, callback, argument) : 1;
}

static inline uint64_t weft_metering_end(int budget)
{
    return weft_metering_linked_end ? weft_metering_linked_end(budget) : WEFT_METERING_UNLIMITED;
}

static inline int weft_metering_refuel(uint64_t units)
{
    return weft_metering_linked_refuel ? weft_metering_linked_refuel(units) : 0;
}

static inline int weft_metering_can_unwind(void)
{
    return weft_metering_linked_can_unwind ? weft_metering_linked_can_unwind() : 0;
}

static inline uint64_t weft_metering_left(void)
{
    return weft_metering_linked_left ? weft_metering_linked_left() : WEFT_METERING_UNLIMITED;
}

static inline int weft_metering_set_process_limit(uint64_t units, weft_metering_callback *callback, void *argument)
{
    return weft_metering_linked_set_process_limit ? weft_metering_linked_set_process_limit(units, callback, argument) : 0;
}

static inline int weft_metering_suspend(void)
{
    return weft_metering_linked_suspend ? weft_metering_linked_suspend() : 0;
}

static inline void weft_metering_resume(void)
{
    if (weft_metering_linked_resume)
        weft_metering_linked_resume();
}

static inline void weft_metering_stop(void)
{
    if (weft_metering_linked_stop)
        weft_metering_linked_stop();
    _Exit(WEFT_METERING_STOPPED);
}

#undef WEFT_METERING_WEAK
#undef WEFT_METERING_INLINE

#endif

#ifdef __cplusplus
}
#endif

#endif
