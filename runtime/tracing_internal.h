// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What the files of the tracing runtime share. Every linked module (executable or shared object) carries a copy of all of
// it; `struct weft_tracing_process` and the thread's state exist once in a process (STB_GNU_UNIQUE). The functions of all
// copies are equivalent, except that trampolines must be within reach of the sleds that call them: a module uses its own.
//
// Everything is compiled for general registers only: it runs between a function and its caller, where vector registers
// hold arguments and results.

#ifndef WEFT_TRACING_INTERNAL_H
#define WEFT_TRACING_INTERNAL_H

#include "control.h"
#include "support.h"
#include "tracing_abi.h"

#include <limits.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <time.h>

#define BLOCK ((size_t)WEFT_TRACING_BLOCK)
#define BLOCK_HEADER 64u
#define MODULES 1024u
#define IDS (1u << 27)
#define METADATA_BLOCKS 1024u // 64 MB of names
#define RETIRED 8u
#define PATTERNS 2048 // bytes of a setting that is globs
#define PROCESS_BYTES 1024 // the size is part of version 1 of the object

#define EXPORT __attribute__((weak, visibility("default")))

#if defined(__x86_64__)
#define ARCHITECTURE 1
#elif defined(__aarch64__)
#define ARCHITECTURE 2
#else
#error "tracing knows x86_64 and aarch64"
#endif

#pragma GCC visibility push(hidden)

// ---- The thread's state, which trampolines use ----

struct weft_tracing_buffer;
struct shadows;

struct weft_tracing_thread {
    char *cursor;  ///< where the next record goes; at a multiple of BLOCK there is no block yet
    uint32_t high; ///< upper half of the clock in effect; UINT32_MAX: the thread has no buffer yet
    uint32_t spare;
    struct weft_tracing_buffer *buffer;
    struct shadows *shadows; ///< of tracing_called.c
    uint64_t latest; ///< clock of what was last written by weft_tracing_put()
    uint64_t reserved[3];
};

extern __thread struct weft_tracing_thread __weft_tracing_v1 __attribute__((visibility("default"), tls_model("initial-exec")));

// ---- Functions and modules ----

struct weft_tracing_function {
    uint32_t first_sled;
    uint32_t sleds;
    uint32_t types;
    uint8_t flags;  ///< FRAMED_FUNCTION...
    uint8_t clock;  ///< WEFT_TRACING_EXACT... while patched
    uint8_t patched;
    uint8_t spare;
    const char *names; ///< its entry in the module's file (see NameSection.cs), or NULL
    const char *symbol; ///< NUL-terminated, from the symbol table; NULL when there is none
};

enum {
    FRAMED_FUNCTION = 1,
    DESCRIBED_FUNCTION = 2,
    FILTERED_FUNCTION = 4, ///< WEFT_TRACING_FILTER names it
    EXCLUDED_FUNCTION = 8, ///< WEFT_TRACING_NOTRACE names it
    REACHED_FUNCTION = 16, ///< WEFT_TRACING_CALLERS names it
    OPENED_FUNCTION = 32,  ///< its sleds are jumps, or more
};

struct weft_tracing_sled {
    char *address;
    uint32_t function; ///< index in the module
    uint8_t kind;      ///< WEFT_TRACING_ENTRY, _EXIT, _TAIL_EXIT
    uint8_t armed;     ///< the bytes behind its first instruction are ours
    uint16_t spare;
};

/// One linked module. Lives in the process's table; its tables are made when they are first needed.
struct weft_tracing_module {
    const char *sleds, *sleds_end; ///< weft_trc_sleds of this module
    const char *map, *map_end;     ///< LLVM's own xray_instr_map, of objects that Weft did not finish
    const char *trampolines[3][3]; ///< by clock (exact, untimed, coarse) and kind
    uintptr_t bias;                ///< address in memory less address in the file
    uint32_t first_id;
    uint32_t function_count, sled_count;
    uint32_t gone; ///< unloaded; its ids stay
    struct weft_tracing_function *functions;
    struct weft_tracing_sled *table;
    uint32_t *order; ///< functions by address
    const char *file; ///< its file, mapped
    size_t file_size;
    char *path;
    char *low, *high; ///< the range of its sleds
    uint8_t build_id[32];
    uint32_t build_id_size;
    uint32_t described; ///< its MODULE entry is in the file
};

