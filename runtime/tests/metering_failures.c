// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A report that cannot be written costs one line on standard error and nothing else.

#include "testing.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>

static char long_name[16384];

WOVEN_RECORD(record_of_work, long_name, __FILE__);

static void program(const char *mode)
{
    memset(long_name, 'n', sizeof long_name - 1);
    CHARGE(work, 1);
    if (strcmp(mode, "limited") == 0) { // a full disk that needs no privileges: EFBIG, and a signal that kills
        struct rlimit limit = {4096, 4096};
        CHECK(setrlimit(RLIMIT_FSIZE, &limit) == 0);
    }
    if (strcmp(mode, "api") == 0) {
        CHECK_EQUAL(weft_metering_write_report(NULL), EINVAL);
        CHECK_EQUAL(weft_metering_write_report(""), ENOENT);
        CHECK_EQUAL(weft_metering_write_report("missing/report"), ENOENT);
        CHECK_EQUAL(weft_metering_write_report("/dev/full"), ENOSPC);
        CHECK_EQUAL(weft_metering_write_report("/"), EISDIR);
        CHECK_EQUAL(weft_metering_write_report("api-%p.json"), 0);
    }
    if (strcmp(mode, "pipe") == 0) { // standard error whose reader is gone: EPIPE, and a signal that kills
        int ends[2];
        CHECK(pipe(ends) == 0);
        close(ends[0]);
        dup2(ends[1], 2);
    }
    if (strcmp(mode, "closed") == 0)
        close(2);
    exit(7);
}

/// Runs; expects the exit status of the program, one line about `file`, and nothing left behind.
static void fails(const char *mode, const char *file, const char *reason)
{
    char line[PATH_MAX];
    CHECK_EQUAL(run(mode, file), 7);
    const char *text = text_of("stderr");
    snprintf(line, sizeof line, "%s': %s\n", file, reason);
    CHECK(strncmp(text, "weft: metering: cannot write report '/", 38) == 0);
    CHECK_HAS(text, line);
    CHECK(strchr(text, '\n')[1] == '\0');
    CHECK_EQUAL(files_with("tmp"), 0);
}

static void test(void)
{
    CHECK_EQUAL(shell("mkdir taken"), 0);
    fails("plain", "taken", "Is a directory");
    fails("plain", "missing/report.json", "No such file or directory");
    fails("plain", "stderr/report.json", "Not a directory");
    fails("plain", "/dev/full", "No space left on device");
    fails("plain", "/proc/report.json", "No such file or directory");

    CHECK_EQUAL(shell("echo old > limited.json"), 0);
    fails("limited", "limited.json", "File too large");
    CHECK(strcmp(text_of("limited.json"), "old\n") == 0);
    if (geteuid() != 0) {
        CHECK_EQUAL(shell("mkdir locked && chmod 500 locked"), 0);
        fails("plain", "locked/report.json", "Permission denied");
    }

    CHECK_EQUAL(run("api", "exit.json"), 7);
    check_report("exit.json");
    check_report("api-%p.json");
    CHECK_EQUAL(strlen(text_of("stderr")), 0);
    CHECK_EQUAL(run("pipe", "-"), 7);
    CHECK_EQUAL(run("closed", "-"), 7);
    CHECK_EQUAL(run("plain", "/dev/stderr"), 7); // a link to a regular file here, and not to be replaced
    check_report("stderr");
    CHECK_EQUAL(shell("test -L /dev/stderr"), 0);
}
