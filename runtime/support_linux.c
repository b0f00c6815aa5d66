// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The part of support.h that is the system's: Linux.

#include "support.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

// ---- Messages ----

WEFT_WEAK void weft_complain(const char *instrument, const char *const *texts)
{
    struct iovec parts[12] = {{(void *)"weft: ", 6}, {(void *)instrument, strlen(instrument)}, {(void *)": ", 2}};
    int count = 3;
    for (; *texts && count < 11; texts++)
        parts[count++] = (struct iovec){(void *)*texts, strlen(*texts)};
    parts[count++] = (struct iovec){(void *)"\n", 1};

    struct weft_quiet quiet;
    int saved = errno;
    weft_quiet_begin(&quiet);
    while (writev(STDERR_FILENO, parts, count) < 0 && errno == EINTR)
        ;
    weft_quiet_end(&quiet);
    errno = saved;
}

// ---- Locks ----

enum { FUTEX_WAIT_PRIVATE = 128, FUTEX_WAKE_PRIVATE = 129 }; // linux/futex.h is not part of every libc

#define WAITERS 0x80000000u // thread ids have 22 bits
#define OWNER(word) ((word) & ~WAITERS)

WEFT_WEAK pid_t weft_thread_id(void)
{
    return (pid_t)syscall(SYS_gettid);
}

WEFT_WEAK int weft_thread_is_gone(pid_t thread)
{
    int saved = errno;
    int gone = syscall(SYS_tgkill, getpid(), thread, 0) < 0 && errno == ESRCH;
    errno = saved;
    return gone;
}

static int replace(uint32_t *word, uint32_t expected, uint32_t wanted)
{
    return __atomic_compare_exchange_n(word, &expected, wanted, 0, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED);
}

/// Sleeps while the word stays the same, at most a tenth of a second: an owner that is gone wakes nobody.
static void wait_for_change(uint32_t *word, uint32_t seen)
{
    struct timespec limit = {0, 100 * 1000 * 1000};
    syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, seen, &limit, NULL, 0);
}

WEFT_WEAK int weft_lock(struct weft_lock *lock)
{
    uint32_t self = (uint32_t)weft_thread_id();
    if (replace(&lock->word, 0, self))
        return 0;

    int saved = errno;
    uint32_t seen;
    while ((seen = __atomic_load_n(&lock->word, __ATOMIC_RELAXED)) != 0 || !replace(&lock->word, 0, self | WAITERS)) {
        if (seen == 0)
            continue;
        if (OWNER(seen) == self)
            return EDEADLK;
        if (!(seen & WAITERS) && !replace(&lock->word, seen, seen | WAITERS))
            continue;
        wait_for_change(&lock->word, seen | WAITERS);
        if (weft_thread_is_gone((pid_t)OWNER(seen)) && replace(&lock->word, seen | WAITERS, self | WAITERS))
            break;
    }
    errno = saved;
    return 0;
}

WEFT_WEAK int weft_try_lock(struct weft_lock *lock)
{
    uint32_t self = (uint32_t)weft_thread_id(), seen = __atomic_load_n(&lock->word, __ATOMIC_RELAXED);
    if (seen == 0 && replace(&lock->word, 0, self))
        return 0;
    if (seen == 0 || OWNER(seen) == self || !weft_thread_is_gone((pid_t)OWNER(seen)))
        return EBUSY;
    return replace(&lock->word, seen, self | (seen & WAITERS)) ? 0 : EBUSY;
}

WEFT_WEAK void weft_unlock(struct weft_lock *lock)
{
    int saved = errno;
    if (__atomic_exchange_n(&lock->word, 0, __ATOMIC_RELEASE) & WAITERS)
        syscall(SYS_futex, &lock->word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
    errno = saved;
}

WEFT_WEAK int weft_lock_signal_safe(struct weft_lock *lock, weft_signals *saved)
{
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, saved);
    int error = weft_lock(lock);
    if (error)
        pthread_sigmask(SIG_SETMASK, saved, NULL);
    return error;
}

WEFT_WEAK void weft_unlock_signal_safe(struct weft_lock *lock, const weft_signals *saved)
{
    weft_unlock(lock);
    pthread_sigmask(SIG_SETMASK, saved, NULL);
}

// ---- Memory ----

WEFT_WEAK void *weft_reserve(size_t size)
{
    int saved = errno;
    void *pages = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (pages == MAP_FAILED)
        pages = NULL;
    else
        madvise(pages, size, MADV_NOHUGEPAGE); // touching one word must not bring in, and zero, two megabytes
    errno = saved;
    return pages;
}

// ---- Files ----

// /dev/stderr and /dev/fd/N are symbolic
/// links that may lead to a regular file; replacing *them* would break the system for every process.
WEFT_WEAK int weft_path_is_special(const char *path)
{
    struct stat status;
    if (stat(path, &status) != 0)
        return 0;
    if (!S_ISREG(status.st_mode))
        return 1;
    int system_folder = strncmp(path, "/dev/", 5) == 0 || strncmp(path, "/proc/", 6) == 0;
    return system_folder && lstat(path, &status) == 0 && S_ISLNK(status.st_mode);
}

WEFT_WEAK int weft_path_open(const char *path, int flags)
{
    int descriptor;
    do
        descriptor = open(path, O_WRONLY | O_CLOEXEC | O_NOCTTY | flags, 0666);
    while (descriptor < 0 && errno == EINTR);
    return descriptor;
}

WEFT_WEAK void weft_path_remove(const char *path)
{
    unlink(path);
}

WEFT_WEAK int weft_path_replace(const char *from, const char *to)
{
    return rename(from, to) == 0 ? 0 : errno;
}

static void quiet_signals(sigset_t *set)
{
    sigemptyset(set);
    sigaddset(set, SIGPIPE);
    sigaddset(set, SIGXFSZ);
}

WEFT_WEAK void weft_quiet_begin(struct weft_quiet *quiet)
{
    sigset_t set;
    quiet_signals(&set);
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &quiet->cancel_state);
    sigpending(&quiet->pending);
    pthread_sigmask(SIG_BLOCK, &set, &quiet->mask);
}

WEFT_WEAK void weft_quiet_end(const struct weft_quiet *quiet)
{
    // Both signals go to the thread that wrote, so what is pending now and was not before is ours to drop.
    sigset_t ours;
    struct timespec at_once = {0, 0};
    sigemptyset(&ours);
    if (!sigismember(&quiet->pending, SIGPIPE))
        sigaddset(&ours, SIGPIPE);
    if (!sigismember(&quiet->pending, SIGXFSZ))
        sigaddset(&ours, SIGXFSZ);
    while (sigtimedwait(&ours, NULL, &at_once) > 0)
        ;
    pthread_sigmask(SIG_SETMASK, &quiet->mask, NULL);
    pthread_setcancelstate(quiet->cancel_state, NULL);
}

// ---- Configuration ----

WEFT_WEAK const char *weft_setting(const char *name)
{
    const char *value = secure_getenv(name);
    return value && *value ? value : NULL;
}

WEFT_WEAK int weft_absolute_path(char *path, size_t size, const char *name)
{
    const char *limit = path + size;
    char *end = path;
    if (*name != '/') {
        if (!getcwd(path, size))
            return errno;
        end = weft_append(path + strlen(path), limit, "/", 1);
    }
    return weft_append(end, limit, name, strlen(name)) ? 0 : ENAMETOOLONG;
}
