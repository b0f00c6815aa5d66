// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The hotpatch runtime's life: modules as they are loaded, and the public interface of weft/hotpatch.h.

#include "hotpatch_internal.h"

#include <elf.h>
#include "control.h"

#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <pthread.h>
#include <stdarg.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
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
    if (!listens)
        process->guard = weft_hotpatch_guard; // this module has what is shared, which the loader does not unload
    process->listening = 1;
    weft_unlock_signal_safe(&process->lock, &saved);
    if (listens)
        return;
    weft_hotpatch_read_key();
    weft_hotpatch_listen();
}

/// Its code is gone, and what was patched of it. The patches' memory stays: somebody may still be looking at it.
static void forget(struct weft_hotpatch_module *module)
{
    module->gone = 1;
    for (uint32_t i = 0; i < process->patch_count; i++)
        if (process->patches[i]->module == module) {
            process->patches[i]->gone = 1;
            __atomic_store_n(&process->patches[i]->active, 0, __ATOMIC_RELAXED);
        }
    if (module->entries)
        munmap(module->entries, SLOTS * sizeof *module->entries);
    module->entries = NULL;
}

__attribute__((destructor)) static void leave(void)
{
    weft_signals saved;
    if (weft_lock_signal_safe(&process->lock, &saved) != 0)
        return;
    for (uint32_t i = 0; process->modules && i < process->module_count; i++)
        if (process->modules[i].slots == slots)
            forget(&process->modules[i]);
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
    process->guard();
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

WEFT_WEAK uint32_t weft_hotpatch_active_count(void)
{
    uint32_t count = 0, patches = __atomic_load_n(&process->patch_count, __ATOMIC_ACQUIRE);
    for (uint32_t i = 0; i < patches; i++)
        count += __atomic_load_n(&process->patches[i]->active, __ATOMIC_RELAXED);
    return count;
}

WEFT_WEAK int weft_hotpatch_take_back(uint32_t keep, struct weft_hotpatch_reason *reason)
{
    while (weft_hotpatch_active_count() > keep) {
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

WEFT_WEAK int weft_hotpatch_restore(uint32_t order, struct weft_hotpatch_reason *reason)
{
    struct weft_hotpatch_patch *patch = NULL, *last = newest();
    for (uint32_t i = 0; i < process->patch_count && !patch; i++)
        if (process->patches[i]->order == order && !process->patches[i]->gone)
            patch = process->patches[i];
    if (!patch || order == 0)
        return weft_hotpatch_refuse(reason, WEFT_HOTPATCH_UNKNOWN_PATCH, "there is no patch of that number", NULL);
    if (last && last->order >= order)
        return weft_hotpatch_refuse(reason, WEFT_HOTPATCH_ORDER, "a later patch has been applied meanwhile", NULL);
    int result = weft_hotpatch_switch(patch, 1, reason);
    if (!result)
        ask(process->after, patch);
    return result;
}

// ---- The public interface ----

#define EXPORT __attribute__((visibility("default"), weak))

/// Waits for nobody: who holds the lock may be waiting for this thread, in a hook.
static int begin(weft_signals *saved, struct weft_hotpatch_reason *reason)
{
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, saved);
    if (weft_try_lock(&process->lock) == 0)
        return 0;
    pthread_sigmask(SIG_SETMASK, saved, NULL);
    return weft_hotpatch_refuse(reason, WEFT_HOTPATCH_BUSY, "another patch is being applied", NULL);
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

static void tell_reason(void *context, pid_t thread, const char *function)
{
    struct weft_hotpatch_reason *reason = context;
    char digits[24];
    const char *limit = reason->text + sizeof reason->text, *id = weft_digits(digits, (uint64_t)thread), *where = function ? " is in " : " runs, and does not let itself be looked at";
    char *end = reason->text + strlen(reason->text);
    end = weft_append(end, limit, reason->text[0] ? ", thread " : "thread ", reason->text[0] ? 9 : 7);
    end = weft_append(end, limit, id, strlen(id));
    end = weft_append(end, limit, where, strlen(where));
    weft_append(end, limit, function ? function : "", function ? strlen(function) : 0);
}

/// Who is inside now is left in `reason`.
static int look_inside(const struct weft_hotpatch_place *self, struct weft_hotpatch_reason *reason)
{
    weft_signals saved;
    int result = begin(&saved, reason);
    if (result)
        return result;
    reason->text[0] = '\0';
    for (uint32_t i = 0; i < process->patch_count; i++)
        process->patches[i]->chosen = 1;
    result = weft_hotpatch_inside(self, tell_reason, reason);
    weft_unlock_signal_safe(&process->lock, &saved);
    return result ? weft_hotpatch_refuse(reason, result, "there is no memory to look at threads", NULL) : reason->text[0] ? WEFT_HOTPATCH_RUNNING : 0;
}

static int64_t milliseconds_now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (int64_t)time.tv_sec * 1000 + time.tv_nsec / 1000000;
}

EXPORT __attribute__((noinline)) int weft_hotpatch_wait(uint32_t milliseconds, char *why, size_t why_size)
{
    struct weft_hotpatch_reason reason = {""};
    struct weft_hotpatch_place self = {(uintptr_t)__builtin_return_address(0), (uintptr_t)__builtin_frame_address(0), 0};
    int64_t until = milliseconds_now() + milliseconds;
    for (;;) {
        int result = look_inside(&self, &reason);
        if ((result != WEFT_HOTPATCH_RUNNING && result != WEFT_HOTPATCH_BUSY) || milliseconds_now() >= until)
            return finish(result, &reason, why, why_size);
        struct timespec moment = {0, 5 * 1000 * 1000};
        nanosleep(&moment, NULL);
    }
}

EXPORT uint32_t weft_hotpatch_count(void)
{
    return process->patches ? weft_hotpatch_active_count() : 0;
}

EXPORT void weft_hotpatch_set_hooks(weft_hotpatch_hook *before, weft_hotpatch_hook *after, void *context)
{
    weft_signals saved;
    if (weft_lock_signal_safe(&process->lock, &saved) != 0)
        return; // from within a hook
    process->before = before;
    process->after = after;
    process->hook_context = context;
    weft_unlock_signal_safe(&process->lock, &saved);
}
