// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The hotpatch runtime's life: modules as they are loaded, and the public interface of weft/hotpatch.h.

#include "hotpatch_internal.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <stdarg.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

__asm__(WEFT_SHARED("__weft_hotpatch_process_v1")
        ".section .bss.__weft_hotpatch_process_v1, \"awG\", %nobits, __weft_hotpatch_process_v1, comdat\n"
        ".balign 64\n"
        "__weft_hotpatch_process_v1:\n"
        ".zero " WEFT_TEXT(PROCESS_BYTES) "\n"
        ".size __weft_hotpatch_process_v1, " WEFT_TEXT(PROCESS_BYTES) "\n"
        ".text\n");

extern const ElfW(Ehdr) __ehdr_start __attribute__((weak, visibility("hidden"))); // the linker's

/// Where this module's entries lead to: near its code as nothing else is sure to be. Pages that nobody touches take no memory.
static uint64_t slots[SLOTS];

/// Room for thread-locals that patches bring. Threads that run have no other: it must be there when they begin.
__attribute__((visibility("hidden"), used, aligned(64))) _Thread_local char weft_hotpatch_thread_room[THREAD_ROOM];

// ---- Modules ----

static void take_note(struct weft_hotpatch_module *module, const char *base, const ElfW(Phdr) *segment)
{
    if (segment->p_type != PT_NOTE)
        return;
    const char *at = base + segment->p_vaddr, *end = at + segment->p_memsz;
    while (at + sizeof(ElfW(Nhdr)) <= end) {
        const ElfW(Nhdr) *note = (const ElfW(Nhdr) *)at;
        const char *name = at + sizeof *note, *content = name + ((note->n_namesz + 3) & ~3u);
        if (note->n_type == NT_GNU_BUILD_ID && note->n_namesz == 4 && memcmp(name, "GNU", 4) == 0 && note->n_descsz <= WEFT_PATCH_BUILD) {
            module->build = (const uint8_t *)content;
            module->build_size = note->n_descsz;
        }
        at = content + ((note->n_descsz + 3) & ~3u);
    }
}

static void describe_module(struct weft_hotpatch_module *module)
{
    const ElfW(Phdr) *segments = (const ElfW(Phdr) *)((const char *)&__ehdr_start + __ehdr_start.e_phoff);
    uintptr_t first = UINTPTR_MAX, last = 0, code = UINTPTR_MAX, code_end = 0;
    for (int i = 0; i < __ehdr_start.e_phnum; i++) {
        const ElfW(Phdr) *segment = &segments[i];
        if (segment->p_type != PT_LOAD)
            continue;
        if (segment->p_vaddr < first)
            first = segment->p_vaddr & ~(uintptr_t)4095;
        if (segment->p_vaddr + segment->p_memsz > last)
            last = segment->p_vaddr + segment->p_memsz;
        if (segment->p_flags & PF_X && segment->p_vaddr < code)
            code = segment->p_vaddr;
        if (segment->p_flags & PF_X && segment->p_vaddr + segment->p_memsz > code_end)
            code_end = segment->p_vaddr + segment->p_memsz;
    }
    char *load = (char *)&__ehdr_start - first; // what the loader adds to addresses of the file
    *module = (struct weft_hotpatch_module){.base = load + first, .size = last - first, .code = load + code, .code_end = load + code_end, .slots = slots};
    for (int i = 0; i < __ehdr_start.e_phnum; i++)
        take_note(module, load, &segments[i]);
}

static int make_tables(void)
{
    if (!process->modules)
        process->modules = weft_reserve(MODULES * sizeof *process->modules);
    if (!process->patches)
        process->patches = weft_reserve(PATCHES * sizeof *process->patches);
    return process->modules && process->patches;
}

__attribute__((constructor)) static void enter(void)
{
    weft_signals saved;
    if (!&__ehdr_start || weft_lock_signal_safe(&process->lock, &saved) != 0)
        return;
    if (make_tables()) {
        uint32_t index = 0;
        while (index < process->module_count && !process->modules[index].gone)
            index++;
        if (index < MODULES) {
            describe_module(&process->modules[index]);
            if (index == process->module_count)
                process->module_count++;
        }
    }
    int listens = process->listening;
    process->listening = 1;
    weft_unlock_signal_safe(&process->lock, &saved);
    if (!listens)
        weft_hotpatch_listen();
}

__attribute__((destructor)) static void leave(void)
{
    weft_signals saved;
    if (weft_lock_signal_safe(&process->lock, &saved) != 0)
        return;
    for (uint32_t i = 0; process->modules && i < process->module_count; i++)
        if (process->modules[i].slots == slots)
            process->modules[i].gone = 1;
    weft_unlock_signal_safe(&process->lock, &saved);
}

// ---- Applying and taking back, with the lock held ----

WEFT_WEAK int weft_hotpatch_refuse(struct weft_hotpatch_reason *reason, int code, ...)
{
    const char *limit = reason->text + sizeof reason->text;
    char *end = reason->text;
    va_list texts;
    va_start(texts, code);
    for (const char *text; end && (text = va_arg(texts, const char *)) != NULL;)
        end = weft_append(end, limit, text, strlen(text));
    va_end(texts);
    return code;
}

static int ask(weft_hotpatch_hook *hook, const struct weft_hotpatch_patch *patch)
{
    return hook ? hook(process->hook_context, patch->name, patch->function_count) : 0;
}

static int register_patch(struct weft_hotpatch_patch *patch, struct weft_hotpatch_reason *reason)
{
    for (uint32_t i = 0; i < process->patch_count; i++)
        if (process->patches[i] == patch)
            return 0;
    if (process->patch_count == PATCHES)
        return weft_hotpatch_refuse(reason, WEFT_HOTPATCH_NO_MEMORY, "4096 patches have been applied to this process: start it again", NULL);
    process->patches[process->patch_count] = patch;
    __atomic_store_n(&process->patch_count, process->patch_count + 1, __ATOMIC_RELEASE);
    return 0;
}

