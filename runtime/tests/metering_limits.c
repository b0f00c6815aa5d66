// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Limits: of a thread, nested, of the process; callbacks that refuel, return, leave by longjmp or set another limit; fork.

#include "testing.h"

#include <pthread.h>
#include <setjmp.h>

WOVEN(work);
WOVEN(callback);

static jmp_buf out;
static int calls;

static void do_work(uint64_t units)
{
    for (uint64_t i = 0; i < units; i++)
        CHARGE(work, 1);
}

static void refuel_twice(void *more)
{
    uint64_t at = weft_metering_count();
    CHARGE(callback, 1000000); // is free
    CHECK_EQUAL(weft_metering_count(), at);
    if (calls++ < 2)
        CHECK_EQUAL(weft_metering_refuel(*(uint64_t *)more), 0);
}

static void leave(void *unused)
{
    (void)unused;
    CHARGE(callback, 7);
    calls++;
    longjmp(out, 1);
}

static void set_another(void *unused)
{
    calls++;
    CHECK_EQUAL(weft_metering_set_limit(WEFT_METERING_UNLIMITED, NULL, unused), 0);
}

static void refuelled(void)
{
    uint64_t more = 50, begun = weft_metering_count();
    CHECK_EQUAL(weft_metering_set_limit(100, refuel_twice, &more), 0);
    CHECK_EQUAL(weft_metering_left(), 100);
    do_work(100);
    CHECK_EQUAL(calls, 0);
    do_work(1);
    CHECK_EQUAL(calls, 1);
    CHECK_EQUAL(weft_metering_left(), 49);
    do_work(99);
    CHECK_EQUAL(calls, 2);
    CHECK_EQUAL(weft_metering_count(), begun + 200);
    do_work(1); // the third call gives nothing: the process is stopped
    CHECK(0);
}

static void one_big_charge(void)
{
    uint64_t more = 10;
    CHECK_EQUAL(weft_metering_set_limit(100, refuel_twice, &more), 0);
    CHARGE(work, 115);
    CHECK_EQUAL(calls, 2);
    CHECK_EQUAL(weft_metering_left(), 5);
}

static void left_by_longjmp(void)
{
    uint64_t begun = weft_metering_count();
    int outer = weft_metering_begin(1000, NULL, NULL);
    CHECK(outer > 0);
    for (volatile int i = 0; i < 10; i++) {
        volatile int inner = weft_metering_begin(50, leave, NULL);
        if (setjmp(out) == 0) {
            CHARGE(work, 80);
            CHECK(0);
        }
        CHECK_EQUAL(weft_metering_end(inner), 0);
        CHECK_EQUAL(weft_metering_count(), begun + (uint64_t)(i + 1) * 50);
    }
    CHECK_EQUAL(calls, 10);
    CHECK_EQUAL(weft_metering_end(outer), 500);
    CHECK_EQUAL(weft_metering_end(outer), 0);
    CHECK_EQUAL(weft_metering_left(), WEFT_METERING_UNLIMITED);
}

/// A guest that catches what a callback throws does not get away, and who cleans up is not stopped at once.
static void reached_again(void)
{
    volatile int begun = (int)weft_metering_count();
    volatile int budget = weft_metering_begin(100000, leave, NULL);
    if (setjmp(out) == 0)
        do_work(1000000);
    CHECK_EQUAL(calls, 1);
    CHECK_EQUAL(weft_metering_left(), 100000);
    if (setjmp(out) == 0)
        do_work(1000000);
    CHECK_EQUAL(calls, 2);
    CHECK_EQUAL(weft_metering_count(), (uint64_t)begun + 200000);
    CHECK_EQUAL(weft_metering_refuel(50), 0);
    CHECK_EQUAL(weft_metering_left(), 50);
    do_work(20);
    CHECK_EQUAL(weft_metering_end(budget), 30);
    budget = weft_metering_begin(5, leave, NULL);
    if (setjmp(out) == 0)
        do_work(10);
    CHECK_EQUAL(weft_metering_left(), 65536);
    CHECK_EQUAL(weft_metering_end(budget), 0);
}

static void says_no(void *unused)
{
    (void)unused;
    CHECK_EQUAL(weft_metering_can_unwind(), 0);
    calls++;
    weft_metering_refuel(10);
}

static void cannot_unwind(void)
{
    CHECK_EQUAL(weft_metering_can_unwind(), 0);
    CHECK_EQUAL(weft_metering_set_limit(10, says_no, NULL), 0);
    do_work(15);
    CHECK_EQUAL(calls, 1);
}

static void nested(void)
{
    int numbers[70], opened = 0;
    while (opened < 70 && (numbers[opened] = weft_metering_begin(1000 - (uint64_t)opened, NULL, NULL)) > 0)
        opened++;
    CHECK_EQUAL(opened, 63);
    CHECK_EQUAL(-numbers[opened], ENOSPC);
    CHECK_EQUAL(weft_metering_left(), 1000 - 62);
    do_work(10);
    CHECK_EQUAL(weft_metering_end(numbers[10]), 980);
    CHECK_EQUAL(weft_metering_left(), 1000 - 9 - 10);
    CHECK_EQUAL(weft_metering_end(numbers[0]), 990);
    CHECK_EQUAL(weft_metering_end(-3), 0);
    CHECK_EQUAL(weft_metering_refuel(5), EINVAL);
}

