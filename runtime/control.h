// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Control from outside, without a thread that waits for it: Weft listens on a Unix socket in a folder that only the program's user may
// enter and sends SIGURG, which does nothing in a program that does not expect it. The handler connects, makes sure that who listens
// is this user or root, serves one request and is done. A request is one line of text, which may announce bytes that follow; so is an
// answer.
//
// For code that may run in a signal handler, within libc, or between a function and its caller: nothing here is libc's, nothing
// touches errno, and nothing needs vector registers.

#ifndef WEFT_CONTROL_H
#define WEFT_CONTROL_H

#include <errno.h>
#include <limits.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/un.h>

// ---- System calls that leave errno and vector registers alone ----

static inline long weft_syscall6(long number, long a, long b, long c, long d, long e, long f)
{
#if defined(__x86_64__)
    long result;
    register long r10 __asm__("r10") = d;
    register long r8 __asm__("r8") = e;
    register long r9 __asm__("r9") = f;
    __asm__ volatile("syscall" : "=a"(result) : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9) : "rcx", "r11", "memory");
    return result;
#else
    register long x8 __asm__("x8") = number;
    register long x0 __asm__("x0") = a;
    register long x1 __asm__("x1") = b;
    register long x2 __asm__("x2") = c;
    register long x3 __asm__("x3") = d;
    register long x4 __asm__("x4") = e;
    register long x5 __asm__("x5") = f;
    __asm__ volatile("svc 0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5) : "memory");
    return x0;
#endif
}

#define SYSCALL_5(n, a, b, c, d, e, f, ...) weft_syscall6(n, (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), (long)(f))
#define raw_syscall(n, ...) SYSCALL_5(n, ##__VA_ARGS__, 0, 0, 0, 0, 0, 0)

// ---- Texts ----

/// Writes a number into the end of 24 bytes and returns its first digit.
static inline const char *weft_digits(char *buffer, uint64_t number)
{
    char *first = buffer + 23;
    *first = '\0';
    do
        *--first = (char)('0' + number % 10);
    while (number /= 10);
    return first;
}

static inline size_t text_length(const char *text)
{
    size_t length = 0;
    while (((const volatile char *)text)[length])
        length++;
    return length;
}

/// memcpy() of libc uses vector registers, and compilers make calls of it from loops.
static inline void copy_bytes(void *to, const void *from, size_t size)
{
#if defined(__x86_64__)
    __asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(size) : : "memory");
#else
    for (volatile char *t = to; size; size--)
        *t++ = *(const char *)from, from = (const char *)from + 1;
#endif
}

// ---- Requests and answers ----

struct weft_answer {
    int descriptor;
    size_t used;
    char text[512 + PATH_MAX];
};

static inline void add_text(struct weft_answer *answer, const char *text)
{
    size_t length = text_length(text);
    if (answer->used + length < sizeof answer->text) {
        copy_bytes(answer->text + answer->used, text, length);
        answer->used += length;
    }
}

static inline void add_number(struct weft_answer *answer, uint64_t number)
{
    char digits[24];
    add_text(answer, " ");
    add_text(answer, weft_digits(digits, number));
}

static inline void send_all(int descriptor, const char *bytes, size_t size)
{
    while (size) {
        long sent = raw_syscall(SYS_sendto, descriptor, bytes, size, MSG_NOSIGNAL, NULL, 0);
        if (sent == -EINTR)
            continue;
        if (sent <= 0)
            return;
        bytes += sent;
        size -= (size_t)sent;
    }
}

/// The rest of `text` behind a word and a space, or NULL when it begins otherwise.
static inline char *behind(char *text, const char *word)
{
    while (*word && *text == *word)
        text++, word++;
    return *word ? NULL : *text == ' ' ? text + 1 : *text ? NULL : text;
}

static inline uint32_t number(char **text)
{
    uint32_t value = 0;
    while (**text >= '0' && **text <= '9')
        value = value * 10 + (uint32_t)(*(*text)++ - '0');
    if (**text == ' ')
        (*text)++;
    return value;
}

// ---- The connection ----

/// A socket to who asks, or -1: nobody does, or somebody that must not. `instrument` is part of the socket's name.
static inline int connect_to_client(const char *instrument)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    char user[24], id[24];
    const char *parts[] = {"/tmp/weft-", weft_digits(user, (uint64_t)raw_syscall(SYS_geteuid)), "/", instrument, "-", weft_digits(id, (uint64_t)raw_syscall(SYS_getpid)), ".sock"};
    size_t used = 0;
    for (unsigned i = 0; i < sizeof parts / sizeof *parts; i++) {
        size_t length = text_length(parts[i]);
        copy_bytes(address.sun_path + used, parts[i], length);
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

/// One line, without its end, as text; what was received behind it stays there. 0 when there is none that fits.
static inline size_t receive_line(int descriptor, char *text, size_t room, size_t *received)
{
    size_t used = 0;
    for (;;) {
        long got = raw_syscall(SYS_recvfrom, descriptor, text + used, room - 1 - used, 0, NULL, NULL);
        if (got == -EINTR)
            continue; // another handler has run; a socket with a time limit is not waited on again by itself
        if (got <= 0)
            return 0;
        for (size_t i = used; i < used + (size_t)got; i++)
            if (text[i] == '\n') {
                text[i] = '\0';
                *received = used + (size_t)got;
                return i + 1;
            }
        used += (size_t)got;
        if (used == room - 1)
            return 0;
    }
}

#endif
