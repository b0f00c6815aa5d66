// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The entry points of LLVM's XRay runtime (compiler-rt, include/xray/xray_interface.h) for programs that bring their own
// handlers. Function ids are this runtime's. Handlers are called with general and vector registers saved; they must not be
// traced themselves.

#include "tracing_internal.h"

#include <errno.h>

enum { NOT_INITIALIZED, SUCCESS, ONGOING, FAILED };

static int status_of(long changed)
{
    return changed < 0 ? (changed == -EDEADLK ? ONGOING : FAILED) : SUCCESS;
}

static int patch(int32_t id, int on)
{
    int error = weft_lock(&process->lock);
    if (error)
        return ONGOING;
    long changed = 0;
    for (uint32_t i = 0; i < process->module_count && changed >= 0; i++) {
        struct weft_tracing_module *module = &process->tables->modules[i];
        error = weft_tracing_load(module);
        if (error || !module->function_count) {
            changed = -error;
            continue;
        }
        uint32_t index = (uint32_t)id - module->first_id;
        if (id == 0)
            changed = weft_tracing_patch_module(module, NULL, on, WEFT_TRACING_CALLED);
        else if (index < module->function_count)
            changed = weft_tracing_patch_one(module, index, on, WEFT_TRACING_CALLED);
    }
    weft_unlock(&process->lock);
    return status_of(changed);
}

EXPORT void __xray_init(void) {}

EXPORT int __xray_set_handler(void (*handler)(int32_t, int))
{
    __atomic_store_n(&process->handler, (void *)handler, __ATOMIC_RELEASE);
    return 1;
}

EXPORT int __xray_remove_handler(void)
{
    return __xray_set_handler(NULL);
}

EXPORT int __xray_patch(void)
{
    return patch(0, 1);
}

EXPORT int __xray_unpatch(void)
{
    return patch(0, 0);
}

EXPORT int __xray_patch_function(int32_t id)
{
    return id > 0 ? patch(id, 1) : FAILED;
}

EXPORT int __xray_unpatch_function(int32_t id)
{
    return id > 0 ? patch(id, 0) : FAILED;
}

/// Loads the tables of all modules: ids are given out then.
static void load_all(void)
{
    if (weft_lock(&process->lock) != 0)
        return;
    for (uint32_t i = 0; i < process->module_count; i++)
        weft_tracing_load(&process->tables->modules[i]);
    weft_unlock(&process->lock);
}

EXPORT uintptr_t __xray_function_address(int32_t id)
{
    load_all();
    for (uint32_t i = 0; i < process->module_count; i++) {
        const struct weft_tracing_module *module = &process->tables->modules[i];
        uint32_t index = (uint32_t)id - module->first_id;
        if (module->table && index < module->function_count)
            return (uintptr_t)module->table[module->functions[index].first_sled].address;
    }
    return 0;
}

EXPORT size_t __xray_max_function_id(void)
{
    load_all();
    return process->next_id;
}
