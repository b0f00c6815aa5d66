// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Requests from outside (control.h), by `weft hotpatch apply` and its like:
//
//   hello            ok 1 PATCHES BUILD...         how many are applied; the build ids of all modules
//   apply SIZE       ok NUMBER FUNCTIONS NANOSECONDS    SIZE bytes of a patch follow
//   revert KEEP      ok PATCHES                    the newest go until KEEP are left
//   restore ORDER    ok PATCHES                    what was taken back comes again, under its number
//   inside ORDER...  ok; then a line for each that is inside code that these patches have replaced, or had: THREAD in FUNCTION, or
//                    THREAD unknown
//   list             ok PATCHES; then a line for each: STATE ORDER FUNCTIONS NANOSECONDS ID NAME; STATE is 1: applied, 0: taken
//                    back, 2: the library that it is for has been unloaded
//   functions ORDER  ok COUNT; then a line for each: its name
//   anything else    error TEXT

#include "control.h"
#include "hotpatch_internal.h"

#include <errno.h>
#include <signal.h>
#include <sys/mman.h>

#define LINE 4096u

static struct sigaction previous;

static void answer_error(struct weft_answer *answer, const char *text)
{
    answer->used = 0;
    add_text(answer, "error ");
    add_text(answer, text);
}

static void add_hexadecimal(struct weft_answer *answer, const uint8_t *bytes, uint32_t size)
{
    for (uint32_t i = 0; i < size; i++) {
        char text[] = {"0123456789abcdef"[bytes[i] >> 4], "0123456789abcdef"[bytes[i] & 15], '\0'};
        add_text(answer, text);
    }
}

/// Sends what has been said so far, so that there is always room.
static void flush(struct weft_answer *answer)
{
    send_all(answer->descriptor, answer->text, answer->used);
    answer->used = 0;
}

static void hello(struct weft_answer *answer)
{
    add_text(answer, "ok 1");
    add_number(answer, weft_hotpatch_active_count());
    for (uint32_t i = 0; i < process->module_count; i++)
        if (!process->modules[i].gone) {
            add_text(answer, " ");
            add_hexadecimal(answer, process->modules[i].build, process->modules[i].build_size);
            flush(answer);
        }
}

static int receive(int descriptor, char *to, size_t size)
{
    while (size) {
        long got = raw_syscall(SYS_recvfrom, descriptor, to, size, 0, NULL, NULL);
        if (got == -EINTR)
            continue;
        if (got <= 0)
            return 0;
        to += got;
        size -= (size_t)got;
    }
    return 1;
}

/// `begun` is what came with the line.
static void apply(struct weft_answer *answer, char *rest, const char *begun, size_t begun_size)
{
    struct weft_hotpatch_reason reason = {""};
    struct weft_hotpatch_patch *patch;
    size_t size = number(&rest);
    char *bytes = size <= 1u << 30 ? weft_reserve(size + 1) : NULL;
    if (!bytes)
        return answer_error(answer, "there is no memory for the patch");
    begun_size = begun_size < size ? begun_size : size;
    copy_bytes(bytes, begun, begun_size);
    if (!receive(answer->descriptor, bytes + begun_size, size - begun_size)) {
        answer_error(answer, "the patch was cut short on its way");
    } else if (weft_hotpatch_install(bytes, size, &patch, &reason) != 0) {
        answer_error(answer, reason.text);
    } else {
        add_text(answer, "ok");
        add_number(answer, patch->order);
        add_number(answer, patch->function_count);
        add_number(answer, patch->switched);
    }
    munmap(bytes, size + 1);
}

static void revert(struct weft_answer *answer, char *rest)
{
    struct weft_hotpatch_reason reason = {""};
    if (weft_hotpatch_take_back(number(&rest), &reason) != 0)
        return answer_error(answer, reason.text);
    add_text(answer, "ok");
    add_number(answer, weft_hotpatch_active_count());
}

static void restore(struct weft_answer *answer, char *rest)
{
    struct weft_hotpatch_reason reason = {""};
    if (weft_hotpatch_restore(number(&rest), &reason) != 0)
        return answer_error(answer, reason.text);
    add_text(answer, "ok");
    add_number(answer, weft_hotpatch_active_count());
}

static void tell_thread(void *context, pid_t thread, const char *function)
{
    struct weft_answer *answer = context;
    char digits[24];
    add_text(answer, "\n");
    add_text(answer, weft_digits(digits, (uint64_t)thread));
    add_text(answer, function ? " in " : " unknown");
    add_text(answer, function ? function : "");
    flush(answer);
}

