// How exact are interrupts every 10,000 cycles in two loops of different kinds?
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <weft/interrupts.h>

enum { INTERVAL = 10000, MOST = 200000 };

static uint64_t last, intervals[MOST];
static unsigned recorded;

static inline uint64_t ticks(void) {
#if defined(__x86_64__)
    return __builtin_ia32_rdtsc();
#else
    uint64_t value;
    __asm__ volatile("mrs %0, cntvct_el0" : "=r"(value));
    return value;
#endif
}

static void handler(uint64_t count, void *argument) {
    (void)count, (void)argument;
    uint64_t now = ticks();
    if (last && recorded < MOST) intervals[recorded++] = now - last;
    last = now;
}

/// Nobody knows how many rounds it has.
static uint64_t collatz(void) {
    uint64_t longest = 0;
    for (uint64_t start = 1; start < 500000; start++) {
        uint64_t steps = 0;
        for (uint64_t n = start; n != 1; n = n % 2 ? 3 * n + 1 : n / 2) steps++;
        if (steps > longest) longest = steps;
    }
    return longest;
}

/// Counted loops, which the compiler vectorises.
static uint64_t matrices(void) {
    enum { N = 256 };
    static float a[N][N], b[N][N], c[N][N];
    for (int i = 0; i < N; i++)
        for (int k = 0; k < N; k++) a[i][k] = b[k][i] = (float)((i * 7 + k * 3) % 11), c[i][k] = 0;
    for (int round = 0; round < 40; round++)
        for (int i = 0; i < N; i++)
            for (int j = 0; j < N; j++)
                for (int k = 0; k < N; k++) c[i][k] += a[i][j] * b[j][k];
    return (uint64_t)c[N - 1][N / 2];
}

static int compare(const void *a, const void *b) {
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static unsigned percentile(unsigned p) { return recorded ? (unsigned)intervals[(uint64_t)(recorded - 1) * p / 100] : 0; }

static void measure(const char *name, uint64_t (*work)(void)) {
    struct timespec start, end;
    last = recorded = 0;
    weft_interrupts_register(WEFT_INTERRUPTS_CYCLES, INTERVAL, handler, NULL);
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &start);
    uint64_t result = work();
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &end);
    weft_interrupts_deregister();
    qsort(intervals, recorded, sizeof *intervals, compare);
    printf("%s %llu %.6f %u %u %u %u\n", name, (unsigned long long)result, (double)(end.tv_sec - start.tv_sec) + (double)(end.tv_nsec - start.tv_nsec) / 1e9,
           recorded, percentile(10), percentile(50), percentile(90));
}

int main(void) {
    measure("collatz", collatz);
    measure("matrices", matrices);
    return 0;
}
