// How often functions can be exchanged under threads that call them, and whether any call goes wrong:
//
//   weft cc --with=hotpatch -O2 -D_GNU_SOURCE flips.c -o flips -lpthread
//   weft cc --with=hotpatch -O2 -D_GNU_SOURCE -DVERSION=2 -c flips.c -o 2.o; weft hotpatch build --program flips -o 2.patch 2.o
//   weft cc --with=hotpatch -O2 -D_GNU_SOURCE -DVERSION=3 -c flips.c -o 3.o; weft hotpatch build --program flips -o 3.patch 3.o
//   ./flips 10000000 2.patch 3.patch           each flip changes code: a patch is applied, and taken back
//   ./flips 10000000 2.patch 3.patch 2.patch   the first stays: each flip of the second changes only where the entries lead
//
// The first number is of switches, the last argument what is applied all the while.

#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <weft/hotpatch.h>

#ifndef VERSION
#define VERSION 1
#endif
#define THREADS 4

__attribute__((noinline)) int first(int x)
{
    __asm__ volatile("" : "+r"(x));
    return x * 4 + VERSION;
}

__attribute__((noinline)) int second(int x)
{
    __asm__ volatile("" : "+r"(x));
    return x * 8 + VERSION;
}

static volatile int is_over;

struct caller {
    pthread_t thread;
    uint64_t calls, wrong;
};

static void *call(void *context)
{
    struct caller *caller = context;
    for (int i = 0; !is_over; i = (i + 1) & 0xffff, caller->calls += 2) {
        int one = first(i) - i * 4, other = second(i) - i * 8;
        caller->wrong += (one < 1 || one > 3) + (other < 1 || other > 3);
    }
    return NULL;
}

struct patch {
    char *bytes;
    size_t size;
};

static struct patch read_patch(const char *path)
{
    FILE *file = fopen(path, "rb");
    if (!file || fseek(file, 0, SEEK_END)) {
        perror(path);
        exit(2);
    }
    struct patch patch = {.size = (size_t)ftell(file)};
    rewind(file);
    patch.bytes = malloc(patch.size);
    if (!patch.bytes || fread(patch.bytes, 1, patch.size, file) != patch.size)
        exit(2);
    fclose(file);
    return patch;
}

static void apply(const struct patch *patch)
{
    char why[512] = "";
    if (weft_hotpatch_apply_bytes(patch->bytes, patch->size, why, sizeof why) == 0)
        return;
    fprintf(stderr, "refused: %s\n", why);
    exit(1);
}

static double seconds(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

int main(int count, char **words)
{
    if (count < 4)
        return 2;
    long flips = atol(words[1]);
    struct patch patches[2] = {read_patch(words[2]), read_patch(words[3])};
    uint32_t kept = 0;
    if (count > 4) {
        struct patch base = read_patch(words[4]);
        apply(&base);
        kept = 1;
        patches[0] = patches[1]; // the other one is applied already
    }
    struct caller callers[THREADS] = {0};
    for (int i = 0; i < THREADS; i++)
        pthread_create(&callers[i].thread, NULL, call, &callers[i]);
    double begin = seconds();
    for (long i = 0; i < flips; i += 2) {
        apply(&patches[i / 2 % 2]);
        if (weft_hotpatch_revert_to(kept) != 0)
            return 1;
    }
    double took = seconds() - begin;
    is_over = 1;
    uint64_t calls = 0, wrong = 0;
    for (int i = 0; i < THREADS; i++) {
        pthread_join(callers[i].thread, NULL);
        calls += callers[i].calls;
        wrong += callers[i].wrong;
    }
    printf("%ld switches in %.1f s, %.2f us each; %llu calls meanwhile, %llu wrong\n", flips, took, took / (double)flips * 1e6, (unsigned long long)calls, (unsigned long long)wrong);
    return wrong != 0;
}