static void inside(struct weft_answer *answer, char *rest, const struct weft_hotpatch_place *self)
{
    while (*rest >= '0' && *rest <= '9') {
        uint32_t order = number(&rest);
        for (uint32_t i = 0; i < process->patch_count; i++)
            if (process->patches[i]->order == order)
                process->patches[i]->chosen = 1;
    }
    add_text(answer, "ok");
    if (weft_hotpatch_inside(self, tell_thread, answer) != 0)
        answer_error(answer, "there is no memory to look at threads");
}

/// What never was applied, since the switch failed, is nobody's business.
static uint32_t listed_count(void)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < process->patch_count; i++)
        count += process->patches[i]->order != 0;
    return count;
}

static void list(struct weft_answer *answer)
{
    add_text(answer, "ok");
    add_number(answer, listed_count());
    for (uint32_t i = 0; i < process->patch_count; i++) {
        const struct weft_hotpatch_patch *patch = process->patches[i];
        if (patch->order == 0)
            continue;
        add_text(answer, "\n");
        add_text(answer, patch->gone ? "2" : patch->active ? "1" : "0");
        add_number(answer, patch->order);
        add_number(answer, patch->function_count);
        add_number(answer, patch->switched);
        add_text(answer, " ");
        add_hexadecimal(answer, patch->id, WEFT_PATCH_ID);
        add_text(answer, " ");
        add_text(answer, patch->name);
        flush(answer);
    }
}

static void functions(struct weft_answer *answer, char *rest)
{
    uint32_t order = number(&rest);
    for (uint32_t i = 0; i < process->patch_count; i++) {
        const struct weft_hotpatch_patch *patch = process->patches[i];
        if (patch->order != order)
            continue;
        add_text(answer, "ok");
        add_number(answer, patch->function_count);
        for (uint32_t f = 0; f < patch->function_count; f++) {
            add_text(answer, "\n");
            add_text(answer, patch->names + patch->functions[f].name);
            flush(answer);
        }
        return;
    }
    answer_error(answer, "there is no patch of that number");
}

static void serve(struct weft_answer *answer, char *request, const char *begun, size_t begun_size, const struct weft_hotpatch_place *self)
{
    char *rest;
    if (weft_try_lock(&process->lock) != 0)
        return answer_error(answer, "busy: another patch is being applied");
    if (behind(request, "hello"))
        hello(answer);
    else if ((rest = behind(request, "apply")) != NULL)
        apply(answer, rest, begun, begun_size);
    else if ((rest = behind(request, "revert")) != NULL)
        revert(answer, rest);
    else if ((rest = behind(request, "restore")) != NULL)
        restore(answer, rest);
    else if ((rest = behind(request, "inside")) != NULL)
        inside(answer, rest, self);
    else if (behind(request, "list"))
        list(answer);
    else if ((rest = behind(request, "functions")) != NULL)
        functions(answer, rest);
    else
        answer_error(answer, "this program's runtime does not know the request");
    weft_unlock(&process->lock);
}

static void serve_one(int descriptor, const struct weft_hotpatch_place *self)
{
    size_t room = LINE + sizeof(struct weft_answer), received, line;
    char *memory = weft_reserve(room);
    if (!memory)
        return;
    if ((line = receive_line(descriptor, memory, LINE, &received)) != 0) {
        struct weft_answer *answer = (struct weft_answer *)(memory + LINE);
        answer->descriptor = descriptor;
        serve(answer, memory, memory + line, received - line, self);
        flush(answer);
    }
    munmap(memory, room);
}

static void on_signal(int signal, siginfo_t *information, void *context)
{
    int saved = errno;
    struct weft_hotpatch_place self = weft_hotpatch_place_of(context);
    if (weft_hotpatch_answer_probe(information, context)) {
        errno = saved;
        return;
    }
    int descriptor = connect_to_client("hotpatch");
    if (descriptor >= 0) {
        serve_one(descriptor, &self);
        raw_syscall(SYS_close, descriptor);
    } else if (previous.sa_flags & SA_SIGINFO) {
        previous.sa_sigaction(signal, information, context);
    } else if (previous.sa_handler != SIG_DFL && previous.sa_handler != SIG_IGN) {
        previous.sa_handler(signal);
    }
    errno = saved;
}

void weft_hotpatch_listen(void)
{
    struct sigaction action = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO | SA_RESTART | SA_ONSTACK};
    sigemptyset(&action.sa_mask);
    sigaction(SIGURG, &action, &previous);
}
