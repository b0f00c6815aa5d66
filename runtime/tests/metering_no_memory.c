// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Without memory for counts by function, or by thread, the program runs on and the total stays right.

#include "testing.h"

#include <pthread.h>
#include <sys/resource.h>

WOVEN(begin);
WOVEN(work);
WOVEN(destructor);

static pthread_key_t key;

static void destroy(void *unused)
{
    (void)unused;
    CHARGE(destructor, 1000);
}

static void *work(void *unused)
{
    pthread_setspecific(key, &key);
    CHARGE(work, 10);
    CHECK_EQUAL(weft_metering_count(), 10);
    weft_metering_reset();
    CHECK_EQUAL(weft_metering_count(), 0);
    CHARGE(work, 10);
    return unused;
}

/// Leaves room for a thread's stack of 64 KB, and not for its eight megabytes of cells.
static void limit_memory(void)
{
    long pages = 0;
    FILE *sizes = fopen("/proc/self/statm", "r");
    CHECK(sizes && fscanf(sizes, "%ld", &pages) == 1);
    fclose(sizes);
    rlim_t room = (rlim_t)pages * (rlim_t)sysconf(_SC_PAGESIZE) + (4u << 20);
    struct rlimit limit = {room, room};
    CHECK(setrlimit(RLIMIT_AS, &limit) == 0);
}

static void program(const char *mode)
{
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, 65536);
    CHECK(pthread_key_create(&key, destroy) == 0);
    CHARGE(begin, 100);
    if (strcmp(mode, "threads") == 0)
        limit_memory();
    for (int i = 0; i < 3; i++) {
        pthread_t thread;
        CHECK(pthread_create(&thread, &attributes, work, NULL) == 0);
        pthread_join(thread, NULL);
    }
    CHECK_EQUAL(weft_metering_process_count(), 100 + 3 * 1020);
}

static void test(void)
{
    if (*runner()) // an emulator cannot live with such limits
        return;
    CHECK_EQUAL(run("threads", "threads.json"), 0);
    const char *report = check_report("threads.json");
    CHECK_EQUAL(units_of(report, "(unattributed)"), 3060);
    CHECK_EQUAL(units_of(report, "begin"), 100);
    CHECK_EQUAL(sum_units(report, strstr(report, "functions")), 3160);
    CHECK_HAS(text_of("stderr"), "weft: metering: no memory for a thread's counts by function;");

    // From the start: the dynamic linker and libc need some megabytes, the runtime's tables about thirty.
    CHECK_EQUAL(shell("ulimit -v 20000; WEFT_METERING_REPORT=start.json '%s' start", self), 0);
    report = check_report("start.json");
    CHECK_EQUAL(units_of(report, "(unattributed)"), 3160);
    CHECK_EQUAL(units_of(report, "(other threads)"), 3160);
    CHECK_HAS(text_of("stderr"), "weft: metering: no memory for counts by thread and function;");
    CHECK(strchr(text_of("stderr"), '\n')[1] == '\0');
}
