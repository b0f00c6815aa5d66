// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The contract between woven code and the metering runtime, version 2. The compiler pass emits exactly this; a change
// that old objects could not live with gets new names (`_v3`), so that both kinds can share a process.
//
// What woven code does, with `state` = __weft_metering_v2 and `record` = its function's entry in section weft_metering:
//
//     charge:     state.left -= n;
//     check:      state.left -= n;  if (state.left < 0) __weft_metering_overdrawn();
//     due:        if (state.left < pending) __weft_metering_spent(pending);
//     attribute:  cells = state.cells ? state.cells : __weft_metering_cells(record);  cells[record.cell] += n;
//
// and where calls are told apart, with `calls` = __weft_metering_calls_v2 and `counts` = a node + calls.shift:
//
//     enter:      caller = calls.node;
//                 own = caller && caller->recent->key == (record.cell << 32 | caller->at) ? caller->recent : __weft_metering_find(record);
//                 calls.node = own;  counts(own)->calls++;
//     calls:      calls.node = own;  own->at = line;
//     count:      counts(own)->units += n;
//     leave:      calls.node = caller;
//
// A charge may leave `left` below zero: whoever looks next sees it. The count is granted - left, in arithmetic modulo 2^64.
//
// The optimiser must not take a record for a constant because nothing in its module stores to it: let its address
// escape, or make it hidden or `externally_initialized`.
//
// Each object that holds woven code says in the read-only section `weft_metering_costs` what its units are: a text with its NUL.
//
// How a module that holds woven code is linked:
//   - metering*.o and support.o as objects, in every executable and shared object; twice in one link does no harm.
//   - Executables with `--export-dynamic-symbol=__weft_metering_*`, so that the objects they load find the state, and
//     `--export-dynamic-symbol=weft_metering_*` for those built without Weft. (Static executables need nothing.)
//   - A version script leaves __weft_metering_v2, __weft_metering_calls_v2 and __weft_metering_process_v2 global. Where it does not, the module
//     has a meter and a report of its own.
//   - Not with -Bsymbolic: `-Bno-symbolic` after it. (-Bsymbolic-functions does no harm.)
//   - With -lpthread, for a glibc older than 2.34.

#ifndef WEFT_METERING_ABI_H
#define WEFT_METERING_ABI_H

#include <stdint.h>

/// One woven function, where a build tells functions apart, or one source line of it. Lives in the writable section
/// `weft_metering`, 8-aligned, 32 bytes, without gaps.
struct weft_metering_record {
    uint64_t cell;      ///< index into `cells`; 0 until the module's constructor (priority 101) has run
    const char *name;   ///< mangled symbol, NUL-terminated, any bytes
    const char *module; ///< source file name, NUL-terminated, any bytes
    const struct weft_metering_place *place; ///< the line; of a function, where it begins; NULL if nobody knows
};

/// A line.
struct weft_metering_place {
    const struct weft_metering_record *function; ///< whose line it is: a record of the same module; the function's own is of what has no other
    const char *file;                            ///< NUL-terminated, any bytes
    uint64_t line;
};

/// A thread's meter. All zero for a thread that the runtime does not know yet: its first check finds nothing left.
struct weft_metering_state {
    int64_t left;      ///< units until the runtime has to look
    uint64_t granted;  ///< units given so far, less those before the last weft_metering_reset()
    uint64_t *cells;   ///< units by function; NULL until somebody asks
    uint64_t earlier;  ///< units before the last weft_metering_reset()
    uint64_t folded;   ///< units that are in the thread's place in the report already
    void *thread;      ///< the runtime's, as what follows; NULL for a thread that it does not know yet
    void *account;
    uint64_t flags;
};

/// One per thread and process, whatever number of copies of the runtime the process holds: STB_GNU_UNIQUE.
extern __thread struct weft_metering_state __weft_metering_v2 __attribute__((tls_model("initial-exec")));

/// A function called by those above it in a thread's tree.
struct weft_metering_node {
    uint64_t units;
    uint64_t calls;
    uint64_t key; ///< cell << 32 | line of the caller that the node was last found for
    struct weft_metering_node *recent; ///< the child called last; never NULL
    uint32_t at;     ///< line of the call being made, 0 if nobody knows
    uint32_t cell;   ///< of the function, as what follows the runtime's
    uint32_t line;   ///< of the caller
    uint32_t parent;
    uint32_t depth;  ///< 0: is being made
    uint32_t merged; ///< its place in another tree
};

/// Where a thread is in its tree. All zero for a thread that has none yet.
struct weft_metering_calls {
    struct weft_metering_node *node;
    uint64_t shift; ///< from a node to where its counts go: 0, but for work that does not count
    struct tree *tree;
    uint64_t refused; ///< there was no memory for it
};

/// One per thread and process, as __weft_metering_v2.
extern __thread struct weft_metering_calls __weft_metering_calls_v2 __attribute__((tls_model("initial-exec")));

/// Makes the calling thread known, gives it more units, or does what is to be done at the limit. On return there are more left than
/// `pending`. Keeps all registers but the one for linkage (LLVM's preserve_most), and errno. May not come back. Safe in a
/// signal handler and before the constructor ran.
void __weft_metering_spent(uint64_t pending);

/// The same where nothing is pending.
void __weft_metering_overdrawn(void);

/// The same for code that can be unwound from here (--metering-limits exact), and as any call for what registers it keeps: an
/// unwinder restores no others for a landing pad.
void __weft_metering_spent_unwinding(uint64_t pending);

/// The calling thread's cells, never NULL. Keeps errno. The argument is ignored: it makes the record's address escape.
uint64_t *__weft_metering_cells(struct weft_metering_record *record);

/// The node for a call of the record's function from where the thread is, never NULL. Keeps errno. Safe in a signal handler.
struct weft_metering_node *__weft_metering_find(struct weft_metering_record *record);

#endif
