// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Control from outside, without a thread that waits for it: `weft tracing attach` listens on a Unix socket in a folder that
// only its user may enter and sends SIGURG, which does nothing in a program that does not expect it. The handler connects,
// makes sure that who listens is this user or root, serves one request and is done.
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
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#define REQUEST 60000u

static struct sigaction previous;

// ---- Texts ----

struct answer {
    int descriptor;
    size_t used;
    char text[512 + PATH_MAX];
};

static void add(struct answer *answer, const char *text)
{
    size_t length = text_length(text);
    if (answer->used + length < sizeof answer->text) {
        copy_bytes(answer->text + answer->used, text, length);
        answer->used += length;
    }
}

static void add_number(struct answer *answer, uint64_t number)
{
    char digits[24];
    add(answer, " ");
    add(answer, weft_tracing_digits(digits, number));
}

static void send_all(int descriptor, const char *bytes, size_t size)
{
    while (size) {
        long sent = raw_syscall(SYS_sendto, descriptor, bytes, size, MSG_NOSIGNAL, NULL, 0);
        if (sent <= 0)
            return;
        bytes += sent;
        size -= (size_t)sent;
    }
}

static void answer_error(struct answer *answer, const char *text)
{
    answer->used = 0;
    add(answer, "error ");
    add(answer, text);
}

static void answer_changed(struct answer *answer, long changed)
{
    char unknown[WEFT_ERROR_TEXT];
    if (changed < 0)
        return answer_error(answer, weft_error_text((int)-changed, unknown));
    add(answer, "ok");
    add_number(answer, (uint64_t)changed);
}

/// The rest of `text` behind a word and a space, or NULL when it begins otherwise.
static char *behind(char *text, const char *word)
{
    while (*word && *text == *word)
        text++, word++;
    return *word ? NULL : *text == ' ' ? text + 1 : *text ? NULL : text;
}

static uint32_t number(char **text)
{
    uint32_t value = 0;
    while (**text >= '0' && **text <= '9')
        value = value * 10 + (uint32_t)(*(*text)++ - '0');
    if (**text == ' ')
        (*text)++;
    return value;
}

// ---- Requests ----

static void hello(struct answer *answer)
{
    weft_tracing_own_file();
    add(answer, "ok 1");
    add_number(answer, process->recording);
    add_number(answer, process->module_count);
    add(answer, " ");
    add(answer, process->recording ? process->tables->file_path : "-");
}

static void set_ring(struct answer *answer, char *rest)
{
    uint64_t size = number(&rest);
    if (process->recording)
        return answer_error(answer, "a trace is being recorded already: its size was chosen when it began");
    process->ring = (size + BLOCK - 1) & ~(BLOCK - 1);
    add(answer, "ok");
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

static void describe(struct answer *answer)
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
    add(answer, "ok");
    add_number(answer, functions);
    add_number(answer, patched);
    add(answer, " ");
    add(answer, process->tables->file_path);
}

static void state(struct answer *answer)
{
    add(answer, "ok");
    add_number(answer, process->next_id);
    add(answer, "\n");
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

static void switch_globs(struct answer *answer, char *rest, int on)
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

static void switch_ids(struct answer *answer, char *rest)
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

static void serve(struct answer *answer, char *request)
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

/// A socket to who asks, or -1: nobody does, or somebody that must not.
static int connect_to_client(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    char digits[24];
    size_t used = 0;
    const char *parts[] = {"/tmp/weft-", NULL, "/tracing-", NULL, ".sock"};
    for (unsigned i = 0; i < 5; i++) {
        const char *text = i == 1 ? weft_tracing_digits(digits, (uint64_t)raw_syscall(SYS_geteuid)) : i == 3 ? weft_tracing_digits(digits, (uint64_t)raw_syscall(SYS_getpid)) : parts[i];
        size_t length = text_length(text);
        copy_bytes(address.sun_path + used, text, length);
        used += length;
    }
    long descriptor = raw_syscall(SYS_socket, AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (descriptor < 0)
        return -1;
    struct ucred peer = {0};
    socklen_t size = sizeof peer;
    struct timeval patience = {2, 0}; // a client that hangs must not hang the program
    raw_syscall(SYS_setsockopt, descriptor, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    raw_syscall(SYS_setsockopt, descriptor, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    if (raw_syscall(SYS_connect, descriptor, &address, sizeof address) == 0 && raw_syscall(SYS_getsockopt, descriptor, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 &&
        (peer.uid == 0 || peer.uid == (uid_t)raw_syscall(SYS_geteuid)))
        return (int)descriptor;
    raw_syscall(SYS_close, descriptor);
    return -1;
}

static void serve_one(int descriptor)
{
    size_t room = REQUEST + sizeof(struct answer), used = 0;
    char *memory = weft_reserve(room);
    if (!memory)
        return;
    while (used < REQUEST - 1) {
        long got = raw_syscall(SYS_recvfrom, descriptor, memory + used, REQUEST - 1 - used, 0, NULL, NULL);
        if (got <= 0)
            break;
        used += (size_t)got;
        if (memory[used - 1] == '\n') {
            struct answer *answer = (struct answer *)(memory + REQUEST);
            memory[used - 1] = '\0';
            answer->descriptor = descriptor;
            serve(answer, memory);
            send_all(descriptor, answer->text, answer->used);
            break;
        }
    }
    munmap(memory, room);
}

static void on_signal(int signal, siginfo_t *information, void *context)
{
    int saved = errno;
    int descriptor = connect_to_client();
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