static void suspended(void)
{
    uint64_t begun = weft_metering_count();
    CHECK_EQUAL(weft_metering_set_limit(100, NULL, NULL), 0);
    do_work(60);
    CHECK_EQUAL(weft_metering_suspend(), 0);
    CHECK_EQUAL(weft_metering_suspend(), 0);
    do_work(100000);
    weft_metering_resume();
    CHARGE(work, UINT64_C(1) << 40);
    weft_metering_resume();
    weft_metering_resume(); // one too many does nothing
    CHECK_EQUAL(weft_metering_count(), begun + 60);
    CHECK_EQUAL(weft_metering_left(), 40);
}

static void *limited_thread(void *unused)
{
    CHECK_EQUAL(weft_metering_left(), WEFT_METERING_UNLIMITED);
    CHECK_EQUAL(weft_metering_set_limit(10, set_another, NULL), 0);
    do_work(1000);
    return unused;
}

static void each_thread_has_its_own(void)
{
    CHECK_EQUAL(weft_metering_set_limit(100, NULL, NULL), 0);
    for (int i = 0; i < 100; i++) {
        pthread_t thread;
        CHECK(pthread_create(&thread, NULL, limited_thread, NULL) == 0);
        pthread_join(thread, NULL);
    }
    CHECK_EQUAL(calls, 100);
    CHECK_EQUAL(weft_metering_left(), 100);
}

static void *unlimited_thread(void *unused)
{
    do_work(4000000);
    return unused;
}

/// Never before the limit, and at the latest at the end.
static void threads_share(uint64_t limit)
{
    pthread_t threads[4];
    CHECK_EQUAL(weft_metering_set_process_limit(limit, NULL, NULL), 0);
    for (int i = 0; i < 4; i++)
        CHECK(pthread_create(&threads[i], NULL, unlimited_thread, NULL) == 0);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
}

static void child_has_the_rest(void)
{
    int status;
    CHECK_EQUAL(weft_metering_set_limit(100, NULL, NULL), 0);
    do_work(70);
    pid_t child = fork();
    if (child == 0) {
        CHECK_EQUAL(weft_metering_left(), 30);
        do_work(30);
        CHECK_EQUAL(weft_metering_left(), 0);
        do_work(1);
        _exit(0);
    }
    CHECK(waitpid(child, &status, 0) == child);
    CHECK_EQUAL(WEXITSTATUS(status), WEFT_METERING_STOPPED);
    CHECK_EQUAL(weft_metering_left(), 30);
}

static void program(const char *mode)
{
    if (strcmp(mode, "work") == 0) {
        printf("before\n");
        do_work(1000);
        printf("after\n");
    }
    if (strcmp(mode, "refuelled") == 0) refuelled();
    if (strcmp(mode, "big") == 0) one_big_charge();
    if (strcmp(mode, "longjmp") == 0) left_by_longjmp();
    if (strcmp(mode, "again") == 0) reached_again();
    if (strcmp(mode, "unwind") == 0) cannot_unwind();
    if (strcmp(mode, "nested") == 0) nested();
    if (strcmp(mode, "suspended") == 0) suspended();
    if (strcmp(mode, "threads") == 0) each_thread_has_its_own();
    if (strcmp(mode, "enough") == 0) threads_share(16000000);
    if (strcmp(mode, "too-little") == 0) threads_share(15999999);
    if (strcmp(mode, "fork") == 0) child_has_the_rest();
    if (strcmp(mode, "stop") == 0) weft_metering_stop();
}

static int limited(const char *limit, const char *mode)
{
    return shell("WEFT_METERING_LIMIT=%s WEFT_METERING_REPORT=limited.json %s '%s' %s > output", limit, runner(), self, mode);
}

static void test(void)
{
    CHECK_EQUAL(limited("1000", "work"), 0);
    CHECK_EQUAL(limited("999", "work"), WEFT_METERING_STOPPED);
    CHECK_EQUAL(strcmp(text_of("output"), "before\n"), 0);
    CHECK_HAS(text_of("stderr"), "weft: metering: stopped: the process has done the 999 units of work that it may (WEFT_METERING_LIMIT)\n");
    const char *report = text_of("limited.json");
    CHECK_HAS(report, "\"stopped\":{\"scope\":\"process\",\"limit\":999}");
    CHECK_EQUAL(number_after(report, "\"total\":"), 999);
    CHECK_EQUAL(limited("0", "work"), WEFT_METERING_STOPPED);
    CHECK_EQUAL(limited("18446744073709551615", "work"), 0);
    for (const char *const *bad = (const char *const[]){"18446744073709551616", "-1", "1e3", "' 5'", "99999999999999999999999", NULL}; *bad; bad++) {
        CHECK_EQUAL(limited(*bad, "work"), WEFT_METERING_REFUSED);
        CHECK_EQUAL(strlen(text_of("output")), 0);
        CHECK_HAS(text_of("stderr"), "is not a number of units from 0 to 18446744073709551615; the program is not run\n");
    }

    CHECK_EQUAL(run("refuelled", "r.json"), WEFT_METERING_STOPPED);
    CHECK_HAS(text_of("stderr"), "stopped: the thread has done the 200 units of work that it may\n");
    CHECK_EQUAL(run("stop", "r.json"), WEFT_METERING_STOPPED);
    CHECK_HAS(text_of("stderr"), "stopped by the program\n");
    for (const char *const *good = (const char *const[]){"big", "longjmp", "again", "unwind", "nested", "suspended", "threads", "enough", "fork", NULL}; *good; good++)
        CHECK_EQUAL(run(*good, "r.json"), 0);
    CHECK_EQUAL(run("too-little", "r.json"), WEFT_METERING_STOPPED);
    CHECK_HAS(text_of("r.json"), "\"stopped\":{\"scope\":\"process\",\"limit\":15999999}");
}