WEFT_WEAK int weft_hotpatch_install(const char *file, size_t size, struct weft_hotpatch_patch **installed, struct weft_hotpatch_reason *reason)
{
    struct weft_hotpatch_patch *patch;
    int result = process->modules ? weft_hotpatch_load(file, size, &patch, reason) : weft_hotpatch_refuse(reason, WEFT_HOTPATCH_NO_MEMORY, "there was no memory when the program started", NULL);
    if (result)
        return result;
    int is_new = patch->order == 0;
    if (ask(process->before, patch))
        result = weft_hotpatch_refuse(reason, WEFT_HOTPATCH_VETOED, "the program's own hook refused the patch", NULL);
    else if ((result = register_patch(patch, reason)) == 0 && (result = weft_hotpatch_switch(patch, 1, reason)) == 0)
        patch->order = ++process->applied;
    if (result) {
        if (is_new && result == WEFT_HOTPATCH_VETOED)
            weft_hotpatch_unload(patch);
        return result;
    }
    ask(process->after, patch);
    *installed = patch;
    return 0;
}

static struct weft_hotpatch_patch *newest(void)
{
    struct weft_hotpatch_patch *found = NULL;
    for (uint32_t i = 0; i < process->patch_count; i++)
        if (process->patches[i]->active && (!found || process->patches[i]->order > found->order))
            found = process->patches[i];
    return found;
}

static uint32_t active_count(void)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < process->patch_count; i++)
        count += process->patches[i]->active;
    return count;
}

WEFT_WEAK int weft_hotpatch_take_back(uint32_t keep, struct weft_hotpatch_reason *reason)
{
    while (active_count() > keep) {
        struct weft_hotpatch_patch *patch = newest();
        if (ask(process->before, patch))
            return weft_hotpatch_refuse(reason, WEFT_HOTPATCH_VETOED, "the program's own hook refused to take the patch back", NULL);
        int result = weft_hotpatch_switch(patch, 0, reason);
        if (result)
            return result;
        ask(process->after, patch);
    }
    return 0;
}

// ---- The public interface ----

#define EXPORT __attribute__((visibility("default"), weak))

static int begin(weft_signals *saved, struct weft_hotpatch_reason *reason)
{
    return weft_lock_signal_safe(&process->lock, saved) == 0 ? 0 : weft_hotpatch_refuse(reason, WEFT_HOTPATCH_BUSY, "another patch is being applied", NULL);
}

static int finish(int result, const struct weft_hotpatch_reason *reason, char *why, size_t size)
{
    if (why && size) {
        size_t length = result ? strlen(reason->text) : 0;
        length = length < size ? length : size - 1;
        memcpy(why, reason->text, length);
        why[length] = '\0';
    }
    return result;
}

EXPORT int weft_hotpatch_apply_bytes(const void *bytes, size_t size, char *why, size_t why_size)
{
    struct weft_hotpatch_reason reason = {""};
    struct weft_hotpatch_patch *patch;
    weft_signals saved;
    int result = begin(&saved, &reason);
    if (result)
        return finish(result, &reason, why, why_size);
    result = weft_hotpatch_install(bytes, size, &patch, &reason);
    weft_unlock_signal_safe(&process->lock, &saved);
    return finish(result, &reason, why, why_size);
}

EXPORT int weft_hotpatch_apply(const char *path, char *why, size_t why_size)
{
    struct weft_hotpatch_reason reason = {""};
    char unknown[WEFT_ERROR_TEXT];
    struct stat status;
    void *bytes = MAP_FAILED;
    int descriptor = open(path, O_RDONLY | O_CLOEXEC);
    if (descriptor >= 0 && fstat(descriptor, &status) == 0 && S_ISREG(status.st_mode) && status.st_size > 0)
        bytes = mmap(NULL, (size_t)status.st_size, PROT_READ, MAP_PRIVATE, descriptor, 0);
    int error = errno;
    if (descriptor >= 0)
        close(descriptor);
    if (bytes == MAP_FAILED)
        return finish(weft_hotpatch_refuse(&reason, WEFT_HOTPATCH_NO_FILE, "'", path, "' cannot be read: ", descriptor < 0 ? weft_error_text(error, unknown) : "it is no file with anything in it", NULL), &reason, why, why_size);
    int result = weft_hotpatch_apply_bytes(bytes, (size_t)status.st_size, why, why_size);
    munmap(bytes, (size_t)status.st_size);
    return result;
}

EXPORT int weft_hotpatch_revert_to(uint32_t keep)
{
    struct weft_hotpatch_reason reason;
    weft_signals saved;
    int result = begin(&saved, &reason);
    if (result)
        return result;
    result = weft_hotpatch_take_back(keep, &reason);
    weft_unlock_signal_safe(&process->lock, &saved);
    return result;
}

EXPORT uint32_t weft_hotpatch_count(void)
{
    struct weft_hotpatch_reason reason;
    weft_signals saved;
    if (begin(&saved, &reason))
        return 0;
    uint32_t count = active_count();
    weft_unlock_signal_safe(&process->lock, &saved);
    return count;
}

EXPORT void weft_hotpatch_set_hooks(weft_hotpatch_hook *before, weft_hotpatch_hook *after, void *context)
{
    struct weft_hotpatch_reason reason;
    weft_signals saved;
    if (begin(&saved, &reason))
        return;
    process->before = before;
    process->after = after;
    process->hook_context = context;
    weft_unlock_signal_safe(&process->lock, &saved);
}
