// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Requests from outside (control.h), by `weft tracing attach`.
//
// A request is one line of text, an answer too:
//
//   hello            ok 1 RECORDING MODULES PATH
//   ring BYTES       ok                              what a thread may keep; only while nothing is recorded
//   describe         ok FUNCTIONS PATCHED PATH        every function is in the trace file's metadata now
//   state            ok FUNCTIONS; then a byte for each function by id: 0 off, 1 on, ...
//   on CLOCK GLOBS   ok CHANGED                       CLOCK as in tracing_abi.h: 0, 4 or 8
//   off GLOBS        ok CHANGED                       no GLOBS: all
//   ids ON CLOCK A-B,C,...   ok CHANGED
//   anything else    error TEXT

#include "tracing_internal.h"

#include <errno.h>
#include <signal.h>
#include <sys/mman.h>

#define REQUEST 60000u

static struct sigaction previous;

// ---- Texts ----

static void answer_error(struct weft_answer *answer, const char *text)
{
    answer->used = 0;
    add_text(answer, "error ");
    add_text(answer, text);
}

static void answer_changed(struct weft_answer *answer, long changed)
{
    char unknown[WEFT_ERROR_TEXT];
    if (changed < 0)
        return answer_error(answer, weft_error_text((int)-changed, unknown));
    add_text(answer, "ok");
    add_number(answer, (uint64_t)changed);
}

// ---- Requests ----

static void hello(struct weft_answer *answer)
{
    weft_tracing_own_file();
    add_text(answer, "ok 1");
    add_number(answer, process->recording);
    add_number(answer, process->module_count);
    add_text(answer, " ");
    add_text(answer, process->recording ? process->tables->file_path : "-");
}

static void set_ring(struct weft_answer *answer, char *rest)
{
    uint64_t size = number(&rest);
    if (process->recording)
        return answer_error(answer, "a trace is being recorded already: its size was chosen when it began");
    process->ring = (size + BLOCK - 1) & ~(BLOCK - 1);
    add_text(answer, "ok");
}

static int load_all(void)
{
    for (uint32_t i = 0; i < process->module_count; i++) {
        int error = weft_tracing_load(&process->tables->modules[i]);
        if (error)
            return error;
    }
    return 0;
}

static void describe(struct weft_answer *answer)
{
    uint32_t functions = 0, patched = 0;
    int error = weft_tracing_begin_recording();
    error = error < 0 ? -error : error;
    if (!error)
        error = load_all();
    if (error)
        return answer_changed(answer, -error);
    for (uint32_t i = 0; i < process->module_count; i++) {
        struct weft_tracing_module *module = &process->tables->modules[i];
        for (uint32_t f = 0; !module->gone && f < module->function_count; f++) {
            weft_tracing_describe(module, f);
            functions++;
            patched += module->functions[f].patched;
        }
    }
    add_text(answer, "ok");
    add_number(answer, functions);
    add_number(answer, patched);
    add_text(answer, " ");
    add_text(answer, process->tables->file_path);
}

static void state(struct weft_answer *answer)
{
    add_text(answer, "ok");
    add_number(answer, process->next_id);
    add_text(answer, "\n");
    send_all(answer->descriptor, answer->text, answer->used);
    answer->used = 0;
    for (uint32_t i = 0; i < process->module_count; i++) {
        struct weft_tracing_module *module = &process->tables->modules[i];
        for (uint32_t f = 0; module->table && f < module->function_count; f++) {
            answer->text[answer->used++] = (char)(module->gone ? '0' : '0' + module->functions[f].patched);
            if (answer->used == sizeof answer->text) {
                send_all(answer->descriptor, answer->text, answer->used);
                answer->used = 0;
            }
        }
    }
}

