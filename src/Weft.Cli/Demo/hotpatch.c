// A shop's till with a fault: from ten pieces on, the discount is taken twice. Without arguments it measures itself; with one it serves a
// customer every few milliseconds, and is mended while it does.
#include <stdio.h>
#include <time.h>
#include <unistd.h>

static const long prices[] = {100, 250, 75, 980, 15};
static long served;

__attribute__((noinline)) static long discount(long pieces, long sum)
{
    return pieces < 10 ? 0 : sum / 10 + sum / 10;
}

__attribute__((noinline)) long price_of(long article, long pieces)
{
    long sum = prices[article % 5] * pieces;
    return sum - discount(pieces, sum);
}

__attribute__((noinline)) void serve(long customer)
{
    served++;
    printf("customer %ld pays %ld\n", customer, price_of(0, 10));
    fflush(stdout);
}

int main(int argc, char **argv)
{
    (void)argv;
    if (argc > 1) {
        printf("%d\n", getpid());
        for (long customer = 1;; customer++) {
            serve(customer);
            usleep(5000);
        }
    }
    struct timespec start, end;
    long total = 0;
    clock_gettime(CLOCK_MONOTONIC, &start);
    for (long i = 0; i < 100000000; i++)
        total += price_of(i, i % 20);
    clock_gettime(CLOCK_MONOTONIC, &end);
    printf("results %ld\n", total);
    printf("seconds %.6f\n", (double)(end.tv_sec - start.tv_sec) + (double)(end.tv_nsec - start.tv_nsec) / 1e9);
    return 0;
}
