// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Runs the test program again as the program under test, since a report is written when a process ends.
//
// A test is one file, compiled with the runtime's sources and -pthread, that exits with 0 when all is well.
// WEFT_TEST_RUNNER is put before the program when it is run again (an emulator).

#ifndef WEFT_TESTING_H
#define WEFT_TESTING_H

#include "../include/weft/metering.h"
#include "woven.h"

#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

// ---- Checks ----

#define UNUSED __attribute__((unused))

#define CHECK(condition)                                                                                              \
    do {                                                                                                              \
        if (!(condition)) {                                                                                           \
            fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition);                                   \
            exit(1);                                                                                                  \
        }                                                                                                             \
    } while (0)

#define CHECK_EQUAL(actual, expected)                                                                                 \
    do {                                                                                                              \
        unsigned long long a_ = (unsigned long long)(actual), e_ = (unsigned long long)(expected);                    \
        if (a_ != e_) {                                                                                               \
            fprintf(stderr, "%s:%d: %s is %llu, not %llu\n", __FILE__, __LINE__, #actual, a_, e_);                    \
            exit(1);                                                                                                  \
        }                                                                                                             \
    } while (0)

#define CHECK_HAS(text, part)                                                                                         \
    do {                                                                                                              \
        if (!strstr(text, part)) {                                                                                    \
            fprintf(stderr, "%s:%d: no %s in:\n%s\n", __FILE__, __LINE__, part, text);                                \
            exit(1);                                                                                                  \
        }                                                                                                             \
    } while (0)

// ---- Files ----

static char folder[PATH_MAX]; ///< a folder of the test's own
static char self[PATH_MAX]; ///< the test program
static char contents[1 << 24];

/// A path in the test's folder. One result at a time.
UNUSED static const char *in_folder(const char *name)
{
    static char path[2 * PATH_MAX];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

/// The text of a file in the test's folder; "" if there is none.
UNUSED static const char *text_of(const char *name)
{
    FILE *file = fopen(in_folder(name), "r");
    size_t size = file ? fread(contents, 1, sizeof contents - 1, file) : 0;
    if (file)
        fclose(file);
    contents[size] = '\0';
    return contents;
}

/// The number of files in the test's folder whose names hold `part`.
UNUSED static int files_with(const char *part)
{
    char command[2 * PATH_MAX + 64];
    snprintf(command, sizeof command, "exit $(ls -A '%s' | grep -c -- '%s')", folder, part);
    return WEXITSTATUS(system(command));
}

// ---- Programs ----

/// Runs a shell command in the test's folder. Its standard error goes to the file `stderr`.
__attribute__((format(printf, 1, 2))) UNUSED static int shell(const char *format, ...)
{
    char command[16384];
    int length = snprintf(command, sizeof command, "cd '%s' && exec 2>stderr; ", folder);
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(command + length, sizeof command - (size_t)length, format, arguments);
    va_end(arguments);
    fflush(NULL);
    int status = system(command);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

UNUSED static const char *runner(void)
{
    const char *value = getenv("WEFT_TEST_RUNNER");
    return value ? value : "";
}

/// Runs this program again as `mode`, with WEFT_METERING_REPORT=`report`. Returns its exit status.
UNUSED static int run(const char *mode, const char *report)
{
    return shell("WEFT_METERING_REPORT='%s' %s '%s' %s", report, runner(), self, mode);
}

// ---- Reports ----

static const char *skip_value(const char *at);

static const char *skip_space(const char *at)
{
    return at + strspn(at, " \t\r\n");
}

/// The next functions return NULL at what is not JSON.
static const char *skip_string(const char *at)
{
    if (*at++ != '"')
        return NULL;
    for (; *at != '"'; at++) {
        if ((unsigned char)*at < 0x20)
            return NULL;
        if (*at == '\\' && *++at == 'u' && strspn(at + 1, "0123456789abcdef") < 4)
            return NULL;
    }
    return at + 1;
}

static const char *skip_members(const char *at, char end)
{
    at = skip_space(at);
    while (*at != end) {
        if (end == '}') {
            at = skip_string(at);
            if (!at || *at++ != ':')
                return NULL;
        }
        at = skip_value(at);
        at = at ? skip_space(at) : NULL;
        if (!at || (*at != ',' && *at != end))
            return NULL;
        if (*at == ',' && (at = skip_space(at + 1), *at == end))
            return NULL;
    }
    return at + 1;
}

static const char *skip_value(const char *at)
{
    size_t digits = strspn(at, "0123456789");
    if (digits)
        return at + digits;
    if (strncmp(at, "true", 4) == 0)
        return at + 4;
    if (strncmp(at, "false", 5) == 0)
        return at + 5;
    if (*at == '[' || *at == '{')
        return skip_members(at + 1, *at == '[' ? ']' : '}');
    return skip_string(at);
}

/// The number after `key`, or 0.
UNUSED static unsigned long long number_after(const char *text, const char *key)
{
    const char *at = strstr(text, key);
    return at ? strtoull(at + strlen(key), NULL, 10) : 0;
}

/// The units of the thread or function of that name.
UNUSED static unsigned long long units_of(const char *report, const char *name)
{
    char key[256];
    snprintf(key, sizeof key, "{\"name\":\"%s\",", name); // functions begin with their names
    const char *entry = strstr(report, key);
    if (!entry) {
        snprintf(key, sizeof key, ",\"name\":\"%s\",", name);
        entry = strstr(report, key);
    }
    return entry ? number_after(entry, "\"units\":") : 0;
}

static unsigned long long sum_units(const char *from, const char *to)
{
    unsigned long long sum = 0;
    while ((from = strstr(from, "\"units\":")) && from < to)
        sum += strtoull(from += strlen("\"units\":"), NULL, 10);
    return sum;
}

/// Checks that a report is valid and that its three sums agree. Returns its text.
UNUSED static const char *check_report(const char *name)
{
    const char *report = text_of(name);
    const char *end = skip_value(report);
    if (!end || strcmp(end, "\n") != 0) {
        fprintf(stderr, "%s is not a report:\n%s\n", name, report);
        exit(1);
    }
    const char *functions = strstr(report, "\n\"functions\":[");
    CHECK_HAS(report, "{\"format\":\"weft-metering\",\"version\":2,\"program\":\"/");
    CHECK(functions != NULL);
    unsigned long long total = number_after(report, "\"total\":");
    CHECK_EQUAL(sum_units(report, functions), total);
    const char *details = strstr(functions, "],\n\"lines\":[");
    CHECK_EQUAL(sum_units(functions, details ? details : report + strlen(report)), total);
    return report;
}

// ---- The two halves of a test ----

static void test(void);              ///< checks, with run()
static void program(const char *mode); ///< what is run

UNUSED static void remove_folder(void)
{
    char command[2 * PATH_MAX];
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    if (system(command) != 0)
        perror(command);
}

int main(int count, char **arguments)
{
    if (count > 1) {
        program(arguments[1]);
        return 0;
    }
    const char *parent = getenv("TMPDIR");
    snprintf(folder, sizeof folder, "%s/weft-test-XXXXXX", parent ? parent : "/tmp");
    CHECK(realpath(arguments[0], self) != NULL);
    CHECK(mkdtemp(folder) != NULL);
    if (!getenv("WEFT_TEST_KEEP"))
        atexit(remove_folder);
    test();
    return 0;
}

#endif