/// A thread's buffer: a piece of the file, mapped, with room behind it for what signal handlers write past its end.
struct weft_tracing_buffer {
    struct weft_tracing_buffer *next;
    char *mapping;
    size_t mapping_size;
    char *base; ///< aligned to BLOCK
    size_t size;
    uint64_t offset; ///< of the base in the file
    char *block;
    uint64_t sequence;
    pid_t owner;
    uint32_t thread; ///< index in the file
    uint32_t discards; ///< there is no file behind it: what is written is lost
    uint32_t excluded; ///< the thread is not among WEFT_TRACING_THREADS: that is no loss
    uint32_t passed; ///< blocks that it has filled so
    uint32_t lost;
    struct shadows *shadows; ///< of the thread that has the buffer
    struct {
        char *mapping;
        size_t size;
    } retired[RETIRED]; ///< what a signal handler moved on from may still be written to by what it interrupted
    uint32_t retirements;
};

struct weft_tracing_filters {
    uint32_t active;       ///< events go through tracing_called.c
    uint32_t depth;        ///< 0: any
    uint64_t min_duration; ///< in nanoseconds
    uint32_t patterns;     ///< FILTERED_FUNCTION, EXCLUDED_FUNCTION, REACHED_FUNCTION: there are such
    uint32_t threads;      ///< THREADS_FILTERED..., or 0
    uint64_t from, until;  ///< nanoseconds from the beginning; 0 and UINT64_MAX: all
    uint32_t range;        ///< ALWAYS...
};

/// Only some threads are recorded; there were some that are not; there were some that are.
enum { THREADS_FILTERED = 1, THREAD_EXCLUDED = 2, THREAD_INCLUDED = 4 };

/// Where in the range of time that is recorded the process is.
enum { ALWAYS, BEFORE_RANGE, IN_RANGE, AFTER_RANGE };

/// Address space reserved once; pages come into being as they are touched.
struct weft_tracing_tables {
    char only[PATTERNS], only_modules[PATTERNS], hide[PATTERNS], filter[PATTERNS], notrace[PATTERNS], callers[PATTERNS], threads[PATTERNS];
    char file_pattern[PATH_MAX];
    char file_path[PATH_MAX];
    char program[256];
    uint64_t metadata_at[METADATA_BLOCKS]; ///< file offsets, for children to copy
    struct weft_tracing_module modules[MODULES];
};

/// What the copies of the runtime in a process share; starts as zero.
struct weft_tracing_process {
    uint32_t recording;    ///< there is a file to write to; first, where weft/tracing.h and the crate read it
    uint32_t prepared;
    uint64_t tick;         ///< the coarse clock
    struct weft_lock lock; ///< settings, modules, patching, metadata; held in normal code and by control requests only
    uint32_t spin;         ///< buffers and the file's growth; held for moments, with signals blocked
    uint32_t forked;    ///< the file is the parent's; the first event makes one of our own; 2: that is being done
    int descriptor;
    pid_t pid;
    uint64_t device, inode; ///< of the file, since programs close descriptors that they know nothing of
    char *header; ///< block 0, mapped
    uint64_t file_end;
    uint64_t size_limit;
    uint64_t holes; ///< bytes of the file that take no room on the disk
    uint64_t ring; ///< bytes a thread, or 0
    uint32_t threads;
    uint32_t complained;
    struct weft_tracing_buffer *buffers, *recycle;
    struct weft_tracing_buffer *pool, *pool_end;
    char *sink; ///< two blocks that nobody reads
    char *metadata; ///< the metadata block at hand, mapped
    uint32_t metadata_used;
    uint64_t metadata_blocks;
    uint32_t clock_kind;
    uint32_t default_clock;
    uint64_t frequency;
    uint32_t ticking;
    uint32_t module_count;
    uint32_t next_id;
    uint32_t name_count;
    struct weft_tracing_tables *tables; ///< NULL: no memory at the start; then nothing is traced
    uint64_t started, started_monotonic, started_wall;
    uint64_t cost; ///< ticks an event
    struct weft_tracing_filters filters;
    uint32_t values; ///< arguments and results are recorded
    uint32_t adaptive; ///< percent, or 0
    void *hot;         ///< of tracing_adaptive.c
    uint64_t page;     ///< bytes
    uint32_t switched_on; ///< functions, ever
    uint32_t entering; ///< a module's functions are being switched on, none of which can have been called
    void *handler; ///< of __xray_set_handler()
};

