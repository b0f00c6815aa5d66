// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Threads: two threads add up half an array each and count its bytes.

#include "kernel.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define SIZE (1 << 20)
#define ROUNDS 24
#define THREADS 2

const char *const kernel_name = "histogram";
const unsigned kernel_passes = 24;

struct share {
    const uint8_t *bytes;
    size_t size;
    uint64_t sum;
    uint32_t counts[256];
};

static uint8_t bytes[SIZE];
static struct share shares[THREADS];

static void add_up(struct share *share)
{
    for (size_t i = 0; i < share->size; i++)
        share->counts[share->bytes[i]]++;
    for (size_t i = 0; i + 8 <= share->size; i += 8) {
        uint64_t word;
        memcpy(&word, share->bytes + i, sizeof word);
        share->sum += word;
    }
}

static void *work(void *share)
{
    kernel_thread_begin();
    for (unsigned round = 0; round < ROUNDS; round++)
        add_up(share);
    kernel_thread_end();
    return NULL;
}

static void run_threads(void)
{
    pthread_t threads[THREADS];
    kernel_thread_end();
    for (size_t i = 0; i < THREADS; i++)
        if (pthread_create(&threads[i], NULL, work, &shares[i]))
            abort();
    for (size_t i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    kernel_thread_begin();
}

uint64_t kernel(void)
{
    uint64_t state = 19, checksum = 0;
    for (size_t i = 0; i < SIZE; i++)
        bytes[i] = (uint8_t)((kernel_random(&state) >> 56) & (kernel_random(&state) >> 56));
    for (size_t i = 0; i < THREADS; i++)
        shares[i] = (struct share){.bytes = bytes + i * (SIZE / THREADS), .size = SIZE / THREADS};
    run_threads();
    for (size_t i = 0; i < THREADS; i++) {
        checksum = kernel_mix(checksum, shares[i].sum);
        for (size_t j = 0; j < 256; j++)
            checksum = kernel_mix(checksum, shares[i].counts[j]);
    }
    return checksum;
}
