// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

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

// ---- Text ----

/// Copies a string, or says that it does not fit. Returns the new end of `path`, or NULL.
static char *append(char *end, const char *limit, const char *text, size_t length)
{
    if (!end || (size_t)(limit - end) <= length)
        return NULL;
    memcpy(end, text, length);
    end[length] = '\0';
    return end + length;
}

/// Writes a number backwards into the end of a 20-byte buffer and returns its first digit.
static char *digits(char *end, uint64_t number)
{
    do
        *--end = (char)('0' + number % 10);
    while (number /= 10);
    return end;
}

static char *append_number(char *end, const char *limit, uint64_t number)
{
    char text[20];
    char *first = digits(text + sizeof text, number);
    return append(end, limit, first, (size_t)(text + sizeof text - first));
}

// ---- Messages ----

WEFT_WEAK const char *weft_error_text(int error, char *unknown)
{
    switch (error) {
    case EPERM: return "Operation not permitted";
    case ENOENT: return "No such file or directory";
    case EIO: return "Input/output error";
    case EBADF: return "Bad file descriptor";
    case ENOMEM: return "Cannot allocate memory";
    case EACCES: return "Permission denied";
    case ENOTDIR: return "Not a directory";
    case EISDIR: return "Is a directory";
    case EINVAL: return "Invalid argument";
    case EMFILE: return "Too many open files";
    case EFBIG: return "File too large";
    case ENOSPC: return "No space left on device";
    case EROFS: return "Read-only file system";
    case EPIPE: return "Broken pipe";
    case EDEADLK: return "A report is being written";
    case ENAMETOOLONG: return "File name too long";
    case ELOOP: return "Too many levels of symbolic links";
    case EDQUOT: return "Disk quota exceeded";
    default:
        memcpy(unknown, "error ", 6);
        append_number(unknown + 6, unknown + WEFT_ERROR_TEXT, (uint64_t)error);
        return unknown;
    }
}

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

WEFT_WEAK void weft_unlock(struct weft_lock *lock)
{
    int saved = errno;
    if (__atomic_exchange_n(&lock->word, 0, __ATOMIC_RELEASE) & WAITERS)
        syscall(SYS_futex, &lock->word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
    errno = saved;
}

WEFT_WEAK int weft_lock_signal_safe(struct weft_lock *lock, sigset_t *saved)
{
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, saved);
    int error = weft_lock(lock);
    if (error)
        pthread_sigmask(SIG_SETMASK, saved, NULL);
    return error;
}

WEFT_WEAK void weft_unlock_signal_safe(struct weft_lock *lock, const sigset_t *saved)
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

/// Whether the name stands for something that must be written to, not replaced. /dev/stderr and /dev/fd/N are symbolic
/// links that may lead to a regular file; replacing *them* would break the system for every process.
static int is_special(const char *path)
{
    struct stat status;
    if (stat(path, &status) != 0)
        return 0;
    if (!S_ISREG(status.st_mode))
        return 1;
    int system_folder = strncmp(path, "/dev/", 5) == 0 || strncmp(path, "/proc/", 6) == 0;
    return system_folder && lstat(path, &status) == 0 && S_ISLNK(status.st_mode);
}

static int name_temporary(struct weft_file *file)
{
    const char *limit = file->temporary + sizeof file->temporary;
    char *end = append(file->temporary, limit, file->path, strlen(file->path));
    end = append(end, limit, ".tmp.", 5);
    end = append_number(end, limit, (uint64_t)getpid());
    return end ? 0 : ENAMETOOLONG;
}

static int open_again(const char *path, int flags)
{
    int descriptor;
    do
        descriptor = open(path, O_WRONLY | O_CLOEXEC | O_NOCTTY | flags, 0666);
    while (descriptor < 0 && errno == EINTR);
    return descriptor;
}

WEFT_WEAK void weft_file_attach(struct weft_file *file, int descriptor)
{
    file->path = NULL;
    file->descriptor = descriptor;
    file->error = 0;
    file->replaces = 0;
    file->used = 0;
}

WEFT_WEAK int weft_file_open(struct weft_file *file, const char *path)
{
    weft_file_attach(file, -1);
    file->path = path;
    if (is_special(path)) {
        file->descriptor = open_again(path, O_APPEND);
        return file->error = file->descriptor < 0 ? errno : 0;
    }
    if ((file->error = name_temporary(file)))
        return file->error;
    unlink(file->temporary); // left by an earlier process of the same id; O_EXCL follows no planted link
    file->descriptor = open_again(file->temporary, O_CREAT | O_EXCL);
    file->replaces = file->descriptor >= 0;
    return file->error = file->descriptor < 0 ? errno : 0;
}

