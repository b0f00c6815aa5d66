// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What programs may call: include/weft/coverage.h, and the functions of LLVM's own runtime that programs call (declared
// in compiler-rt's InstrProfiling.h).

#define _GNU_SOURCE
#define __WEFT_COVERAGE__ 1

#include "coverage_internal.h"
#include "include/weft/coverage.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define EXPORT __attribute__((weak, visibility("default")))

/// An image with all that was counted for the unit, to be given back by munmap().
static char *sum(const struct unit *unit)
{
    char *image = weft_reserve(unit->image_size);
    if (!image)
        return NULL;
    if (unit->mirrors)
        memcpy(image, unit->mirrors->image, unit->image_size);
    else
        weft_coverage_fill(unit, image);
    weft_coverage_clear(unit, image);
    for (const struct mirror *mirror = unit->mirrors; mirror; mirror = mirror->next)
        weft_coverage_add(unit, image, mirror->image);
    if (!unit->gone)
        weft_coverage_add_own(unit, image);
    return image;
}

static int write_snapshot(const char *path)
{
    static struct weft_file file; // of the lock's holder
    int error = weft_file_open(&file, path);
    for (uint32_t i = 0; i < process->unit_count; i++) {
        const struct unit *unit = &process->tables->units[i];
        char *image = sum(unit);
        if (!image)
            file.error = ENOMEM;
        else
            weft_file_write(&file, image, unit->image_size);
        if (image)
            munmap(image, unit->image_size);
    }
    int close_error = weft_file_close(&file);
    return error ? error : close_error;
}

EXPORT int weft_coverage_write(const char *path)
{
    if (!path)
        return EINVAL;
    sigset_t mask;
    int error = weft_coverage_enter(&mask);
    if (error)
        return error;
    struct weft_quiet quiet;
    weft_quiet_begin(&quiet);
    error = write_snapshot(path);
    weft_quiet_end(&quiet);
    weft_coverage_leave(&mask);
    return error;
}

EXPORT void weft_coverage_reset(void)
{
    sigset_t mask;
    if (weft_coverage_enter(&mask) != 0)
        return;
    WEFT_EACH_MIRROR(mirror)
        weft_coverage_clear(mirror->unit, mirror->image);
    for (uint32_t i = 0; i < process->unit_count; i++) {
        const struct unit *unit = &process->tables->units[i];
        if (!unit->gone) {
            memset((char *)unit->counters, 0, unit->counters_size);
            memset((char *)unit->bits, 0, unit->bits_size);
        }
    }
    weft_coverage_leave(&mask);
}

/// The profile at the start of `content` is one of these.
static struct unit *unit_like(const char *content, uint64_t size)
{
    for (uint32_t i = 0; i < process->unit_count; i++) {
        struct unit *unit = &process->tables->units[i];
        struct mirror *mirror = unit->image_size <= size ? weft_coverage_target(unit) : NULL;
        if (mirror && weft_coverage_is_alike(unit, mirror->image, content, size))
            return unit;
    }
    return NULL;
}

static int merge(const char *content, uint64_t size)
{
    uint64_t at = 0;
    int error = EINVAL;
    while (at < size) {
        struct unit *unit = unit_like(content + at, size - at);
        if (unit) {
            weft_coverage_add(unit, weft_coverage_target(unit)->image, content + at);
            at += unit->image_size;
            error = 0;
        } else {
            at += sizeof(uint64_t); // the zeros between profiles
        }
    }
    return error;
}

EXPORT int weft_coverage_merge(const char *path)
{
    struct stat status;
    int descriptor = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    if (descriptor < 0)
        return path ? errno : EINVAL;
    char *content = fstat(descriptor, &status) == 0 && status.st_size > 0 ? mmap(NULL, (size_t)status.st_size, PROT_READ, MAP_PRIVATE, descriptor, 0) : MAP_FAILED;
    close(descriptor);
    if (content == MAP_FAILED)
        return EINVAL;
    sigset_t mask;
    int error = weft_coverage_enter(&mask);
    if (!error) {
        error = merge(content, (uint64_t)status.st_size);
        weft_coverage_leave(&mask);
    }
    munmap(content, (size_t)status.st_size);
    return error;
}

EXPORT int weft_coverage_active(void)
{
    return process->unit_count > 0;
}

// ---- LLVM's ----

EXPORT int __llvm_profile_runtime;

EXPORT void __llvm_profile_initialize_file(void) {}

EXPORT void __llvm_profile_set_dumped(void) {}

EXPORT void __llvm_profile_reset_counters(void)
{
    weft_coverage_reset();
}

EXPORT void __llvm_profile_set_filename(const char *pattern)
{
    sigset_t mask;
    if (weft_coverage_enter(&mask) != 0)
        return;
    weft_coverage_rename(pattern);
    weft_coverage_leave(&mask);
}

EXPORT const char *__llvm_profile_get_filename(void)
{
    return weft_coverage_own_unit ? weft_coverage_own_unit->file->final : "";
}

/// The file is up to date always; what is left is its name.
EXPORT int __llvm_profile_write_file(void)
{
    sigset_t mask;
    if (weft_coverage_enter(&mask) != 0)
        return -1;
    int error = 0;
    for (uint32_t i = 0; i < process->file_count; i++) {
        struct profile_file *file = &process->tables->files[i];
        if (!file->pool)
            weft_coverage_finish(file);
        error |= file->error;
    }
    weft_coverage_leave(&mask);
    return error ? -1 : 0;
}

EXPORT int __llvm_profile_dump(void)
{
    return __llvm_profile_write_file();
}
