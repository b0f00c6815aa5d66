// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

/// @file
/// Tracing of functions that were built `--with tracing`, for programs that want to control it themselves. None of it is
/// needed: `WEFT_TRACING=on`, `weft tracing record` and `weft tracing attach` work without any code.
///
/// In a program that was not built `--with tracing` everything here compiles to nothing and costs nothing.
///
/// All functions may be called from any thread, keep errno, and may be called in a signal handler unless they say otherwise.

#ifndef WEFT_TRACING_H
#define WEFT_TRACING_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/// What the events of a function are timed by.
enum weft_tracing_clock {
    WEFT_TRACING_CLOCK_EXACT,  ///< the processor's counter: nanoseconds
    WEFT_TRACING_CLOCK_COARSE, ///< a tick that a helper thread advances every few microseconds
    WEFT_TRACING_CLOCK_NONE,   ///< order only: counts and call trees
};

/// A name for spans or a type of events. Give it static storage; `id` is the runtime's.
struct weft_tracing_name {
    const char *text; ///< UTF-8, at most 60,000 bytes
    uint32_t id;
};

/// What an event may carry; more is cut off.
#define WEFT_TRACING_EVENT_BYTES 512

#ifdef __WEFT_TRACING__

/// Switches functions on in the running program and starts recording if nothing is being recorded yet.
/// @param globs patterns separated by commas (`*`, `?`), compared with the function's name as people write it and with its
///        symbol; `@GLOB` is every function of the modules whose path or file name it fits; NULL: every function, also of shared objects that are loaded later
/// @return the number of functions that were off or had another clock, or a negative errno value: -EDEADLK in a signal
///         handler that has interrupted the same, -EACCES where the system forbids writable code
long weft_tracing_on(const char *globs, enum weft_tracing_clock clock);

/// Switches functions off. Calls that are under way end without an event.
/// @return the number of functions that were on, or a negative errno value
long weft_tracing_off(const char *globs);

/// The runtime's own: not 0 while events are being recorded.
extern uint32_t weft_tracing_process_recording __asm__("__weft_tracing_process_v1") __attribute__((visibility("default")));

/// Whether events are being recorded. A load: what is done for the trace alone may well ask first.
static inline int weft_tracing_recording(void)
{
    return __atomic_load_n(&weft_tracing_process_recording, __ATOMIC_RELAXED) != 0;
}

/// The path of the trace file, or NULL. Changes when the process forks.
const char *weft_tracing_file(void);

/// A span of the calling thread begins, or ends. Spans may enclose calls, and the other way round.
void weft_tracing_begin(struct weft_tracing_name *name);
void weft_tracing_end(struct weft_tracing_name *name);

/// An event with up to WEFT_TRACING_EVENT_BYTES of data.
void weft_tracing_event(struct weft_tracing_name *type, const void *data, size_t size);

// nothrow: where C++ has something to clean up, the mark is a plain call all the same.
__attribute__((nothrow)) void __weft_tracing_always(void);
__attribute__((nothrow)) void __weft_tracing_never(void);

/// As a statement in a function: it can be traced whatever its size, and is not inlined.
#define WEFT_TRACING_ALWAYS __weft_tracing_always()

/// As a statement in a function: it is never traced.
#define WEFT_TRACING_NEVER __weft_tracing_never()

#else

static inline long weft_tracing_on(const char *globs, enum weft_tracing_clock clock)
{
    (void)globs;
    (void)clock;
    return 0;
}

static inline long weft_tracing_off(const char *globs)
{
    (void)globs;
    return 0;
}

static inline int weft_tracing_recording(void)
{
    return 0;
}

static inline const char *weft_tracing_file(void)
{
    return NULL;
}

static inline void weft_tracing_begin(struct weft_tracing_name *name)
{
    (void)name;
}

static inline void weft_tracing_end(struct weft_tracing_name *name)
{
    (void)name;
}

static inline void weft_tracing_event(struct weft_tracing_name *type, const void *data, size_t size)
{
    (void)type;
    (void)data;
    (void)size;
}

#define WEFT_TRACING_ALWAYS ((void)0)
#define WEFT_TRACING_NEVER ((void)0)

#endif

#ifdef __cplusplus
}
#endif

#endif
