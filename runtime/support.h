// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What every instrument's runtime needs and must not take from stdio or malloc: both may belong to the program being
// measured, be woven themselves, or be in an inconsistent state in a signal handler or a forked child.
//
// support.c is the same everywhere; support_linux.c and support_windows.c are what the system does. Names of files are UTF-8 on Windows.
//
// Everything here is hidden, so each linked module has a copy of its own, and weak, so that a copy that came in with a
// static library and the one of the final link do not clash.

#ifndef WEFT_SUPPORT_H
#define WEFT_SUPPORT_H

#include <limits.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#ifdef _WIN32
typedef uint32_t weft_signals; ///< there are none; the thread's GetLastError(), which is the program's
#define WEFT_WEAK              // one copy is all that a link has
#undef PATH_MAX
#define PATH_MAX 4096 // in UTF-8; the system's own limit is of another time
#else
typedef sigset_t weft_signals;
#define WEFT_WEAK __attribute__((weak))
#endif

/// For an `__asm__` that defines an object which a process has once, whatever module it is found in: the symbol's binding
/// and type. C cannot say gnu_unique_object. Put the object into a section group, so that two copies in one link are one. A
/// libc without unique symbols gets weak ones: one per process still, unless modules are loaded out of each other's sight.
#ifdef __GLIBC__
#define WEFT_SHARED(symbol) ".globl " symbol "\n.type " symbol ", %gnu_unique_object\n"
#else
#define WEFT_SHARED(symbol) ".weak " symbol "\n.type " symbol ", %object\n"
#endif

/// A macro's value as text, for such an `__asm__`.
#define WEFT_TEXT(value) WEFT_TEXT_OF(value)
#define WEFT_TEXT_OF(value) #value

#pragma GCC visibility push(hidden)

// ---- Messages ----

/// One line `weft: INSTRUMENT: TEXT...` on standard error, in one system call. `texts` ends with NULL. Keeps errno.
void weft_complain(const char *instrument, const char *const *texts);

/// The English text of an errno value; strerror() may allocate and translate. `unknown` has room for WEFT_ERROR_TEXT.
const char *weft_error_text(int error, char *unknown);
#define WEFT_ERROR_TEXT 32

// ---- Locks ----

/// A lock that holds its owner's thread id, so that a waiter can tell that the owner is gone (a thread of the parent,
/// in a child that no fork handler has seen) and take over. All zero bits: free.
struct weft_lock {
    uint32_t word;
};

/// 0, or EDEADLK when the calling thread holds it already. Does not block signals: see weft_lock_signal_safe.
int weft_lock(struct weft_lock *lock);
void weft_unlock(struct weft_lock *lock);

/// The same with all signals blocked between the two calls, so that no handler on this thread can wait for a lock that
/// the thread holds. Keeps errno.
int weft_lock_signal_safe(struct weft_lock *lock, weft_signals *saved);
void weft_unlock_signal_safe(struct weft_lock *lock, const weft_signals *saved);

#ifndef _WIN32
/// The same without waiting: 0, or EBUSY when any thread holds it.
int weft_try_lock(struct weft_lock *lock);
#endif

pid_t weft_thread_id(void);

/// Whether no thread of this process has this id any more. A false "still there" is possible, a false "gone" is not.
int weft_thread_is_gone(pid_t thread);

// ---- Memory ----

/// Zeroed private pages that cost nothing until they are touched, or NULL. To be given back, if ever, by munmap().
void *weft_reserve(size_t size);

// ---- Files ----

/// A file that appears under its name complete or not at all. A name that belongs to something other than a regular
/// file is written to as it is. 8 KB: give it static storage. `error` is the first failure.
struct weft_file {
    const char *path;
    int descriptor;
    int error;
    int replaces; ///< whether `temporary` is to be renamed to `path`
    size_t used;
    char temporary[PATH_MAX];
    char buffer[4096];
};

/// Opens. `path` must live until weft_file_close(). Returns 0 or an errno value; writing after a failure is harmless.
int weft_file_open(struct weft_file *file, const char *path);

/// The same on a descriptor that stays open.
void weft_file_attach(struct weft_file *file, int descriptor);

void weft_file_write(struct weft_file *file, const char *bytes, size_t size);
void weft_file_text(struct weft_file *file, const char *text);
void weft_file_number(struct weft_file *file, uint64_t number);

/// A JSON string, quotes included. Bytes that are not UTF-8 become the escapes \u0080 to \u00ff.
void weft_file_json(struct weft_file *file, const char *text);

/// Flushes and publishes. Returns 0 or the errno value of the first failure; then nothing is left behind.
int weft_file_close(struct weft_file *file);

// What the system does for these files.

/// Whether the name stands for something that must be written to, not replaced.
int weft_path_is_special(const char *path);

/// Opens for writing, with these flags of open() besides. A descriptor, or -1 with errno.
int weft_path_open(const char *path, int flags);

void weft_path_remove(const char *path);

/// Gives a file another's name, and place, in one step. 0 or an errno value.
int weft_path_replace(const char *from, const char *to);

/// Keeps a broken pipe, a file size limit or pthread_cancel() from ending the thread in the middle of a file.
struct weft_quiet {
    weft_signals mask;
    weft_signals pending;
    int cancel_state;
};

void weft_quiet_begin(struct weft_quiet *quiet);
void weft_quiet_end(const struct weft_quiet *quiet);

// ---- Text ----

/// Copies a string to `end`, or says that it does not fit before `limit`. Returns the new end, or NULL, also for NULL.
char *weft_append(char *end, const char *limit, const char *text, size_t length);

// ---- Configuration ----

/// The value of an environment variable, or NULL if it is unset or empty, or the program runs with raised privileges. On
/// Windows it stays until the next call.
const char *weft_setting(const char *name);

/// `name` as seen from the current directory, made absolute so that it survives a chdir(). 0 or an errno value.
int weft_absolute_path(char *path, size_t size, const char *name);

/// `pattern` with each `%p` replaced by the process id. Without a `%p` and with `always`, `.PID` is appended.
/// 0 or an errno value.
int weft_expand_path(char *path, size_t size, const char *pattern, pid_t process, int always);

#pragma GCC visibility pop

#endif
