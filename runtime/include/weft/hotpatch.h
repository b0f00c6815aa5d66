// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Hotpatch: functions of the running program are replaced by those of a patch, and come back.
//
// Programs built without hotpatch may include this header, too: everything then does nothing. Programs need none of this to be
// patched from outside (`weft hotpatch apply --pid`); with it they apply patches themselves, or are told when others do.
//
// All functions may be called from any thread. One patch is applied at a time; a call that comes in between is refused as busy.
// A switch needs no other thread to stop: calls that are under way end in the code that they began in, calls that begin later
// are of the new code. weft_hotpatch_wait() tells when the last of the former has ended.
//
// In its environment a program is told
//
//   WEFT_HOTPATCH_KEY    a public key's file, of `weft hotpatch key`: no patch is applied but those signed with it
//
// From the first patch on, a program that is ended by SIGSEGV, SIGBUS, SIGILL, SIGFPE or SIGABRT within new code says so on standard
// error, and then ends as it would have. A handler of its own is called after that. One that it sets later is all that is called.

#ifndef WEFT_HOTPATCH_H
#define WEFT_HOTPATCH_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/// What the functions below return.
enum weft_hotpatch_result {
    WEFT_HOTPATCH_OK = 0,
    WEFT_HOTPATCH_DAMAGED = 1,        ///< the file is no patch, or not whole
    WEFT_HOTPATCH_OTHER_PROGRAM = 2,  ///< the patch is for another build, or another processor
    WEFT_HOTPATCH_APPLIED = 3,        ///< it is applied already
    WEFT_HOTPATCH_ORDER = 4,          ///< an earlier patch that it builds on is missing, or a later one builds on it
    WEFT_HOTPATCH_BUSY = 5,           ///< another patch is being applied
    WEFT_HOTPATCH_NO_MEMORY = 6,      ///< no memory, or none that is near enough to the program
    WEFT_HOTPATCH_UNKNOWN_SYMBOL = 7, ///< neither the program nor its libraries have what it needs
    WEFT_HOTPATCH_CHANGED_CODE = 8,   ///< a function's code is not as it was built
    WEFT_HOTPATCH_DENIED = 9,         ///< the system does not let code be changed
    WEFT_HOTPATCH_VETOED = 10,        ///< the program's own hook said no
    WEFT_HOTPATCH_UNKNOWN_PATCH = 11, ///< no such patch
    WEFT_HOTPATCH_NO_FILE = 12,       ///< the file cannot be read
    WEFT_HOTPATCH_ABSENT = 13,        ///< the program was built without hotpatch
    WEFT_HOTPATCH_UNSIGNED = 14,      ///< it is not signed with the key that the program was told of
    WEFT_HOTPATCH_RUNNING = 15,       ///< a thread is still inside code that was replaced
};

/// Called on the thread that a patch is applied or taken back on, before anything is switched, or after all is. `context` is as given
/// to weft_hotpatch_set_hooks(), `patch` the patch's name, `functions` how many it replaces. What comes back from the one before
/// matters: anything but 0 refuses the patch. A patch from outside is applied in a signal handler: then both may do only what a
/// signal handler may, and must not call functions of this header.
typedef int weft_hotpatch_hook(void *context, const char *patch, uint32_t functions);

#if defined(__WEFT_HOTPATCH__)

/// Applies the patch in a file. `why` gets a sentence if it is refused, for people; it may be NULL.
int weft_hotpatch_apply(const char *path, char *why, size_t why_size);

/// The same for a patch in memory, which may be freed afterwards.
int weft_hotpatch_apply_bytes(const void *bytes, size_t size, char *why, size_t why_size);

/// Takes back the patches that were applied last, until `keep` are left: 0 takes back all.
int weft_hotpatch_revert_to(uint32_t keep);

/// Waits, at most so long, until no thread is inside code that is not its function's code any more, the calling thread among them.
/// WEFT_HOTPATCH_RUNNING when the time is up; `why` then says which threads are where. Nothing is taken back.
///
/// A thread is taken to be inside when any word of its stack is an address of such code, which may be one that an earlier call has
/// left there. It is never taken to be outside while it is inside, unless it has left the stack that the system gave it: what a
/// coroutine that is suspended has on a stack of its own is not seen. Threads that run are sent SIGURG; one that blocks that, and never
/// sleeps in the system, cannot be looked at and counts as inside.
int weft_hotpatch_wait(uint32_t milliseconds, char *why, size_t why_size);

/// How many patches are applied.
uint32_t weft_hotpatch_count(void);

/// Sets what is called around each patch; NULL for nothing.
void weft_hotpatch_set_hooks(weft_hotpatch_hook *before, weft_hotpatch_hook *after, void *context);

#else

static inline int weft_hotpatch_absent(char *why, size_t size)
{
    if (why && size)
        *why = '\0';
    return WEFT_HOTPATCH_ABSENT;
}

static inline int weft_hotpatch_apply(const char *path, char *why, size_t why_size)
{
    (void)path;
    return weft_hotpatch_absent(why, why_size);
}

static inline int weft_hotpatch_apply_bytes(const void *bytes, size_t size, char *why, size_t why_size)
{
    (void)bytes, (void)size;
    return weft_hotpatch_absent(why, why_size);
}

static inline int weft_hotpatch_revert_to(uint32_t keep)
{
    (void)keep;
    return WEFT_HOTPATCH_ABSENT;
}

static inline int weft_hotpatch_wait(uint32_t milliseconds, char *why, size_t why_size)
{
    (void)milliseconds;
    return weft_hotpatch_absent(why, why_size);
}

static inline uint32_t weft_hotpatch_count(void)
{
    return 0;
}

static inline void weft_hotpatch_set_hooks(weft_hotpatch_hook *before, weft_hotpatch_hook *after, void *context)
{
    (void)before, (void)after, (void)context;
}

#endif

#ifdef __cplusplus
}
#endif

#endif
