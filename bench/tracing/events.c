// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Calls to be traced: a recursive function and a loop over a function of one instruction. Prints the CPU nanoseconds of a
// call, the least of many passes, for each of the two and each number of threads asked for.
//
//   events PASSES THREADS

#define _GNU_SOURCE

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define DEPTH 21
#define LEAVES 20000

__attribute__((noinline)) static int fib(int n)
{
    if (n < 2)
        return n;
    int left = fib(n - 1);
    __asm__ volatile("" : "+r"(left)); // both calls stay calls
    int right = fib(n - 2);
    __asm__ volatile("" : "+r"(right));
    return left + right;
}

__attribute__((noinline)) static int leaf(int n)
{
    __asm__ volatile("" : "+r"(n));
    return n + 1;
}

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return time.tv_sec * 1e9 + time.tv_nsec;
}

struct result {
    int passes;
    double recursive, loop;
};

// Not to be traced itself: it is not called while time is taken.
static void *run(void *argument)
{
    struct result *result = argument;
    double calls = 1;
    for (double before = 1, i = 2; i <= DEPTH; i++) {
        double next = calls + before + 1;
        before = calls;
        calls = next;
    }
    for (int pass = 0; pass < result->passes; pass++) {
        double start = now();
        int sum = fib(DEPTH);
        double middle = now();
        for (int i = 0; i < LEAVES; i++)
            sum = leaf(sum);
        double end = now();
        __asm__ volatile("" : : "r"(sum));
        if (!result->recursive || (middle - start) / calls < result->recursive)
            result->recursive = (middle - start) / calls;
        if (!result->loop || (end - middle) / LEAVES < result->loop)
            result->loop = (end - middle) / LEAVES;
    }
    return NULL;
}

#ifdef FDR
int __xray_log_init_mode(const char *mode, const char *configuration);
int __xray_log_select_mode(const char *mode);
int __xray_patch(void);
int __xray_log_finalize(void);
int __xray_log_flushLog(void);
#endif

int main(int count, char **arguments)
{
    int passes = count > 1 ? atoi(arguments[1]) : 20, threads = count > 2 ? atoi(arguments[2]) : 1;
#ifdef FDR
    __xray_log_select_mode("xray-fdr");
    __xray_log_init_mode("xray-fdr", "buffer_size=33554432:buffer_max=16:func_duration_threshold_us=0");
    __xray_patch();
#endif
    pthread_t thread[64];
    struct result results[64] = {{0, 0, 0}};
    for (int i = 0; i < threads && i < 64; i++) {
        results[i].passes = passes;
        pthread_create(&thread[i], NULL, run, &results[i]);
    }
    struct result worst = {0, 0, 0};
    for (int i = 0; i < threads && i < 64; i++) {
        pthread_join(thread[i], NULL);
        worst.recursive = results[i].recursive > worst.recursive ? results[i].recursive : worst.recursive;
        worst.loop = results[i].loop > worst.loop ? results[i].loop : worst.loop;
    }
    printf("%.3f %.3f\n", worst.recursive, worst.loop);
#ifdef FLUSH
    __xray_log_finalize();
    __xray_log_flushLog();
#endif
    return 0;
}
