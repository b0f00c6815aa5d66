// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Coverage: what ran, region by region of the source, as LLVM's raw profiles.
//
// The header works in a program built without Weft too: it compiles, links and runs, and weft_coverage_active() says 0.
// No #ifdef is needed around the calls.
//
// The profile
// -----------
// A woven program writes its profile to weft-out/coverage/PID.profraw, below the directory in which it was started; WEFT_OUT
// names another folder than weft-out. LLVM_PROFILE_FILE=PATTERN overrides both, with LLVM's patterns: %p process id, %h host,
// %t TMPDIR, %m signature of the module, %Nm the same with N files to share the work, %b build id. Both are ignored in
// set-user-id programs.
//
//   - The file is mapped into memory while the process runs: it is complete at any time, however the process ends (exit,
//     _exit, abort, a fatal signal, SIGKILL). Counts of a loop without calls are in it when the loop ends.
//   - A name without %p may be chosen by several processes. While such a process runs its file is NAME.PID; at the end it
//     becomes NAME, in place of any other (the last process wins, as with LLVM's runtime), or with %m is added to NAME.
//   - A program that calls exec() goes on in its file. A forked child counts from zero, into a file of its own once it
//     runs woven code; a child of vfork() counts as its parent.
//   - A file may hold several profiles behind each other: one for each woven module, and while threads run, for each of up
//     to 64 threads. LLVM's tools read such files.
//   - A file that cannot be written is reported on standard error, once, and does not change the exit status. Counts are
//     then kept in memory, and written at the end if that is possible by then.
//
// Functions of LLVM's own runtime that programs call work too: __llvm_profile_write_file, __llvm_profile_dump,
// __llvm_profile_reset_counters, __llvm_profile_set_filename, __llvm_profile_get_filename.

#ifndef WEFT_COVERAGE_H
#define WEFT_COVERAGE_H

#ifdef __cplusplus
extern "C" {
#endif

#ifdef __WEFT_COVERAGE__ // Weft's compiler driver says that the runtime will be linked

/// Writes all that was counted so far, by all threads, to the file `path`, taken literally: a raw profile of each woven
/// module. The file is replaced as a whole or left alone. `path` stays the caller's. Returns 0, or the errno value of what
/// failed; prints nothing. EINVAL: no path. EDEADLK: called from a signal handler that interrupted the runtime.
/// Counts of threads that run are read as they are. Thread-safe; not for signal handlers. Without Weft: 0, and no file.
int weft_coverage_write(const char *path);

/// Sets all counts to 0, in the process's file too. Exact if no other thread runs woven code meanwhile; else a counter that
/// such a thread is adding to may keep its value, and with binary counters a loop that it is leaving may stay unseen
/// until the next reset. Thread-safe; not for signal handlers.
void weft_coverage_reset(void);

/// Adds the counts in a raw profile of this program to the process's own. Returns 0, EINVAL if the file is no profile of a
/// module of this process, or another errno value. Thread-safe; not for signal handlers. Without Weft: 0.
int weft_coverage_merge(const char *path);

/// 1 if the process holds code woven for coverage, else 0. Thread-safe; safe in signal handlers.
int weft_coverage_active(void);

#else

#define WEFT_COVERAGE_WEAK(name) __asm__(#name) __attribute__((weak))
#define WEFT_COVERAGE_INLINE __attribute__((always_inline, unused)) static inline

extern int weft_coverage_linked_write(const char *path) WEFT_COVERAGE_WEAK(weft_coverage_write);
extern void weft_coverage_linked_reset(void) WEFT_COVERAGE_WEAK(weft_coverage_reset);
extern int weft_coverage_linked_merge(const char *path) WEFT_COVERAGE_WEAK(weft_coverage_merge);
extern int weft_coverage_linked_active(void) WEFT_COVERAGE_WEAK(weft_coverage_active);

WEFT_COVERAGE_INLINE int weft_coverage_write(const char *path) __asm__("weft_inline_coverage_write");
WEFT_COVERAGE_INLINE void weft_coverage_reset(void) __asm__("weft_inline_coverage_reset");
WEFT_COVERAGE_INLINE int weft_coverage_merge(const char *path) __asm__("weft_inline_coverage_merge");
WEFT_COVERAGE_INLINE int weft_coverage_active(void) __asm__("weft_inline_coverage_active");

static inline int weft_coverage_write(const char *path)
{
    return weft_coverage_linked_write ? weft_coverage_linked_write(path) : 0;
}

static inline void weft_coverage_reset(void)
{
    if (weft_coverage_linked_reset)
        weft_coverage_linked_reset();
}

static inline int weft_coverage_merge(const char *path)
{
    return weft_coverage_linked_merge ? weft_coverage_linked_merge(path) : 0;
}

static inline int weft_coverage_active(void)
{
    return weft_coverage_linked_active ? weft_coverage_linked_active() : 0;
}

#undef WEFT_COVERAGE_WEAK
#undef WEFT_COVERAGE_INLINE

#endif

#ifdef __cplusplus
}
#endif

#endif
