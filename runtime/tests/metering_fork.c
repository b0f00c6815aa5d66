// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A forked child counts from zero and reports to a file of its own, whatever the parent's other threads were doing.

#include "testing.h"

#include <pthread.h>
#include <stdatomic.h>

WOVEN(parent);
WOVEN(child);
WOVEN(thread);

static atomic_int stop;

static void *work(void *unused)
{
    CHARGE(thread, 1);
    return unused;
}

/// Keeps the runtime's locks busy.
static void *churn(void *unused)
{
    while (!atomic_load(&stop)) {
        pthread_t other;
        if (pthread_create(&other, NULL, work, NULL) == 0)
            pthread_join(other, NULL);
        CHECK_EQUAL(weft_metering_write_report("churn.json"), 0);
        CHECK(weft_metering_process_count() > 0);
    }
    return unused;
}

static void in_child(int grandchild)
{
    CHECK_EQUAL(weft_metering_count(), 0);
    CHECK_EQUAL(weft_metering_process_count(), 0);
    CHARGE(child, 20);
    pthread_t other;
    CHECK(pthread_create(&other, NULL, work, NULL) == 0);
    pthread_join(other, NULL);
    CHECK_EQUAL(weft_metering_process_count(), 21);
    if (grandchild && fork() == 0) {
        CHARGE(child, 1);
        exit(0);
    }
    if (grandchild)
        wait(NULL);
    exit(9);
}

static void program(const char *mode)
{
    pthread_t churning;
    int forks = strcmp(mode, "busy") == 0 ? 100 : 1;
    CHARGE(parent, 1000);
    if (forks > 1)
        CHECK(pthread_create(&churning, NULL, churn, NULL) == 0);
    for (int i = 0; i < forks; i++) {
        int status;
        pid_t child = fork();
        if (child == 0)
            in_child(forks == 1);
        CHECK(waitpid(child, &status, 0) == child);
        CHECK_EQUAL(WEXITSTATUS(status), 9);
    }
    atomic_store(&stop, 1);
    if (forks > 1)
        pthread_join(churning, NULL);
}

static void check_children(int count)
{
    CHECK_EQUAL(shell("test $(ls | grep -c '^f.json.[0-9]*$') = %d", count), 0);
    CHECK_EQUAL(shell("for f in f.json.*; do grep -q '\"total\":%d,' $f && cp $f child; done; rm f.json.*", 21), 0);
    const char *report = check_report("child");
    CHECK_EQUAL(units_of(report, "child"), 20);
    CHECK_EQUAL(units_of(report, "thread"), 1);
    CHECK(!strstr(report, "parent"));
}

static void test(void)
{
    CHECK_EQUAL(run("once", "f.json"), 0);
    CHECK_EQUAL(number_after(check_report("f.json"), "\"total\":"), 1000);
    check_children(2);
    CHECK_EQUAL(run("once", "p-%p.json"), 0);
    CHECK_EQUAL(files_with("^p-[0-9]*.json$"), 3);

    if (*runner()) // emulators do not survive it themselves
        return;
    CHECK_EQUAL(run("busy", "f.json"), 0);
    check_report("f.json");
    check_children(100);
}
