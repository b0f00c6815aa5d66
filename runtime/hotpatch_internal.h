// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The hotpatch runtime. Nothing of it runs until somebody applies a patch, but for the registration of each module that is loaded.
//
//   hotpatch.c           modules, the public interface, hooks
//   hotpatch_load.c      a patch file: is it sound, is it ours, into memory
//   hotpatch_switch.c    exchanging entries: the only code that changes code
//   hotpatch_symbols.c   names in shared libraries
//   hotpatch_unwind.c    exceptions and panics through patched functions
//   hotpatch_control.c   requests from outside
//   hotpatch_digest.c    SHA-256
//
// Requests are served in a signal handler: nothing here calls malloc(), takes a lock of libc's or waits for another thread.

#ifndef WEFT_HOTPATCH_INTERNAL_H
#define WEFT_HOTPATCH_INTERNAL_H

#include "hotpatch_abi.h"
#define __WEFT_HOTPATCH__ 1
#include "include/weft/hotpatch.h"
#include "support.h"

#define MODULES 256u
#define PATCHES 4096u
#define SLOTS 16384u ///< functions of a module that can be replaced at a time
#define THREAD_ROOM 1024u ///< bytes of new thread-locals
#define REASON 512u
#define PROCESS_BYTES 4096

/// What is at an entry.
struct weft_hotpatch_entry {
    char *point;       ///< the instruction that is exchanged
    uint32_t original; ///< its bytes
    uint32_t active;   ///< whether it leads to the slot
};

/// A program or shared library with the runtime in it.
struct weft_hotpatch_module {
    char *base;
    size_t size;
    char *code, *code_end; ///< what may be executed of it
    const uint8_t *build;
    uint32_t build_size;
    uint32_t used; ///< slots
    uint32_t gone;
    uint64_t *slots; ///< where entries lead to: within 2 GB of the code
    struct weft_hotpatch_entry *entries; ///< one each; NULL until the first is used
};

/// One function of a patch.
struct weft_hotpatch_function {
    char *entry, *point;
    uint32_t slot; ///< once it has been switched
    uint32_t name; ///< in the patch's names
    uint64_t code;     ///< the new one
    uint64_t previous; ///< what the entry led to before; 0: its own code
};

struct weft_hotpatch_patch {
    uint8_t id[WEFT_PATCH_ID];
    struct weft_hotpatch_module *module;
    char *memory;
    uint32_t code_size, size;
    const char *frames; ///< .eh_frame_hdr, or NULL
    const char *name;
    const char *names;
    uint32_t function_count;
    uint32_t active;
    uint32_t order; ///< the n-th switch on of the process; 0: never
    uint64_t switched; ///< nanoseconds that the switch took
    struct weft_hotpatch_function *functions;
};

/// What the copies of the runtime in a process share; starts as zero.
struct weft_hotpatch_process {
    struct weft_lock lock;
    uint32_t module_count;
    uint32_t patch_count; ///< with those that were taken back; grows only, and says what unwinders may look at
    uint32_t listening;
    uint32_t applied; ///< switches on, ever
    uint32_t fenced; ///< the kernel will make other processors look again
    struct weft_hotpatch_module *modules; ///< MODULES of them
    struct weft_hotpatch_patch **patches; ///< PATCHES of them
    weft_hotpatch_hook *before, *after;
    void *hook_context;
};

_Static_assert(sizeof(struct weft_hotpatch_process) <= PROCESS_BYTES, "the shared object has outgrown its reserve");

extern struct weft_hotpatch_process __weft_hotpatch_process_v1 __attribute__((visibility("default")));

#define process (&__weft_hotpatch_process_v1)

#pragma GCC visibility push(hidden)

/// Why something was refused: what is wrong, and what to do.
struct weft_hotpatch_reason {
    char text[REASON];
};

/// Writes the texts, the last of which is followed by NULL, and returns `code`.
int weft_hotpatch_refuse(struct weft_hotpatch_reason *reason, int code, ...);

// hotpatch.c, with the lock held

/// Loads a patch and switches it on.
int weft_hotpatch_install(const char *file, size_t size, struct weft_hotpatch_patch **installed, struct weft_hotpatch_reason *reason);

/// Takes back the newest patches until `keep` are left.
int weft_hotpatch_take_back(uint32_t keep, struct weft_hotpatch_reason *reason);

// hotpatch_load.c

/// Makes a patch of a file, mapped near its module and relocated, with nothing switched. 0 or an error as in weft/hotpatch.h.
int weft_hotpatch_load(const char *file, size_t size, struct weft_hotpatch_patch **patch, struct weft_hotpatch_reason *reason);

void weft_hotpatch_unload(struct weft_hotpatch_patch *patch);

// hotpatch_switch.c

/// Leads the entries of all functions to the patch's code, or back to what was before; all or none.
int weft_hotpatch_switch(struct weft_hotpatch_patch *patch, int on, struct weft_hotpatch_reason *reason);

/// Whether there is an entry that can be exchanged.
int weft_hotpatch_is_entry(const struct weft_hotpatch_module *module, const char *entry, const char *point);

// hotpatch_symbols.c

/// Address of a function or variable in the libraries that are loaded, or NULL.
void *weft_hotpatch_find_symbol(const char *name);

// hotpatch_digest.c

struct weft_sha256 {
    uint32_t state[8];
    uint64_t size;
    uint8_t block[64];
};

void weft_sha256_begin(struct weft_sha256 *hash);
void weft_sha256_add(struct weft_sha256 *hash, const void *bytes, size_t size);
void weft_sha256_end(struct weft_sha256 *hash, uint8_t digest[32]);

// hotpatch_control.c
void weft_hotpatch_listen(void);

#pragma GCC visibility pop

#endif
