// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What the files of the coverage runtime share. Everything here is hidden and weak, a copy for each linked module; what
// the copies have in common is `struct coverage_process`, of which a process has one.

#ifndef WEFT_COVERAGE_INTERNAL_H
#define WEFT_COVERAGE_INTERNAL_H

#include "support.h"

#include <pthread.h>
#include <unistd.h>

#define UNITS 1024u
#define MIRRORS 65536u
#define NOWHERE UINT64_MAX

static inline uint64_t weft_page_size(void)
{
    return (uint64_t)sysconf(_SC_PAGESIZE);
}

static inline uint64_t weft_whole_pages(uint64_t size)
{
    return (size + weft_page_size() - 1) & ~(weft_page_size() - 1);
}

/// Where a thread counts for one module: distances from the module's own counters and bitmaps to the thread's. Read by
/// woven code (src/Weft.Coverage/Weaving/probes.ll).
struct weft_coverage_state {
    char *shift;      ///< NULL: the thread has no counters yet
    char *bits_shift;
};

/// A file of profiles. Its regions begin at page boundaries, with zeros between them, as LLVM's reader allows.
struct profile_file {
    char live[PATH_MAX];  ///< where it is while the process runs
    char final[PATH_MAX]; ///< where it is to be in the end; the same, if nobody else writes there
    uint64_t size;
    uint32_t users; ///< modules that have not left
    int exists;
    int pool;  ///< `final` is shared with other processes, by adding (%m)
    int error; ///< why the file could not be written; 0: it could
};

/// A linked module's counters, and what a profile says about them.
struct unit {
    const char *data, *counters, *bits, *names; ///< the module's sections
    uint64_t data_size, counters_size, bits_size, names_size, ids_size;
    uint64_t counters_at, bits_at, image_size; ///< in a profile
    uint64_t signature;
    int gone; ///< the module has left; it may come back
    int is_binary;   ///< some of its code sets the module's own counters (--coverage-counters binary)
    uint64_t mapped; ///< bytes of the module's own counters in whose place a mirror's are mapped
    struct profile_file *file;
    struct mirror *mirrors;
    char ids[PATH_MAX + 128]; ///< the profile's binary ids: the linker's, and "weft:" with the module's path
};

/// Counters of one thread in one module: a complete raw profile in memory, which is also in a file if that could be.
struct mirror {
    struct mirror *next;
    struct unit *unit;
    char *image;
    uint64_t offset; ///< in the unit's file, or NOWHERE
    struct weft_coverage_state *state; ///< of the owner; NULL once its module has left
    pid_t owner; ///< who counts in it; 0: nobody, and the next thread may go on
};

struct tables {
    struct unit units[UNITS];
    struct mirror mirrors[MIRRORS];
    struct profile_file files[UNITS];
    char pattern[PATH_MAX]; ///< LLVM_PROFILE_FILE as it was at the start, made absolute
};

/// What the copies of the runtime in a process share. All of it but `install_hooks` starts as zero.
struct coverage_process {
    void (*install_hooks)(void); ///< of the copy that defines this object, which is never unloaded
    struct weft_lock lock;       ///< over everything here; held with signals blocked
    sigset_t fork_mask;
    uint32_t hooks;
    pthread_key_t key;
    pid_t id, forking;
    struct tables *tables; ///< NULL: there was no memory, and everything counts in the modules' own counters
    uint32_t unit_count, mirror_count, file_count;
    int prepared;
    int complained;
};

extern struct coverage_process __weft_coverage_process_v1;
#define process (&__weft_coverage_process_v1)

#pragma GCC visibility push(hidden)

extern __thread struct weft_coverage_state __weft_coverage_state;

/// Of this module; NULL until it has come to the lock, or when it counts nothing.
extern struct unit *weft_coverage_own_unit;

// ---- Profiles (coverage_image.c) ----

/// Lays out the unit's raw profile.
void weft_coverage_lay_out(struct unit *unit);

/// Fills in an image of zeros: everything but counters and bitmap.
void weft_coverage_fill(const struct unit *unit, char *image);

/// Adds what `from` counted to `to`, both images of the unit; counters stop at 2^64-1.
void weft_coverage_add(const struct unit *unit, char *to, const char *from);

/// The same from the module's own counters, where they are not a mirror's.
void weft_coverage_add_own(const struct unit *unit, char *to);

/// Sets counters and bitmap of an image to zero. Touches no page that is zero.
void weft_coverage_clear(const struct unit *unit, char *image);

/// Whether two profiles are of the same functions.
int weft_coverage_is_alike(const struct unit *unit, const char *image, const char *other, uint64_t size);

// ---- Files (coverage_file.c) ----

/// The file for a new unit.
struct profile_file *weft_coverage_file_for(const struct unit *unit);

/// Puts the mirror's image into its unit's file and maps the file in its place. Leaves it in memory if that fails.
void weft_coverage_keep(struct mirror *mirror);

/// Maps the counters of a mirror that is in the file in place of the module's own, page by page as far as they go.
void weft_coverage_map_own(struct mirror *mirror);

/// The module's own counters become its own again, and zero.
void weft_coverage_unmap_own(struct unit *unit);

/// Cuts profiles off the file's end that nobody uses and that hold nothing.
void weft_coverage_shrink(struct profile_file *file);

/// Brings the file to its final name, once no module will add to it.
void weft_coverage_finish(struct profile_file *file);

/// In a forked child: its counters are its own, and no file holds them yet.
void weft_coverage_forget_files(void);

/// Another pattern for names, from now on; NULL for the environment's.
int weft_coverage_rename(const char *pattern);

// ---- Threads and modules (coverage.c) ----

/// The process lock, with `tables` there. 0, EDEADLK, or ENOMEM.
int weft_coverage_enter(sigset_t *mask);
void weft_coverage_leave(const sigset_t *mask);

/// The mirror that counts of the unit are to be added to: the calling thread's, if it has one, else one that nobody counts
/// in. NULL without memory.
struct mirror *weft_coverage_target(struct unit *unit);

/// Calls a function for each mirror of the process.
#define WEFT_EACH_MIRROR(mirror) \
    for (struct mirror *mirror = process->tables->mirrors, *end_ = mirror + process->mirror_count; mirror < end_; mirror++)

#pragma GCC visibility pop

#endif