static void flush(struct weft_file *file)
{
    const char *bytes = file->buffer;
    size_t left = file->used;
    while (left && !file->error) {
        ssize_t written = write(file->descriptor, bytes, left);
        if (written > 0) {
            bytes += written;
            left -= (size_t)written;
        } else if (written == 0 || errno != EINTR) {
            file->error = written == 0 ? EIO : errno;
        }
    }
    file->used = 0;
}

WEFT_WEAK void weft_file_write(struct weft_file *file, const char *bytes, size_t size)
{
    while (size && !file->error) {
        if (file->used == sizeof file->buffer)
            flush(file);
        size_t room = sizeof file->buffer - file->used;
        size_t part = size < room ? size : room;
        memcpy(file->buffer + file->used, bytes, part);
        file->used += part;
        bytes += part;
        size -= part;
    }
}

WEFT_WEAK void weft_file_text(struct weft_file *file, const char *text)
{
    weft_file_write(file, text, strlen(text));
}

WEFT_WEAK void weft_file_number(struct weft_file *file, uint64_t number)
{
    char text[20];
    char *first = digits(text + sizeof text, number);
    weft_file_write(file, first, (size_t)(text + sizeof text - first));
}

/// Length of the well-formed UTF-8 sequence that starts here, or 0. Reads no further than the terminating NUL, which
/// is no continuation byte.
static size_t utf8_length(const unsigned char *text)
{
    unsigned char lead = text[0];
    if (lead < 0x80)
        return 1;
    size_t length = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
    if (lead < 0xc2 || lead > 0xf4)
        return 0;
    for (size_t i = 1; i < length; i++)
        if ((text[i] & 0xc0) != 0x80)
            return 0;
    // Overlong forms, surrogates, and what lies beyond U+10FFFF.
    if ((lead == 0xe0 && text[1] < 0xa0) || (lead == 0xed && text[1] > 0x9f) || (lead == 0xf0 && text[1] < 0x90) ||
        (lead == 0xf4 && text[1] > 0x8f))
        return 0;
    return length;
}

static void write_escape(struct weft_file *file, unsigned char byte)
{
    static const char hexadecimal[] = "0123456789abcdef";
    char escape[6] = {'\\', 'u', '0', '0', hexadecimal[byte >> 4], hexadecimal[byte & 15]};
    weft_file_write(file, escape, sizeof escape);
}

WEFT_WEAK void weft_file_json(struct weft_file *file, const char *text)
{
    const unsigned char *rest = (const unsigned char *)text;
    weft_file_write(file, "\"", 1);
    while (*rest) {
        size_t length = utf8_length(rest);
        if (*rest == '"' || *rest == '\\')
            weft_file_write(file, "\\", 1);
        if (length == 0 || *rest < 0x20)
            write_escape(file, *rest);
        else
            weft_file_write(file, (const char *)rest, length);
        rest += length ? length : 1;
    }
    weft_file_write(file, "\"", 1);
}

WEFT_WEAK int weft_file_close(struct weft_file *file)
{
    flush(file);
    if (!file->path)
        return file->error;
    if (file->descriptor >= 0 && close(file->descriptor) != 0 && errno != EINTR && !file->error)
        file->error = errno;
    if (!file->replaces)
        return file->error;
    if (!file->error && rename(file->temporary, file->path) != 0)
        file->error = errno;
    if (file->error)
        unlink(file->temporary);
    return file->error;
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
        end = append(path + strlen(path), limit, "/", 1);
    }
    return append(end, limit, name, strlen(name)) ? 0 : ENAMETOOLONG;
}

WEFT_WEAK int weft_expand_path(char *path, size_t size, const char *pattern, pid_t process, int always)
{
    const char *limit = path + size;
    char *end = path;
    while (*pattern && end) {
        if (pattern[0] == '%' && pattern[1] == 'p') {
            end = append_number(end, limit, (uint64_t)process);
            always = 0;
            pattern += 2;
        } else {
            end = append(end, limit, pattern++, 1);
        }
    }
    if (always)
        end = append_number(append(end, limit, ".", 1), limit, (uint64_t)process);
    return end ? 0 : ENAMETOOLONG;
}
