// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A hundred thousand short threads, one after the other: memory stays bounded, nothing is lost, and those after the
// first 65,536 are reported together.

#include "testing.h"

#include <pthread.h>

#define THREADS (*runner() ? 1000 : 100000) // emulators are slow

WOVEN(work);

static void *work(void *unused)
{
    CHARGE(work, 3);
    return unused;
}

static long status_kb(const char *key)
{
    char line[256];
    long kilobytes = 0;
    FILE *status = fopen("/proc/self/status", "r");
    while (status && fgets(line, sizeof line, status))
        if (strncmp(line, key, strlen(key)) == 0)
            kilobytes = strtol(line + strlen(key), NULL, 10);
    if (status)
        fclose(status);
    return kilobytes;
}

static void program(const char *mode)
{
    (void)mode;
    CHARGE(work, 1);
    for (int i = 0; i < THREADS; i++) {
        pthread_t thread;
        CHECK(pthread_create(&thread, NULL, work, NULL) == 0);
        pthread_join(thread, NULL);
    }
    fprintf(stderr, "VmRSS %ld kB, VmSize %ld kB\n", status_kb("VmRSS:"), status_kb("VmSize:"));
    if (!*runner()) { // an emulator has a size of its own
        CHECK(status_kb("VmRSS:") < 32 * 1024);
        CHECK(status_kb("VmSize:") < 512 * 1024);
    }
}

static void test(void)
{
    int status = run("many", "many.json");
    fputs(text_of("stderr"), stderr);
    CHECK_EQUAL(status, 0);
    const char *report = check_report("many.json");
    CHECK_EQUAL(units_of(report, "work"), 3 * THREADS + 1);
    if (*runner())
        return;
    CHECK_EQUAL(units_of(report, "(other threads)"), 3 * (THREADS - 65535));
    CHECK_HAS(report, "{\"index\":65536,\"name\":\"(other threads)\"");
}
