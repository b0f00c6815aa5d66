// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Lets bots play each other, each in a process of its own with a budget of units for each move, a limit of memory, and a clock in case
// all else fails. A bot that does not play by the rules loses, for the reason that is printed.

#define _GNU_SOURCE

#include "protocol.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define UNITS 10000000
#define MEGABYTES 128
#define SECONDS 3
#define STOPPED 124 // WEFT_METERING_STOPPED

struct bot {
    const char *name;
    char mark;
    pid_t process;
    int in, out;
    char reason[80]; // why it has lost
};

/// Keeps the first reason.
static void __attribute__((format(printf, 2, 3))) lose(struct bot *bot, const char *why, ...)
{
    if (bot->reason[0])
        return;
    va_list values;
    va_start(values, why);
    vsnprintf(bot->reason, sizeof bot->reason, why, values);
    va_end(values);
}

// ---- A bot's process ----

static void limit(int resource, rlim_t most)
{
    if (setrlimit(resource, &(struct rlimit){most, most}))
        _exit(1);
}

static void become(const char *program, int in, int out)
{
    char units[24];
    snprintf(units, sizeof units, "%d", UNITS);
    int nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);
    if (dup2(in, STDIN_FILENO) < 0 || dup2(out, STDOUT_FILENO) < 0 || dup2(nowhere, STDERR_FILENO) < 0)
        _exit(1);
    limit(RLIMIT_AS, (rlim_t)MEGABYTES << 20);
    limit(RLIMIT_CPU, SECONDS * CELLS);
    limit(RLIMIT_CORE, 0);
    char *arguments[] = {(char *)program, units, NULL}, *environment[] = {NULL};
    execve(program, arguments, environment);
    _exit(1);
}

static void start(struct bot *bot, const char *program, char mark)
{
    int to[2], from[2];
    if (pipe2(to, O_CLOEXEC) || pipe2(from, O_CLOEXEC) || (bot->process = fork()) < 0) {
        perror("judge");
        exit(2);
    }
    if (bot->process == 0)
        become(program, to[0], from[1]);
    close(to[0]);
    close(from[1]);
    const char *slash = strrchr(program, '/');
    bot->name = slash ? slash + 1 : program;
    bot->mark = mark;
    bot->in = to[1];
    bot->out = from[0];
    bot->reason[0] = 0; // filled when it loses
}

/// Ends a bot, if it has not ended yet. Says why it had, if it had: then its exit code stands, and killing it comes too late.
static void stop(struct bot *bot)
{
    int status;
    if (!bot->process)
        return;
    kill(bot->process, SIGKILL);
    waitpid(bot->process, &status, 0);
    bot->process = 0;
    close(bot->in);
    close(bot->out);
    if (WIFEXITED(status) && WEXITSTATUS(status) == STOPPED)
        lose(bot, "used up its %d units", UNITS);
    else if (WIFEXITED(status) && WEXITSTATUS(status) == OUT_OF_MEMORY)
        lose(bot, "wanted more than %d MB of memory", MEGABYTES);
    else if (WIFEXITED(status))
        lose(bot, "ended with exit code %d", WEXITSTATUS(status));
    else if (WTERMSIG(status) != SIGKILL)
        lose(bot, "crashed: %s", strsignal(WTERMSIG(status)));
    else
        lose(bot, "was killed");
}

// ---- One move ----

static int64_t milliseconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * INT64_C(1000) + now.tv_nsec / 1000000;
}

/// Reads a line. Returns 0, and has a reason, if there was none.
static int listen_to(struct bot *bot, char *line)
{
    int64_t end = milliseconds() + SECONDS * 1000;
    for (size_t have = 0; have < LONGEST_ANSWER - 1;) {
        struct pollfd ready = {bot->out, POLLIN, 0};
        int64_t rest = end - milliseconds();
        if (rest <= 0 || poll(&ready, 1, (int)rest) <= 0) {
            lose(bot, "gave no answer for %d seconds", SECONDS);
            return 0;
        }
        ssize_t got = read(bot->out, line + have, LONGEST_ANSWER - 1 - have);
        if (got <= 0) {
            stop(bot); // and learn why it ended
            return 0;
        }
        have += (size_t)got;
        line[have] = 0;
        if (line[have - 1] == '\n')
            return 1;
    }
    lose(bot, "said what is no move");
    return 0;
}

/// The cell that the bot takes, or -1.
static int ask(struct bot *bot, const char *board, uint64_t *units)
{
    char request[REQUEST], line[LONGEST_ANSWER];
    int cell, end = 0;
    memcpy(request, board, CELLS);
    request[CELLS] = bot->mark;
    request[CELLS + 1] = '\n';
    if (write(bot->in, request, REQUEST) < 0 && errno != EPIPE) // it has ended, which reading tells
        perror("judge");
    if (!listen_to(bot, line))
        return -1;
    if (sscanf(line, "%4d %20" SCNu64 " %n", &cell, units, &end) != 2 || line[end])
        lose(bot, "said what is no move");
    else if (cell < 0 || cell >= CELLS || board[cell] != EMPTY)
        lose(bot, "took a cell that is not free: %d", cell);
    else
        return cell;
    return -1;
}

// ---- Matches ----

static void play(const char *first, const char *second)
{
    struct bot bots[2];
    char board[CELLS];
    memset(board, EMPTY, CELLS);
    start(&bots[0], first, 'x');
    start(&bots[1], second, 'o');
    printf("%s (x) against %s (o)\n  move  cell      units       left\n", bots[0].name, bots[1].name);
    const struct bot *winner = NULL, *loser = NULL;
    for (int move = 0; move < CELLS && !winner; move++) {
        struct bot *bot = &bots[move % 2], *other = &bots[!(move % 2)];
        uint64_t units = 0;
        int cell = ask(bot, board, &units);
        if (cell < 0) {
            printf("  %4d %c    -\n", move + 1, bot->mark);
            winner = other;
            loser = bot;
            break;
        }
        board[cell] = bot->mark;
        printf("  %4d %c %4d %10" PRIu64 " %10" PRIu64 "\n", move + 1, bot->mark, cell, units, UNITS - units);
        if (game_wins(board, bot->mark))
            winner = bot;
    }
    if (loser)
        printf("%s wins: %s %s\n\n", winner->name, loser->name, loser->reason);
    else
        printf("%s%s\n\n", winner ? winner->name : "a draw", winner ? " wins: four in a row" : "");
    fflush(stdout);
    stop(&bots[0]);
    stop(&bots[1]);
}

int main(int argc, char **argv)
{
    if (argc < 3) {
        fprintf(stderr, "usage: judge BOT BOT...: lets the first play each of the others\n");
        return 2;
    }
    signal(SIGPIPE, SIG_IGN);
    for (int i = 2; i < argc; i++)
        play(argv[1], argv[i]);
    return 0;
}
