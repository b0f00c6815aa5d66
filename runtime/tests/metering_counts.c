// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Counting, resetting and reporting on one thread, from constructors to destructors.

#include "testing.h"

#include <pthread.h>
#include <signal.h>

WOVEN(early);
WOVEN(late);
WOVEN(quiet);
WOVEN(handler);

__attribute__((constructor(101))) static void first_constructor(void) { CHARGE(early, 1); }
__attribute__((constructor)) static void constructor(void) { CHARGE(early, 10); }
__attribute__((destructor)) static void destructor(void) { CHARGE(late, 100); }
__attribute__((destructor(102))) static void last_destructor(void) { CHARGE(late, 1000); }
static void at_exit(void) { CHARGE(late, 10000); }
static void on_signal(int number) { CHARGE(handler, (unsigned)number - (unsigned)number + 7); }

static void *interrupted(void *unused)
{
    errno = 4711;
    raise(SIGUSR1); // the thread's first woven code is the handler's
    CHECK_EQUAL(errno, 4711);
    CHECK_EQUAL(weft_metering_count(), 7);
    return unused;
}

static void counts(void)
{
    CHECK(weft_metering_active());
    uint64_t begun = weft_metering_count();
    CHARGE(early, 5);
    CHARGE(quiet, 0);
    CHECK_EQUAL(weft_metering_count(), begun + 5);
    CHECK_EQUAL(weft_metering_process_count(), begun + 5);
    weft_metering_reset();
    CHECK_EQUAL(weft_metering_count(), 0);
    CHARGE(early, 1);
    CHECK_EQUAL(weft_metering_count(), 1);
    CHECK_EQUAL(weft_metering_process_count(), begun + 6);

    pthread_t thread;
    signal(SIGUSR1, on_signal);
    CHECK(pthread_create(&thread, NULL, interrupted, NULL) == 0);
    pthread_join(thread, NULL);
    CHECK_EQUAL(weft_metering_process_count(), begun + 13);
    atexit(at_exit);
}

static void *rest(void *thread)
{
    pthread_join(*(pthread_t *)thread, NULL);
    CHARGE(late, 5);
    exit(17);
}

static void program(const char *mode)
{
    CHARGE(early, 100);
    if (strcmp(mode, "counts") == 0)
        counts();
    if (strcmp(mode, "main-ends-first") == 0) {
        static pthread_t main_thread, other;
        main_thread = pthread_self();
        CHECK(pthread_create(&other, NULL, rest, &main_thread) == 0);
        pthread_exit(NULL);
    }
    if (strcmp(mode, "chdir") == 0)
        CHECK(chdir("/") == 0 && setenv("WEFT_METERING_REPORT", "/nowhere/else", 1) == 0);
    if (strcmp(mode, "_exit") == 0)
        _exit(3);
    if (strcmp(mode, "overwrite") == 0)
        for (int i = 0; i < 100; i++)
            CHECK_EQUAL(weft_metering_write_report("again.json"), 0);
}

static void test(void)
{
    CHECK_EQUAL(run("counts", "counts.json"), 0);
    const char *report = check_report("counts.json");
    CHECK_EQUAL(units_of(report, "(unattributed)") + units_of(report, "early"), 117);
    CHECK_EQUAL(units_of(report, "late"), 11100);
    CHECK_EQUAL(units_of(report, "handler"), 7);
    CHECK(!strstr(report, "quiet"));
    CHECK_EQUAL(number_after(report, "\"total\":"), 11224);
    CHECK_HAS(report, "{\"index\":0,\"name\":\"");
    CHECK_HAS(report, "\"units\":7,\"ended\":true}");
    CHECK_HAS(report, "\"units\":11217,\"ended\":false}");

    CHECK_EQUAL(run("chdir", "relative.json"), 0);
    check_report("relative.json");
    CHECK_EQUAL(run("overwrite", "out-%p-%p.json"), 0);
    CHECK_EQUAL(files_with("^out-[0-9]*-[0-9]*[.]json$"), 1);
    check_report("again.json");
    CHECK_EQUAL(files_with("tmp"), 0);

    CHECK_EQUAL(run("main-ends-first", "ends.json"), 17);
    report = check_report("ends.json");
    CHECK_HAS(report, "\"ended\":true},\n{\"index\":1");
    CHECK_EQUAL(run("_exit", "none.json"), 3);
    CHECK_EQUAL(files_with("none"), 0);
    CHECK_EQUAL(run("plain", ""), 0);
    CHECK_EQUAL(strlen(text_of("stderr")), 0);
    CHECK_EQUAL(run("plain", "-"), 0);
    check_report("stderr");
}
