// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Files of profiles. A process maps its file as soon as it counts, so what it counted is there whatever ends it.
//
// Names are LLVM_PROFILE_FILE's patterns: %p process id, %h host, %t TMPDIR, %m signature of the module, %Nm the same
// with N files to share the work, %b the module's build id, %c (which has no meaning here: files are always kept
// up to date). A file that other processes may write to as well, because its name has no %p, is called NAME.PID
// while the process runs; at the end it takes its name, or is added to what the pool's file (%m) holds already.

#define _GNU_SOURCE

#include "coverage_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h> // rename
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define DEFAULT_FOLDER "weft-out"
#define DEFAULT_NAME "coverage/%p.profraw"
#define KEPT_MIRRORS 64u       // of a module in its file; what more threads count at once stays in memory until they end
#define KEPT_BYTES (256u << 20)

static void complain(const char *text, const char *path, int error)
{
    char unknown[WEFT_ERROR_TEXT];
    const char *texts[] = {text, path, "': ", weft_error_text(error, unknown), NULL};
    if (!process->complained)
        weft_complain("coverage", texts);
    process->complained = 1;
}

// ---- Names ----

struct text {
    char *at;
    const char *end;
};

static void put(struct text *text, const char *from, size_t size)
{
    if (size >= (size_t)(text->end - text->at)) {
        text->at = (char *)text->end; // too long: noticed at the end
        return;
    }
    memcpy(text->at, from, size);
    text->at += size;
    *text->at = 0;
}

static void put_text(struct text *text, const char *from)
{
    put(text, from, strlen(from));
}

static void put_number(struct text *text, uint64_t number)
{
    char digits[24], *at = digits + sizeof digits;
    do {
        *--at = (char)('0' + number % 10);
        number /= 10;
    } while (number);
    put(text, at, (size_t)(digits + sizeof digits - at));
}

static void put_build_id(struct text *text, const struct unit *unit)
{
    uint64_t size;
    memcpy(&size, unit->ids, sizeof size);
    for (uint64_t i = 0; unit->ids_size > sizeof size && i < size && i < 64; i++) {
        unsigned char byte = (unsigned char)unit->ids[sizeof size + i];
        put(text, &"0123456789abcdef"[byte >> 4], 1);
        put(text, &"0123456789abcdef"[byte & 15], 1);
    }
}

struct name {
    int shared; ///< no %p: other processes may choose it too
    int pool;   ///< %m
};

static void put_pool(struct text *text, const struct unit *unit, unsigned count)
{
    put_number(text, unit->signature);
    put(text, "_", 1);
    put_number(text, count ? (uint64_t)process->id % count : 0);
}

/// Expands the pattern. 0 or ENAMETOOLONG.
static int expand(char *path, const char *pattern, const struct unit *unit, struct name *name)
{
    struct text text = {path, path + PATH_MAX};
    *name = (struct name){.shared = 1};
    *path = 0;
    for (; *pattern; pattern++) {
        if (*pattern != '%') {
            put(&text, pattern, 1);
            continue;
        }
        unsigned count = 0;
        const char *at = pattern + 1;
        while (*at >= '0' && *at <= '9')
            count = count * 10 + (unsigned)(*at++ - '0');
        char host[HOST_NAME_MAX + 1] = "";
        switch (*at) {
        case 'p':
            put_number(&text, (uint64_t)process->id);
            name->shared = 0;
            break;
        case 'h':
            if (gethostname(host, sizeof host - 1) == 0)
                put_text(&text, host);
            break;
        case 't':
            put_text(&text, weft_setting("TMPDIR") ? weft_setting("TMPDIR") : "/tmp");
            break;
        case 'm':
            put_pool(&text, unit, count);
            name->pool = 1;
            break;
        case 'b':
            put_build_id(&text, unit);
            break;
        case 'c':
            break;
        default: // no pattern: taken as it is
            put(&text, pattern, 1);
            continue;
        }
        pattern = at;
    }
    return text.at < text.end ? 0 : ENAMETOOLONG;
}

static void make_folders(const char *path)
{
    char folder[PATH_MAX];
    for (const char *at = strchr(path + 1, '/'); at; at = strchr(at + 1, '/')) {
        memcpy(folder, path, (size_t)(at - path));
        folder[at - path] = 0;
        mkdir(folder, 0777);
    }
}

static int name_file(struct profile_file *file, const struct unit *unit)
{
    struct name name;
    int error = expand(file->final, process->tables->pattern, unit, &name);
    struct text live = {file->live, file->live + PATH_MAX};
    put_text(&live, file->final);
    if (name.shared || name.pool) {
        put(&live, ".", 1);
        put_number(&live, (uint64_t)process->id);
    }
    file->pool = name.pool;
    return error ? error : live.at < live.end ? 0 : ENAMETOOLONG;
}

