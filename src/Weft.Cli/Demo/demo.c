// A little work of three kinds: calls, loops and data-dependent branches.
#include <stdint.h>
#include <stdio.h>
#include <time.h>

static unsigned fib(unsigned n) { return n < 2 ? n : fib(n - 1) + fib(n - 2); }

static unsigned sieve(void) {
    static uint8_t composite[2000000];
    unsigned primes = 0;
    for (unsigned i = 2; i < sizeof composite; i++) {
        if (composite[i]) continue;
        primes++;
        for (uint64_t j = (uint64_t)i * i; j < sizeof composite; j += i) composite[j] = 1;
    }
    return primes;
}

static unsigned collatz(void) {
    unsigned longest = 0;
    for (unsigned start = 1; start < 300000; start++) {
        unsigned steps = 0;
        for (uint64_t n = start; n != 1; n = n % 2 ? 3 * n + 1 : n / 2) steps++;
        if (steps > longest) longest = steps;
        if (start % 30000 == 0) printf("collatz %u %u\n", start, longest);
    }
    return longest;
}

int main(void) {
    struct timespec start, end;
    clock_gettime(CLOCK_MONOTONIC, &start);
    unsigned results[] = {fib(32), sieve(), collatz()};
    clock_gettime(CLOCK_MONOTONIC, &end);
    printf("results %u %u %u\n", results[0], results[1], results[2]);
    printf("seconds %.6f\n", (double)(end.tv_sec - start.tv_sec) + (double)(end.tv_nsec - start.tv_nsec) / 1e9);
    return 0;
}
