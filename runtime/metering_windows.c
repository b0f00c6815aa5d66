// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What metering needs of the system: Windows and COFF. The executable alone has the runtime; a library has none.

#include "metering_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <windows.h>

// ---- What a process has once ----

_Thread_local struct weft_metering_state __weft_metering_v2;
_Thread_local struct weft_metering_calls __weft_metering_calls_v2;
__typeof__(__weft_metering_process_v2) __weft_metering_process_v2;

// ---- Threads ----

/// The loader calls it on each thread that ends, behind what libraries do then. So nobody has to ask.
static void NTAPI thread_event(void *module, DWORD reason, void *reserved)
{
    (void)module, (void)reserved;
    if (reason == DLL_THREAD_DETACH && state.thread)
        weft_metering_thread_ends(state.thread);
}

// The loader's list of what to call lies between sections of the C library's, sorted by name: this comes last.
__attribute__((section(".CRT$XLY"), used)) static const PIMAGE_TLS_CALLBACK on_thread_event = thread_event;

WEFT_WEAK int weft_metering_ask_to_be_told(struct thread *thread)
{
    (void)thread;
    return 1;
}

WEFT_WEAK void weft_metering_ensure_hooks(void)
{
}

// ---- The executable ----

// Linkers put sections that are named alike up to the dollar into one, sorted by what follows: woven code has the middles.
__asm__(".section .data$weft_metering_a, \"dw\"\n"
        ".balign 8\n"
        "weft_metering_first_record:\n"
        ".section .data$weft_metering_c, \"dw\"\n"
        "weft_metering_end_of_records:\n"
        ".section .rdata$weft_metering_costs_a, \"dr\"\n"
        "weft_metering_first_costs:\n"
        ".section .rdata$weft_metering_costs_c, \"dr\"\n"
        "weft_metering_end_of_costs:\n"
        ".text\n");

extern struct weft_metering_record weft_metering_first_record[], weft_metering_end_of_records[];
extern const char weft_metering_first_costs[], weft_metering_end_of_costs[];

static const struct woven own = {weft_metering_first_record, weft_metering_end_of_records, weft_metering_first_costs, weft_metering_end_of_costs};

static void module_ends(void)
{
    weft_metering_module_ends(&own);
}

/// 101 is the first priority that programs may use. What is registered first with atexit() runs last: behind destructors of statics,
/// which their constructors register, and destructor functions.
__attribute__((constructor(101))) static void module_begins(void)
{
    atexit(module_ends);
    weft_metering_module_begins(&own);
}

// ---- Names ----

WINBASEAPI HRESULT WINAPI GetThreadDescription(HANDLE thread, PWSTR *description); // Windows 10; some headers lack it

WEFT_WEAK void weft_metering_read_name(pid_t thread, char *name, size_t size)
{
    HANDLE handle = OpenThread(THREAD_QUERY_LIMITED_INFORMATION, FALSE, (DWORD)thread);
    wchar_t *wide = NULL;
    char text[256] = "";
    if (handle && SUCCEEDED(GetThreadDescription(handle, &wide)))
        WideCharToMultiByte(CP_UTF8, 0, wide, -1, text, sizeof text, NULL, NULL);
    strncpy(name, text, size - 1);
    name[size - 1] = '\0';
    LocalFree(wide);
    if (handle)
        CloseHandle(handle);
}

WEFT_WEAK void weft_metering_read_program(char *path, size_t size)
{
    wchar_t wide[PATH_MAX] = L"";
    GetModuleFileNameW(NULL, wide, PATH_MAX);
    if (WideCharToMultiByte(CP_UTF8, 0, wide, -1, path, (int)size, NULL, NULL) == 0)
        *path = '\0';
}

// ---- The rest of the program ----

WEFT_WEAK void weft_metering_flush_output(void)
{
    fflush(stdout);
}

WEFT_WEAK void weft_metering_pause(void)
{
    Sleep(INFINITE);
}

/// Interrupts are not there on Windows.
WEFT_WEAK void weft_metering_tell_fall(uint64_t units)
{
    (void)units;
}