static void switch_globs(struct weft_answer *answer, char *rest, int on)
{
    uint32_t clock = on ? number(&rest) : 0;
    // A thread for the coarse clock cannot be made in a signal handler.
    if (on && clock == WEFT_TRACING_COARSE && !process->ticking)
        return answer_error(answer, "the coarse clock must be asked for when the program starts: WEFT_TRACING_CLOCK=coarse");
    int error = on ? weft_tracing_begin_recording() : 0;
    if (error)
        return answer_changed(answer, error < 0 ? error : -error);
    answer_changed(answer, weft_tracing_switch(*rest ? rest : NULL, on, clock));
}

static long switch_range(uint32_t from, uint32_t to, int on, uint32_t clock)
{
    long changed = 0;
    for (uint32_t i = 0; i < process->module_count; i++) {
        struct weft_tracing_module *module = &process->tables->modules[i];
        uint32_t first = module->first_id, last = first + module->function_count - 1;
        if (!module->table || to < first || from > last)
            continue;
        uint8_t *selected = weft_reserve(module->function_count);
        if (!selected)
            return -ENOMEM;
        for (uint32_t id = from < first ? first : from; id <= (to < last ? to : last); id++)
            selected[id - first] = 1;
        long result = weft_tracing_patch_module(module, selected, on, clock);
        munmap(selected, module->function_count);
        if (result < 0)
            return result;
        changed += result;
    }
    return changed;
}

static void switch_ids(struct weft_answer *answer, char *rest)
{
    int on = (int)number(&rest);
    uint32_t clock = number(&rest);
    int error = on ? weft_tracing_begin_recording() : 0;
    long changed = error < 0 ? error : -error;
    while (*rest && changed >= 0) {
        uint32_t from = number(&rest), to = from;
        if (*rest == '-') {
            rest++;
            to = number(&rest);
        }
        long result = switch_range(from, to, on, weft_tracing_served(clock));
        changed = result < 0 ? result : changed + result;
        if (*rest != ',')
            break;
        rest++;
    }
    answer_changed(answer, changed);
}

static void serve(struct weft_answer *answer, char *request)
{
    char *rest;
    if (weft_lock(&process->lock) != 0)
        return answer_error(answer, "busy: try again");
    if (behind(request, "hello"))
        hello(answer);
    else if (behind(request, "describe"))
        describe(answer);
    else if ((rest = behind(request, "ring")) != NULL)
        set_ring(answer, rest);
    else if (behind(request, "state"))
        state(answer);
    else if ((rest = behind(request, "on")) != NULL)
        switch_globs(answer, rest, 1);
    else if ((rest = behind(request, "off")) != NULL)
        switch_globs(answer, rest, 0);
    else if ((rest = behind(request, "ids")) != NULL)
        switch_ids(answer, rest);
    else
        answer_error(answer, "this program's runtime does not know the request");
    weft_unlock(&process->lock);
}

// ---- The connection ----

static void serve_one(int descriptor)
{
    size_t room = REQUEST + sizeof(struct weft_answer), received;
    char *memory = weft_reserve(room);
    if (!memory)
        return;
    if (receive_line(descriptor, memory, REQUEST, &received)) {
        struct weft_answer *answer = (struct weft_answer *)(memory + REQUEST);
        answer->descriptor = descriptor;
        serve(answer, memory);
        send_all(descriptor, answer->text, answer->used);
    }
    munmap(memory, room);
}

static void on_signal(int signal, siginfo_t *information, void *context)
{
    int saved = errno;
    int descriptor = connect_to_client("tracing");
    if (descriptor >= 0) {
        serve_one(descriptor);
        raw_syscall(SYS_close, descriptor);
    } else if (previous.sa_flags & SA_SIGINFO) {
        previous.sa_sigaction(signal, information, context);
    } else if (previous.sa_handler != SIG_DFL && previous.sa_handler != SIG_IGN) {
        previous.sa_handler(signal);
    }
    errno = saved;
}

void weft_tracing_listen(void)
{
    struct sigaction action = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO | SA_RESTART | SA_ONSTACK};
    sigemptyset(&action.sa_mask);
    sigaction(SIGURG, &action, &previous);
}
