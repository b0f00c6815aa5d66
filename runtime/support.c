// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "support.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

// ---- Text ----

WEFT_WEAK char *weft_append(char *end, const char *limit, const char *text, size_t length)
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
    return weft_append(end, limit, first, (size_t)(text + sizeof text - first));
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
#ifdef EDQUOT
    case EDQUOT: return "Disk quota exceeded";
#endif
    default:
        memcpy(unknown, "error ", 6);
        append_number(unknown + 6, unknown + WEFT_ERROR_TEXT, (uint64_t)error);
        return unknown;
    }
}

// ---- Files ----

static int name_temporary(struct weft_file *file)
{
    const char *limit = file->temporary + sizeof file->temporary;
    char *end = weft_append(file->temporary, limit, file->path, strlen(file->path));
    end = weft_append(end, limit, ".tmp.", 5);
    end = append_number(end, limit, (uint64_t)getpid());
    return end ? 0 : ENAMETOOLONG;
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
    if (weft_path_is_special(path)) {
        file->descriptor = weft_path_open(path, O_APPEND);
        return file->error = file->descriptor < 0 ? errno : 0;
    }
    if ((file->error = name_temporary(file)))
        return file->error;
    weft_path_remove(file->temporary); // left by an earlier process of the same id; O_EXCL follows no planted link
    file->descriptor = weft_path_open(file->temporary, O_CREAT | O_EXCL);
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
    if (!file->error)
        file->error = weft_path_replace(file->temporary, file->path);
    if (file->error)
        weft_path_remove(file->temporary);
    return file->error;
}

// ---- Configuration ----

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
            end = weft_append(end, limit, pattern++, 1);
        }
    }
    if (always)
        end = append_number(weft_append(end, limit, ".", 1), limit, (uint64_t)process);
    return end ? 0 : ENAMETOOLONG;
}
