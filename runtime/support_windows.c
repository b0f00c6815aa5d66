// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The part of support.h that is the system's: Windows, with its own functions for threads and memory, and the C library's for files.

#include "support.h"

#include <errno.h>
#include <fcntl.h>
#include <io.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <windows.h>

// ---- Messages ----

WEFT_WEAK void weft_complain(const char *instrument, const char *const *texts)
{
    char line[2 * PATH_MAX];
    const char *limit = line + sizeof line - 1; // room for the line's end
    char *end = weft_append(weft_append(line, limit, "weft: ", 6), limit, instrument, strlen(instrument));
    end = weft_append(end, limit, ": ", 2);
    for (char *next = end; *texts && next; texts++)
        if ((next = weft_append(end, limit, *texts, strlen(*texts))))
            end = next;
    *end++ = '\n';
    struct weft_quiet quiet;
    int saved = errno;
    weft_quiet_begin(&quiet);
    write(STDERR_FILENO, line, (unsigned)(end - line));
    weft_quiet_end(&quiet);
    errno = saved;
}

// ---- Locks ----

WEFT_WEAK pid_t weft_thread_id(void)
{
    return (pid_t)GetCurrentThreadId();
}

WEFT_WEAK int weft_thread_is_gone(pid_t thread)
{
    DWORD saved = GetLastError();
    HANDLE handle = OpenThread(SYNCHRONIZE, FALSE, (DWORD)thread);
    int gone = handle ? WaitForSingleObject(handle, 0) == WAIT_OBJECT_0 : GetLastError() == ERROR_INVALID_PARAMETER;
    if (handle)
        CloseHandle(handle);
    SetLastError(saved);
    return gone;
}

/// Who waits asks again and again: locks are held for moments, or for a report.
WEFT_WEAK int weft_lock(struct weft_lock *lock)
{
    uint32_t self = GetCurrentThreadId(), owner = 0;
    for (int tries = 0; !__atomic_compare_exchange_n(&lock->word, &owner, self, 0, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED); tries++) {
        if (owner == self)
            return EDEADLK;
        if (tries < 100 || !weft_thread_is_gone(owner)) {
            Sleep(tries < 100 ? 0 : 1);
            owner = 0;
        }
    }
    return 0;
}

WEFT_WEAK void weft_unlock(struct weft_lock *lock)
{
    __atomic_store_n(&lock->word, 0, __ATOMIC_RELEASE);
}

WEFT_WEAK int weft_lock_signal_safe(struct weft_lock *lock, weft_signals *saved)
{
    *saved = GetLastError();
    return weft_lock(lock);
}

WEFT_WEAK void weft_unlock_signal_safe(struct weft_lock *lock, const weft_signals *saved)
{
    weft_unlock(lock);
    SetLastError(*saved);
}

// ---- Memory ----

WEFT_WEAK void *weft_reserve(size_t size)
{
    return VirtualAlloc(NULL, size, MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE);
}

// ---- Files ----

static int to_wide(const char *text, wchar_t *wide)
{
    return MultiByteToWideChar(CP_UTF8, 0, text, -1, wide, PATH_MAX) > 0 ? 0 : ENAMETOOLONG;
}

static int to_utf8(const wchar_t *wide, char *text, size_t size)
{
    return WideCharToMultiByte(CP_UTF8, 0, wide, -1, text, (int)size, NULL, NULL) > 0 ? 0 : ENAMETOOLONG;
}

/// Devices (NUL, CON) and pipes.
WEFT_WEAK int weft_path_is_special(const char *path)
{
    wchar_t wide[PATH_MAX];
    struct _stat64 status;
    return to_wide(path, wide) == 0 && _wstat64(wide, &status) == 0 && !S_ISREG(status.st_mode);
}

WEFT_WEAK int weft_path_open(const char *path, int flags)
{
    wchar_t wide[PATH_MAX];
    if ((errno = to_wide(path, wide)))
        return -1;
    return _wopen(wide, _O_WRONLY | _O_BINARY | _O_NOINHERIT | flags, _S_IREAD | _S_IWRITE);
}

WEFT_WEAK void weft_path_remove(const char *path)
{
    wchar_t wide[PATH_MAX];
    if (to_wide(path, wide) == 0)
        _wunlink(wide);
}

WEFT_WEAK int weft_path_replace(const char *from, const char *to)
{
    wchar_t wide_from[PATH_MAX], wide_to[PATH_MAX];
    if (to_wide(from, wide_from) || to_wide(to, wide_to))
        return ENAMETOOLONG;
    return MoveFileExW(wide_from, wide_to, MOVEFILE_REPLACE_EXISTING) ? 0 : EACCES; // somebody has it open, or it is a folder
}

WEFT_WEAK void weft_quiet_begin(struct weft_quiet *quiet)
{
    quiet->mask = GetLastError();
}

WEFT_WEAK void weft_quiet_end(const struct weft_quiet *quiet)
{
    SetLastError(quiet->mask);
}

// ---- Configuration ----

WEFT_WEAK const char *weft_setting(const char *name)
{
    static wchar_t wide[PATH_MAX];
    static char value[PATH_MAX];
    wchar_t wide_name[64];
    MultiByteToWideChar(CP_UTF8, 0, name, -1, wide_name, 64);
    DWORD length = GetEnvironmentVariableW(wide_name, wide, PATH_MAX);
    return length > 0 && length < PATH_MAX && to_utf8(wide, value, sizeof value) == 0 ? value : NULL;
}

WEFT_WEAK int weft_absolute_path(char *path, size_t size, const char *name)
{
    wchar_t wide[PATH_MAX], full[PATH_MAX];
    if (to_wide(name, wide))
        return ENAMETOOLONG;
    DWORD length = GetFullPathNameW(wide, PATH_MAX, full, NULL);
    return length > 0 && length < PATH_MAX ? to_utf8(full, path, size) : ENAMETOOLONG;
}