/// The pattern the environment gives, as seen from where the program was started.
static void read_pattern(char *pattern)
{
    const char *given = weft_setting("LLVM_PROFILE_FILE");
    char name[PATH_MAX];
    struct text text = {name, name + sizeof name};
    if (!given) {
        put_text(&text, weft_setting("WEFT_OUT") ? weft_setting("WEFT_OUT") : DEFAULT_FOLDER);
        put_text(&text, "/" DEFAULT_NAME);
        given = name;
    }
    if (given[0] == '%' && given[1] == 't') // absolute once it is expanded
        memcpy(pattern, given, strnlen(given, PATH_MAX - 1));
    else
        weft_absolute_path(pattern, PATH_MAX, given);
}

static struct profile_file *new_file(const struct unit *unit)
{
    struct profile_file *file = &process->tables->files[process->file_count++];
    memset(file, 0, sizeof *file);
    file->error = name_file(file, unit);
    return file;
}

/// Modules share a file, unless its name is to tell them apart.
WEFT_WEAK struct profile_file *weft_coverage_file_for(const struct unit *unit)
{
    char *pattern = process->tables->pattern;
    if (!*pattern)
        read_pattern(pattern);
    char path[PATH_MAX];
    struct name name;
    expand(path, pattern, unit, &name);
    for (uint32_t i = 0; i < process->file_count; i++)
        if (strcmp(process->tables->files[i].final, path) == 0)
            return &process->tables->files[i];
    return new_file(unit);
}

// ---- Profiles in files ----

/// Whether a file of this name was written by this very process, before it called exec(): then it goes on in it. A file
/// left by an older process that had the same id is worth nothing.
static int is_ours(int descriptor)
{
    struct stat status;
    struct timespec now, since_boot;
    char line[1024];
    int stat_file = open("/proc/self/stat", O_RDONLY | O_CLOEXEC);
    ssize_t size = stat_file < 0 ? 0 : read(stat_file, line, sizeof line - 1);
    if (stat_file >= 0)
        close(stat_file);
    line[size > 0 ? size : 0] = 0;
    // The 22nd field; the second is a name in parentheses, of any characters.
    const char *at = strrchr(line, ')');
    for (int field = 2; at && field < 22; field++)
        at = strchr(at + 1, ' ');
    if (!at)
        return 0;
    uint64_t ticks = 0;
    for (at++; *at >= '0' && *at <= '9'; at++)
        ticks = ticks * 10 + (uint64_t)(*at - '0');
    if (fstat(descriptor, &status) != 0 || clock_gettime(CLOCK_REALTIME, &now) != 0 || clock_gettime(CLOCK_BOOTTIME, &since_boot) != 0)
        return 0;
    double age = (double)(now.tv_sec - status.st_mtim.tv_sec) + (double)(now.tv_nsec - status.st_mtim.tv_nsec) / 1e9;
    double running = (double)since_boot.tv_sec + (double)since_boot.tv_nsec / 1e9 - (double)ticks / (double)sysconf(_SC_CLK_TCK);
    return age <= running + 0.05;
}

/// A descriptor, or -1 with file->error set. The file's size is then known.
static int open_live(struct profile_file *file)
{
    if (file->error)
        return -1;
    if (!file->exists)
        make_folders(file->live);
    int descriptor = open(file->live, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0666);
    struct stat status;
    if (descriptor < 0 || fstat(descriptor, &status) != 0) {
        file->error = errno;
    } else if (!S_ISREG(status.st_mode)) {
        file->error = EINVAL;
    } else if (!file->exists) {
        if (status.st_size > 0 && !is_ours(descriptor))
            status.st_size = ftruncate(descriptor, 0) == 0 ? 0 : status.st_size;
        file->size = weft_whole_pages((uint64_t)status.st_size);
        file->exists = 1;
    }
    if (file->error && descriptor >= 0)
        close(descriptor);
    return file->error ? -1 : descriptor;
}

static int write_all(int descriptor, const char *bytes, uint64_t size, uint64_t at)
{
    while (size) {
        ssize_t written = pwrite(descriptor, bytes, size, (off_t)at);
        if (written < 0 && errno == EINTR)
            continue;
        if (written <= 0)
            return written < 0 ? errno : ENOSPC;
        bytes += written;
        at += (uint64_t)written;
        size -= (uint64_t)written;
    }
    return 0;
}

