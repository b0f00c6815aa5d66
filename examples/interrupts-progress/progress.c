// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Progress and cancellation for a library that knows of neither: see library.c.

#include "library.h"

#include <weft/interrupts.h>

#include <math.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

struct job {
    uint64_t began;    ///< weft_interrupts_count() then
    uint64_t expected; ///< units that it will take
    uint64_t budget;   ///< units that it may take
    unsigned shown;    ///< tenths of the work
    jmp_buf cancelled;
};

/// The handler: between two instructions of the library.
static void look_after(uint64_t count, void *argument)
{
    struct job *job = argument;
    uint64_t units = count - job->began;
    unsigned tenths = (unsigned)(10 * units / job->expected);
    if (tenths > job->shown && tenths < 10) {
        job->shown = tenths;
        printf("  %u0 %%\n", tenths);
    }
    if (units > job->budget) {
        weft_interrupts_enable(); // this call does not return
        longjmp(job->cancelled, 1);
    }
}

/// n equations whose solution is 1, 2, 3, ...
static void set_up(double *matrix, double *right, size_t n)
{
    uint32_t random = 2463534242;
    for (size_t row = 0; row < n; row++) {
        right[row] = 0;
        for (size_t i = 0; i < n; i++) {
            random ^= random << 13;
            random ^= random >> 17;
            random ^= random << 5;
            matrix[row * n + i] = (double)random / UINT32_MAX - 0.5;
            right[row] += matrix[row * n + i] * (double)(i + 1);
        }
    }
}

static double error_of(const double *solution, size_t n)
{
    double largest = 0;
    for (size_t i = 0; i < n; i++)
        largest = fmax(largest, fabs(solution[i] - (double)(i + 1)));
    return largest;
}

/// Units of a job of this size, from those of a small one: the work grows with the cube of n.
static uint64_t estimate(double *matrix, double *right, size_t n)
{
    const size_t small = 100;
    set_up(matrix, right, small);
    uint64_t before = weft_interrupts_count();
    solve(matrix, right, small);
    uint64_t units = weft_interrupts_count() - before;
    return (uint64_t)((double)units * pow((double)n / (double)small, 3));
}

static int run(const char *name, double *matrix, double *right, size_t n, double share_allowed)
{
    static struct job job; // static: longjmp() must find it as the handler left it
    job = (struct job){.expected = estimate(matrix, right, n)};
    if (job.expected == 0)
        job.expected = 1; // without Weft nothing is counted
    job.budget = (uint64_t)(share_allowed * (double)job.expected);
    set_up(matrix, right, n);
    printf("%s: %zu equations\n", name, n);
    if (setjmp(job.cancelled)) {
        weft_interrupts_deregister();
        printf("%s: cancelled\n", name);
        return 1;
    }
    job.began = weft_interrupts_count();
    int error = weft_interrupts_register(WEFT_INTERRUPTS_INSTRUCTIONS, 100000, look_after, &job);
    if (error) {
        fprintf(stderr, "progress: this build does not count: error %d\n", error);
        exit(2);
    }
    int unsolved = solve(matrix, right, n);
    weft_interrupts_deregister();
    if (unsolved || error_of(right, n) > 1e-6) {
        printf("%s: wrong\n", name);
        exit(1);
    }
    printf("%s: solved\n", name);
    return 0;
}

int main(void)
{
    enum { LARGE = 900, SMALL = 400 };
    double *matrix = malloc(sizeof(double) * LARGE * LARGE), *right = malloc(sizeof(double) * LARGE);
    if (!matrix || !right)
        return 2;
    if (!weft_interrupts_active())
        puts("Built without Weft's interrupts: no progress is shown, and nothing is cancelled.");
    run("first job", matrix, right, LARGE, 0.55);
    run("second job", matrix, right, SMALL, 2);
    free(matrix);
    free(right);
    return 0;
}
