// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Exceptions and panics leave functions without passing their exit sleds. Every personality routine (C++, Rust, C with
// cleanups) tells the unwinder where to land by _Unwind_SetIP(), once for each landing pad. This file stands in front of it
// and records the frame that is landed in: calls whose frames lie below are over.
//
// Costs nothing unless something is thrown. Where the unwinder is linked statically its own definition wins over this weak
// one: then readers close such calls when one further out ends.

#include "tracing_internal.h"

#include <dlfcn.h>

// Not there in a static program, whose linker would warn of it.
extern __typeof__(dlopen) dlopen __attribute__((weak));

struct _Unwind_Context;

typedef void set_ip(struct _Unwind_Context *, uintptr_t);
typedef uintptr_t get_cfa(struct _Unwind_Context *);

typedef uintptr_t get_start(struct _Unwind_Context *);

static set_ip *next_set_ip;
static get_cfa *next_get_cfa;
static get_start *next_get_start;

/// The unwinder's own. One that was loaded out of everybody's sight (as pthread_cancel() does) is asked for by name.
static void *find(const char *name)
{
    void *function = dlsym(RTLD_NEXT, name);
    void *library = function || !dlopen ? NULL : dlopen("libgcc_s.so.1", RTLD_LAZY | RTLD_NOLOAD);
    return library ? dlsym(library, name) : function;
}

static void note_landing(struct _Unwind_Context *context)
{
    if (!process->recording || !self->buffer)
        return;
    if (!__atomic_load_n(&next_get_cfa, __ATOMIC_RELAXED)) {
        __atomic_store_n(&next_get_start, (get_start *)find("_Unwind_GetRegionStart"), __ATOMIC_RELAXED);
        __atomic_store_n(&next_get_cfa, (get_cfa *)find("_Unwind_GetCFA"), __ATOMIC_RELAXED);
    }
    if (!next_get_cfa || !next_get_start)
        return;
    uint64_t payload[] = {(uint32_t)next_get_cfa(context), weft_tracing_function_at(next_get_start(context))};
    weft_tracing_put(sizeof payload << WEFT_TRACING_ARGUMENT_SHIFT | WEFT_TRACING_LANDED_RECORD << WEFT_TRACING_TYPE_SHIFT | WEFT_TRACING_OTHER, weft_tracing_clock(), payload, 2);
}

EXPORT void _Unwind_SetIP(struct _Unwind_Context *context, uintptr_t address)
{
    set_ip *next = __atomic_load_n(&next_set_ip, __ATOMIC_RELAXED);
    if (!next && (next = (set_ip *)find("_Unwind_SetIP")) != NULL)
        __atomic_store_n(&next_set_ip, next, __ATOMIC_RELAXED);
    if (!next) {
        const char *texts[] = {"an exception is being handled by an unwinder that cannot be found", NULL};
        weft_complain("tracing", texts);
        __builtin_trap();
    }
    note_landing(context);
    next(context, address);
}
