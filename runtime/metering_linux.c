// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What metering needs of the system: Linux and ELF.

#include "metering_internal.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <unistd.h>

// ---- What a process has once ----

__attribute__((visibility("hidden"))) void weft_metering_install_hooks(void);

__asm__(WEFT_SHARED("__weft_metering_v2")
        ".section .tbss.__weft_metering_v2, \"awTG\", %nobits, __weft_metering_v2, comdat\n"
        ".balign 64\n"
        "__weft_metering_v2:\n"
        ".zero " WEFT_TEXT(STATE_BYTES) "\n"
        ".size __weft_metering_v2, " WEFT_TEXT(STATE_BYTES) "\n"
        ".text\n");

__asm__(WEFT_SHARED("__weft_metering_process_v2")
        ".section .data.__weft_metering_process_v2, \"awG\", %progbits, __weft_metering_process_v2, comdat\n"
        ".balign 64\n"
        "__weft_metering_process_v2:\n"
        ".quad weft_metering_install_hooks\n"
        ".zero " WEFT_TEXT(PROCESS_BYTES) " - 8\n"
        ".size __weft_metering_process_v2, " WEFT_TEXT(PROCESS_BYTES) "\n"
        ".text\n");

__asm__(WEFT_SHARED("__weft_metering_calls_v2")
        ".section .tbss.__weft_metering_calls_v2, \"awTG\", %nobits, __weft_metering_calls_v2, comdat\n"
        ".balign 32\n"
        "__weft_metering_calls_v2:\n"
        ".zero " WEFT_TEXT(CALLS_BYTES) "\n"
        ".size __weft_metering_calls_v2, " WEFT_TEXT(CALLS_BYTES) "\n"
        ".text\n");

// ---- Threads ----

/// The destructor of a thread-specific value.
static void thread_ends(void *thread)
{
    weft_metering_thread_ends(thread);
}

WEFT_WEAK int weft_metering_ask_to_be_told(struct thread *thread)
{
    return __atomic_load_n(&process->hooks, __ATOMIC_ACQUIRE) == HOOKS_INSTALLED &&
           pthread_setspecific(process->key, thread) == 0;
}

WEFT_WEAK void weft_metering_ensure_hooks(void)
{
    uint32_t none = NO_HOOKS;
    if (__atomic_load_n(&process->hooks, __ATOMIC_RELAXED) == NO_HOOKS &&
        __atomic_compare_exchange_n(&process->hooks, &none, INSTALLING_HOOKS, 0, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
        process->install_hooks();
}

// ---- Fork ----

/// Does not wait for a report: a half-written one is of no use to the child, and fork() must not wait for a slow disk.
static void before_fork(void)
{
    sigset_t mask;
    weft_lock_signal_safe(&process->registry, &mask);
    process->fork_mask = mask;
}

static void after_fork_in_parent(void)
{
    sigset_t mask = process->fork_mask;
    weft_unlock_signal_safe(&process->registry, &mask);
}

static void after_fork_in_child(void)
{
    sigset_t mask = process->fork_mask;
    weft_metering_begin_child();
    pthread_sigmask(SIG_SETMASK, &mask, NULL);
}

/// Registered by the copy that is never unloaded, through process->install_hooks: libc keeps the addresses, and forgets
/// the fork handlers of a module that leaves. No lock is held, since libc may allocate, and malloc() may be woven.
WEFT_WEAK __attribute__((used)) void weft_metering_install_hooks(void)
{
    int error = pthread_key_create(&process->key, thread_ends);
    pthread_atfork(before_fork, after_fork_in_parent, after_fork_in_child);
    __atomic_store_n(&process->hooks, error ? HOOKS_FAILED : HOOKS_INSTALLED, __ATOMIC_RELEASE);
}

// ---- Modules coming and going ----

// The bounds of this module's sections; both are 0 in a module without records.
extern struct weft_metering_record __start_weft_metering[] __attribute__((weak, visibility("hidden")));
extern struct weft_metering_record __stop_weft_metering[] __attribute__((weak, visibility("hidden")));
extern const char __start_weft_metering_costs[] __attribute__((weak, visibility("hidden")));
extern const char __stop_weft_metering_costs[] __attribute__((weak, visibility("hidden")));

static struct woven own(void)
{
    return (struct woven){__start_weft_metering, __stop_weft_metering, __start_weft_metering_costs, __stop_weft_metering_costs};
}

// 101 is the first priority that programs may use: woven constructors that come later are attributed, and woven
// destructors of the module that come earlier are in the report.

__attribute__((constructor(101))) static void module_begins(void)
{
    struct woven woven = own();
    weft_metering_module_begins(&woven);
}

__attribute__((destructor(101))) static void module_ends(void)
{
    struct woven woven = own();
    weft_metering_module_ends(&woven);
}

// ---- Names ----

WEFT_WEAK void weft_metering_read_name(pid_t thread, char *name, size_t size)
{
    char path[64];
    if (thread == weft_thread_id())
        prctl(PR_GET_NAME, name);
    if (weft_expand_path(path, sizeof path, "/proc/self/task/%p/comm", thread, 0) != 0)
        return;
    int descriptor = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t length = descriptor < 0 ? 0 : read(descriptor, name, size);
    if (descriptor >= 0)
        close(descriptor);
    if (length > 0)
        name[length - 1] = '\0'; // a newline
}

WEFT_WEAK void weft_metering_read_program(char *path, size_t size)
{
    ssize_t length = readlink("/proc/self/exe", path, size - 1);
    if (length < 0) // the first thread has ended
        length = readlink("/proc/thread-self/exe", path, size - 1);
    path[length > 0 ? length : 0] = '\0';
}

// ---- The rest of the program ----

/// Not if another thread is in the middle of it: nothing of the program may run any more.
WEFT_WEAK void weft_metering_flush_output(void)
{
    if (ftrylockfile(stdout) == 0) {
        fflush_unlocked(stdout);
        funlockfile(stdout);
    }
}

WEFT_WEAK void weft_metering_pause(void)
{
    pause();
}

extern void weft_interrupts_count_falls(uint64_t units) __attribute__((weak, visibility("hidden")));

WEFT_WEAK void weft_metering_tell_fall(uint64_t units)
{
    if (weft_interrupts_count_falls)
        weft_interrupts_count_falls(units);
}