static uint32_t kept_mirrors(const struct unit *unit)
{
    uint32_t kept = 0;
    for (const struct mirror *mirror = unit->mirrors; mirror; mirror = mirror->next)
        kept += mirror->offset != NOWHERE;
    return kept;
}

/// Written, not only made longer: the space is then there, and no page can fail to be written for lack of it.
static int append(struct profile_file *file, int descriptor, struct mirror *mirror)
{
    uint64_t size = weft_whole_pages(mirror->unit->image_size);
    int error = write_all(descriptor, mirror->image, size, file->size);
    if (!error && mmap(mirror->image, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, descriptor, (off_t)file->size) == MAP_FAILED)
        error = errno;
    if (error) {
        if (ftruncate(descriptor, (off_t)file->size) != 0)
            error = errno;
        return error;
    }
    mirror->offset = file->size;
    file->size += size;
    return 0;
}

WEFT_WEAK void weft_coverage_keep(struct mirror *mirror)
{
    struct profile_file *file = mirror->unit->file;
    uint32_t kept = kept_mirrors(mirror->unit);
    if (mirror->offset != NOWHERE || (kept && (kept >= KEPT_MIRRORS || kept * mirror->unit->image_size > KEPT_BYTES)))
        return;
    struct weft_quiet quiet; // a limit on file sizes must not kill the program
    weft_quiet_begin(&quiet);
    int descriptor = open_live(file);
    if (descriptor >= 0) {
        file->error = append(file, descriptor, mirror);
        close(descriptor);
    }
    weft_quiet_end(&quiet);
    if (file->error)
        complain("cannot write '", file->live, file->error);
}

WEFT_WEAK void weft_coverage_map_own(struct mirror *mirror)
{
    struct unit *unit = mirror->unit;
    uint64_t size = unit->counters_size & ~(weft_page_size() - 1);
    if (mirror->offset == NOWHERE || !size || (uintptr_t)unit->counters % weft_page_size() != 0)
        return;
    uint64_t *counters = (uint64_t *)(mirror->image + unit->counters_at);
    for (uint64_t i = 0; i < size / sizeof *counters; i++)
        counters[i] |= ((const uint64_t *)unit->counters)[i]; // set before the runtime was there
    int descriptor = open_live(unit->file);
    if (descriptor < 0)
        return;
    if (mmap((char *)unit->counters, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, descriptor, (off_t)(mirror->offset + unit->counters_at)) != MAP_FAILED)
        unit->mapped = size;
    close(descriptor);
}

