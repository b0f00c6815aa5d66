// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The contract between woven code and the metering runtime, version 1. The compiler pass emits exactly this; a change
// that old objects could not live with gets new names (`_v2`), so that both kinds can share a process.
//
// What a woven function does, with `state` = __weft_metering_v1 and `record` = its own entry in section weft_metering:
//
//     entry:   if (state.cells == NULL) __weft_metering_thread_start();
//     charge:  state.count += n;  state.cells[record.cell] += n;
//
// The two additions always go together. That is what lets a report read a running thread through its cells alone.
//
// The optimiser must not take a record for a constant because nothing in its module stores to it: let its address
// escape, or make it hidden or `externally_initialized`.
//
// How a module that holds woven code is linked:
//   - metering.o and support.o as objects, in every executable and shared object; twice in one link does no harm.
//   - Executables with `--export-dynamic-symbol=__weft_metering_*`, so that the objects they load find the state, and
//     `--export-dynamic-symbol=weft_metering_*` for those built without Weft. (Static executables need nothing.)
//   - A version script leaves __weft_metering_v1 and __weft_metering_process_v1 global. Where it does not, the module
//     has a meter and a report of its own.
//   - Not with -Bsymbolic: `-Bno-symbolic` after it. (-Bsymbolic-functions does no harm.)
//   - With -lpthread, for a glibc older than 2.34.

#ifndef WEFT_METERING_ABI_H
#define WEFT_METERING_ABI_H

#include <stdint.h>

/// One woven function. Lives in the writable section `weft_metering`, 8-aligned, 32 bytes, without gaps.
struct weft_metering_record {
    uint64_t cell;      ///< index into `cells`; 0 until the module's constructor (priority 101) has run
    const char *name;   ///< mangled symbol, NUL-terminated, any bytes
    const char *module; ///< source file name, NUL-terminated, any bytes
    uint64_t reserved;  ///< 0
};

/// What a thread counts into. `cells` is NULL until the thread is known to the runtime.
struct weft_metering_state {
    uint64_t count;  ///< units since the thread began or last called weft_metering_reset()
    uint64_t *cells; ///< units by function
};

/// One per thread and process, whatever number of copies of the runtime the process holds: STB_GNU_UNIQUE.
extern __thread struct weft_metering_state __weft_metering_v1 __attribute__((tls_model("initial-exec")));

/// Makes the calling thread known; on return `cells` is not NULL. Callers may pass an argument, which is ignored: with a
/// record it makes the record's address escape. Keeps errno. Safe in a signal handler and before the constructor ran.
void __weft_metering_thread_start(void);

#endif
