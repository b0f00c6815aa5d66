// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Threads: joined, detached, running at exit, leaving by every way, and counting in the destructors of thread-specific
// values, whichever order those run in.

#include "testing.h"

#include <pthread.h>
#include <stdatomic.h>
#include <sys/prctl.h>
#include <time.h>

WOVEN(work);
WOVEN(destructor);
WOVEN(at_exit);

static pthread_key_t keys[8];
static atomic_int done;

static void *joined(void *units)
{
    prctl(PR_SET_NAME, "jo\"ined");
    for (long i = 0; i < *(long *)units; i++)
        CHARGE(work, 1);
    return NULL;
}

static void *detached(void *unused)
{
    CHARGE(work, 1000);
    atomic_fetch_add(&done, 1);
    return unused;
}

static void *cancelled(void *unused)
{
    CHARGE(work, 100000);
    atomic_fetch_add(&done, 1);
    for (;;)
        pause();
    return unused;
}

/// Comes again in each of the four rounds that there are.
static void destroy(void *key)
{
    CHARGE(destructor, 1);
    pthread_setspecific(*(pthread_key_t *)key, key);
}

static void *with_values(void *works)
{
    if (works)
        CHARGE(work, 1);
    for (int i = 0; i < 8; i++)
        pthread_setspecific(keys[i], &keys[i]);
    return NULL;
}

static void *running(void *unused)
{
    prctl(PR_SET_NAME, "running");
    for (;;) {
        CHARGE(work, 1);
        atomic_store(&done, 1);
    }
    return unused;
}

static void counted_at_exit(void) { CHARGE(at_exit, 1); }

static void *exiting(void *unused)
{
    CHARGE(work, 1);
    atexit(counted_at_exit);
    exit(5);
    return unused;
}

static pthread_t start(void *(*function)(void *), void *argument)
{
    pthread_t thread;
    CHECK(pthread_create(&thread, NULL, function, argument) == 0);
    return thread;
}

static void wait_for(int count)
{
    struct timespec moment = {0, 1000000};
    while (atomic_load(&done) < count)
        nanosleep(&moment, NULL);
}

static void program(const char *mode)
{
    CHARGE(work, 1);
    if (strcmp(mode, "joined") == 0) {
        pthread_t threads[16];
        long units[16];
        for (int i = 0; i < 16; i++) {
            units[i] = 100000 + i;
            threads[i] = start(joined, &units[i]);
        }
        for (int i = 0; i < 16; i++)
            pthread_join(threads[i], NULL);
    } else if (strcmp(mode, "detached") == 0) {
        for (int i = 0; i < 100; i++)
            pthread_detach(start(detached, NULL));
        wait_for(100);
    } else if (strcmp(mode, "cancelled") == 0) {
        pthread_t thread = start(cancelled, NULL);
        wait_for(1);
        pthread_cancel(thread);
        pthread_join(thread, NULL);
    } else if (strcmp(mode, "destructors") == 0) {
        for (int i = 0; i < 8; i++)
            CHECK(pthread_key_create(&keys[i], destroy) == 0);
        for (int i = 0; i < 1000; i++)
            pthread_join(start(with_values, i % 2 ? &done : NULL), NULL);
    } else if (strcmp(mode, "running") == 0) {
        pthread_detach(start(running, NULL));
        wait_for(1);
    } else if (strcmp(mode, "exiting") == 0) {
        pthread_detach(start(running, NULL));
        wait_for(1);
        start(exiting, NULL);
        pause();
    }
}

static void test(void)
{
    CHECK_EQUAL(run("joined", "joined.json"), 0);
    const char *report = check_report("joined.json");
    CHECK_EQUAL(units_of(report, "work"), 16 * 100000 + 120 + 1);
    CHECK_HAS(report, "\"name\":\"jo\\\"ined\"");

    CHECK_EQUAL(run("detached", "detached.json"), 0);
    CHECK_EQUAL(units_of(check_report("detached.json"), "work"), 100001);

    CHECK_EQUAL(run("cancelled", "cancelled.json"), 0);
    CHECK_EQUAL(units_of(check_report("cancelled.json"), "work"), 100001);

    CHECK_EQUAL(run("destructors", "destructors.json"), 0);
    report = check_report("destructors.json");
    CHECK_EQUAL(units_of(report, "destructor"), 1000 * 8 * 4);
    CHECK_EQUAL(units_of(report, "work"), 501);

    CHECK_EQUAL(run("running", "running.json"), 0);
    report = check_report("running.json");
    CHECK_HAS(report, "\"name\":\"running\"");
    CHECK_HAS(strstr(report, "\"name\":\"running\""), "\"ended\":false");

    CHECK_EQUAL(run("exiting", "exiting.json"), 5);
    CHECK_EQUAL(units_of(check_report("exiting.json"), "at_exit"), 1);
}