_Static_assert(sizeof(struct weft_tracing_process) <= PROCESS_BYTES, "the shared object has outgrown its reserve");
_Static_assert(offsetof(struct weft_tracing_process, recording) == 0, "programs read it");
_Static_assert(offsetof(struct weft_tracing_process, tick) == WEFT_TRACING_TICK_AT && offsetof(struct weft_tracing_thread, high) == WEFT_TRACING_HIGH_AT, "trampolines know where");
_Static_assert(sizeof(struct weft_tracing_thread) == 64, "the state is part of the ABI");

extern struct weft_tracing_process __weft_tracing_process_v1 __attribute__((visibility("default")));

#define process (&__weft_tracing_process_v1)
#define self (&__weft_tracing_v1)

/// What a function is given, in the order of the registers, as weft_tracing_called() finds it.
struct weft_tracing_registers {
#if defined(__x86_64__)
    uint64_t general[6]; ///< rdi, rsi, rdx, rcx, r8, r9
    uint64_t result;     ///< rax
    uint64_t stack;
    uint64_t vector[8][2];
#else
    uint64_t general[8]; ///< x0 to x7; x0 is the result too
    uint64_t indirect;   ///< x8
    uint64_t stack;
    uint64_t vector[8][2];
#endif
};

struct weft_tracing_moment {
    uint64_t ticks, nanoseconds; ///< of weft_tracing_clock() and weft_tracing_monotonic()
};

// tracing_buffers.c
void weft_tracing_slow(uint32_t word, uint64_t clock, uint64_t stack, char *place);
struct shadows *weft_tracing_shadows(size_t size);
int weft_tracing_take_back(char *behind, size_t size);
char *weft_tracing_put(uint32_t word, uint64_t clock, const uint64_t *payload, unsigned count);
int weft_tracing_open_file(void);
void weft_tracing_own_file(void);
char *weft_tracing_map_block(uint64_t *offset);
void weft_tracing_calibrate(void);
void weft_tracing_set_state(uint32_t bit);
uint64_t weft_tracing_clock(void);
uint64_t weft_tracing_monotonic(void);
struct weft_tracing_moment weft_tracing_look(void);

// tracing_modules.c
int weft_tracing_load(struct weft_tracing_module *module);
struct weft_tracing_module *weft_tracing_came_back(struct weft_tracing_module *module);
void weft_tracing_describe(struct weft_tracing_module *module, uint32_t function);
void weft_tracing_name(const struct weft_tracing_function *function, const char **name, size_t *size, const char **symbol, size_t *symbol_size);
uint32_t weft_tracing_function_at(uintptr_t address);
int weft_tracing_matches(const char *patterns, const struct weft_tracing_module *module, const struct weft_tracing_function *function);
int weft_tracing_is_among(const char *text, const char *patterns);
int weft_tracing_is_module(const struct weft_tracing_module *module, const char *patterns);
void weft_tracing_write_metadata(uint32_t type, const void *head, size_t head_size, const char *const *texts, const size_t *sizes, unsigned count);

// tracing_patch.c
long weft_tracing_patch_one(struct weft_tracing_module *module, uint32_t function, int on, uint32_t clock);
long weft_tracing_patch_module(struct weft_tracing_module *module, const uint8_t *selected, int on, uint32_t clock);

// tracing.c
uint32_t weft_tracing_served(uint32_t clock);
long weft_tracing_switch(const char *globs, int on, uint32_t clock);
int weft_tracing_begin_recording(void);
void weft_tracing_note(uint32_t function, const char *text);

// tracing_called.c
void weft_tracing_classify(struct weft_tracing_module *module);
void weft_tracing_called(uint32_t word, struct weft_tracing_registers *registers);

// tracing_adaptive.c
void weft_tracing_adapt(const char *block, uint64_t ticks);

// tracing_control.c
void weft_tracing_listen(void);

// tracing_unwind.c (installs itself by being linked)

#pragma GCC visibility pop

// ---- Bytes ----

static inline void clear_bytes(void *to, size_t size)
{
#if defined(__x86_64__)
    __asm__ volatile("rep stosb" : "+D"(to), "+c"(size) : "a"(0) : "memory");
#else
    for (volatile uint64_t *t = to; size >= 8; size -= 8)
        *t++ = 0;
#endif
}

#endif