WEFT_WEAK void weft_coverage_unmap_own(struct unit *unit)
{
    if (unit->mapped)
        mmap((char *)unit->counters, unit->mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    unit->mapped = 0;
}

static struct mirror *last_in(const struct profile_file *file)
{
    WEFT_EACH_MIRROR(mirror)
        if (mirror->unit->file == file && mirror->offset != NOWHERE && mirror->offset + weft_whole_pages(mirror->unit->image_size) == file->size)
            return mirror;
    return NULL;
}

/// A free mirror has been added to another and cleared.
static int is_empty(const struct mirror *mirror)
{
    const uint64_t *at = (const uint64_t *)(mirror->image + mirror->unit->counters_at);
    for (uint64_t i = 0; i < mirror->unit->counters_size / sizeof *at; i++)
        if (at[i])
            return 0;
    return mirror->owner == 0;
}

/// The mirror stays usable and where it is, in memory and empty.
static int let_go(struct mirror *mirror)
{
    uint64_t size = weft_whole_pages(mirror->unit->image_size);
    char *copy = weft_reserve(size);
    if (!copy)
        return ENOMEM;
    memcpy(copy, mirror->image, mirror->unit->counters_at);
    uint64_t names_at = mirror->unit->bits_at + mirror->unit->bits_size;
    memcpy(copy + names_at, mirror->image + names_at, mirror->unit->image_size - names_at);
    if (mremap(copy, size, size, MREMAP_MAYMOVE | MREMAP_FIXED, mirror->image) == MAP_FAILED) {
        munmap(copy, size);
        return ENOMEM;
    }
    mirror->offset = NOWHERE;
    return 0;
}

WEFT_WEAK void weft_coverage_shrink(struct profile_file *file)
{
    struct mirror *last;
    uint64_t size = file->size;
    while (file->exists && (last = last_in(file)) && last->offset && is_empty(last)) {
        uint64_t offset = last->offset;
        if (let_go(last) != 0)
            break;
        size = offset;
        file->size = offset;
    }
    // The file could have been removed or replaced since; then there is nothing to cut.
    if (file->exists && truncate(file->live, (off_t)size) != 0 && errno != ENOENT)
        file->error = errno;
}

// ---- The end ----

static int map_file(const char *path, int flags, int *descriptor, char **content, uint64_t *size)
{
    struct stat status;
    *content = NULL;
    *size = 0;
    *descriptor = open(path, flags | O_CLOEXEC, 0666);
    if (*descriptor < 0)
        return errno;
    if ((flags & O_CREAT) && flock(*descriptor, LOCK_EX) != 0)
        return errno;
    if (fstat(*descriptor, &status) != 0)
        return errno;
    if (status.st_size == 0)
        return 0;
    char *mapped = mmap(NULL, (size_t)status.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, *descriptor, 0);
    if (mapped == MAP_FAILED)
        return errno;
    *content = mapped;
    *size = (uint64_t)status.st_size;
    return 0;
}

static struct unit *unit_like(const struct profile_file *file, const char *image, uint64_t size)
{
    for (uint32_t i = 0; i < process->unit_count; i++) {
        struct unit *unit = &process->tables->units[i];
        if (unit->file == file && unit->mirrors && weft_coverage_is_alike(unit, unit->mirrors->image, image, size))
            return unit;
    }
    return NULL;
}

/// Adds a unit's profile to the one of the same functions in the pool's file, or puts it behind the others.
static int add_to_pool(const struct profile_file *file, int descriptor, char *content, uint64_t size, const struct mirror *mirror, uint64_t *end)
{
    for (uint64_t at = 0; at + mirror->unit->image_size <= size;) {
        const struct unit *unit = unit_like(file, content + at, size - at);
        if (unit == mirror->unit) {
            weft_coverage_add(unit, content + at, mirror->image);
            return 0;
        }
        at += unit ? weft_whole_pages(unit->image_size) : weft_page_size();
    }
    uint64_t at = weft_whole_pages(*end);
    *end = at + weft_whole_pages(mirror->unit->image_size);
    return write_all(descriptor, mirror->image, weft_whole_pages(mirror->unit->image_size), at);
}

static int pour_into_pool(struct profile_file *file)
{
    int descriptor;
    char *content;
    uint64_t size;
    int error = map_file(file->final, O_RDWR | O_CREAT, &descriptor, &content, &size);
    uint64_t end = size;
    WEFT_EACH_MIRROR(mirror)
        if (!error && mirror->unit->file == file && !(is_empty(mirror) && mirror != mirror->unit->mirrors))
            error = add_to_pool(file, descriptor, content, size, mirror, &end);
    if (content)
        munmap(content, size);
    if (descriptor >= 0)
        close(descriptor);
    return error;
}

/// After it the file goes by its final name, and counting goes on there.
WEFT_WEAK void weft_coverage_finish(struct profile_file *file)
{
    if (!file->exists || strcmp(file->live, file->final) == 0)
        return;
    struct weft_quiet quiet;
    weft_quiet_begin(&quiet);
    int error = file->pool ? pour_into_pool(file) : rename(file->live, file->final) == 0 ? 0 : errno;
    if (!error && file->pool)
        unlink(file->live);
    weft_quiet_end(&quiet);
    if (error)
        complain("cannot write '", file->final, error);
    else if (!file->pool)
        memcpy(file->live, file->final, sizeof file->live);
    else
        file->exists = 0;
}

static const struct unit *first_user(const struct profile_file *file)
{
    const struct unit *unit = process->tables->units;
    while (unit->file != file)
        unit++;
    return unit;
}

WEFT_WEAK void weft_coverage_forget_files(void)
{
    for (uint32_t i = 0; i < process->unit_count; i++)
        weft_coverage_unmap_own(&process->tables->units[i]);
    WEFT_EACH_MIRROR(mirror)
        if (mirror->offset != NOWHERE)
            let_go(mirror);
        else
            weft_coverage_clear(mirror->unit, mirror->image);
    for (uint32_t i = 0; i < process->file_count; i++) {
        struct profile_file *file = &process->tables->files[i];
        uint32_t users = file->users;
        memset(file, 0, sizeof *file);
        file->users = users;
        file->error = name_file(file, first_user(file));
    }
}

WEFT_WEAK int weft_coverage_rename(const char *pattern)
{
    char old[PATH_MAX];
    if (!pattern)
        read_pattern(process->tables->pattern);
    else if (weft_absolute_path(process->tables->pattern, PATH_MAX, pattern) != 0)
        return ENAMETOOLONG;
    int error = 0;
    for (uint32_t i = 0; i < process->file_count; i++) {
        struct profile_file *file = &process->tables->files[i];
        memcpy(old, file->live, sizeof old);
        file->error = name_file(file, first_user(file));
        make_folders(file->live);
        if (file->exists && rename(old, file->live) != 0)
            error = errno;
    }
    return error;
}
