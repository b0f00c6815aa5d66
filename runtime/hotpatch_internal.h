// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The hotpatch runtime. Nothing of it runs until somebody applies a patch, but for the registration of each module that is loaded.
//
//   hotpatch.c           modules, the public interface, hooks
//   hotpatch_load.c      a patch file: is it sound, is it ours, into memory
//   hotpatch_switch.c    exchanging entries: the only code that changes code
//   hotpatch_threads.c   who is inside code that was replaced
//   hotpatch_crash.c     whose fault it was
//   hotpatch_key.c       signatures
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
#define KEY_LIMBS (WEFT_PATCH_SIGNATURE / 8)

/// What is before an entry, up to it; and what is exchanged of it.
#if defined(__x86_64__)
#define ROOM 6
#define EXCHANGED 2
#else
#define ROOM 12
#define EXCHANGED 4
#endif

/// What is at an entry.
struct weft_hotpatch_entry {
    char *entry;
    char *point;       ///< the instruction that is exchanged
    uint32_t size;     ///< of the code that begins here
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
    uint32_t size;      ///< of what was there when the patch was built
    uint32_t code_size; ///< of the new one
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
    uint32_t gone;  ///< the library that it is for has been unloaded
    uint32_t chosen; ///< for what is asked of several
    size_t record_size; ///< of this, functions and names
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
    uint32_t probed;        ///< the thread that is to look at its own stack: see hotpatch_threads.c
    uint32_t guarded;       ///< crashes are watched
    void (*guard)(void);    ///< that which watches them: of a module that stays
    void *probe;
    void *loading;          ///< what applying a patch needs of memory; the lock's holder's
    uint32_t wants_signature;
    const char *key_fault;  ///< why the key cannot be used, or NULL
    uint64_t key[KEY_LIMBS]; ///< the modulus, the lowest bits first
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

/// Switches a patch that was taken back on again, under its number.
int weft_hotpatch_restore(uint32_t order, struct weft_hotpatch_reason *reason);

/// How many patches are applied; needs no lock.
uint32_t weft_hotpatch_active_count(void);

/// The patch that has `address` in its memory of code, or NULL; needs no lock.
const struct weft_hotpatch_patch *weft_hotpatch_patch_at(const char *address);

// hotpatch_load.c

/// Makes a patch of a file, mapped near its module and relocated, with nothing switched. 0 or an error as in weft/hotpatch.h.
int weft_hotpatch_load(const char *file, size_t size, struct weft_hotpatch_patch **patch, struct weft_hotpatch_reason *reason);

void weft_hotpatch_unload(struct weft_hotpatch_patch *patch);

// hotpatch_switch.c

/// Leads the entries of all functions to the patch's code, or back to what was before; all or none.
int weft_hotpatch_switch(struct weft_hotpatch_patch *patch, int on, struct weft_hotpatch_reason *reason);

/// Whether there is an entry that can be exchanged.
int weft_hotpatch_is_entry(const struct weft_hotpatch_module *module, const char *entry, const char *point);

// hotpatch_threads.c

/// Where a thread is.
struct weft_hotpatch_place {
    uintptr_t pc, sp, link;
};

struct weft_hotpatch_place weft_hotpatch_place_of(const void *context);

/// Is told of a thread that is inside `function`, whose code is not this any more; NULL when it cannot be told where the thread is.
typedef void weft_hotpatch_witness(void *context, pid_t thread, const char *function);

/// Who is inside code that the chosen patches have replaced, or had and was replaced since. The lock is held. 0 or an error.
int weft_hotpatch_inside(const struct weft_hotpatch_place *self, weft_hotpatch_witness *witness, void *context);

/// For the handler of SIGURG: looks at this thread's stack if that is asked for, and says whether the signal was sent for that.
int weft_hotpatch_answer_probe(const siginfo_t *information, const void *context);

/// Where the mapping ends that `address` is in; 0: nowhere.
uintptr_t weft_hotpatch_end_of_mapping(uintptr_t address);

// hotpatch_crash.c

/// Watches for crashes, from the first patch on.
void weft_hotpatch_guard(void);

// hotpatch_key.c

/// Reads the key that WEFT_HOTPATCH_KEY names.
void weft_hotpatch_read_key(void);

/// Whether `signature` is the key's of what has this SHA-256.
int weft_hotpatch_is_signed(const uint64_t *key, const uint8_t *signature, const uint8_t digest[32]);

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
