// A small service: three workers answer requests, each of them parses a text, counts its words and ranks them.
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define NOINLINE __attribute__((noinline)) // functions to look at; the small ones become part of them

enum { WORKERS = 3, REQUESTS = 120, WORDS = 400, TABLE = 1024 };

struct entry {
    uint32_t hash, count;
};

struct index {
    struct entry entries[TABLE];
    uint32_t used;
};

static uint32_t random_number(uint32_t *state) {
    *state = *state * 1664525u + 1013904223u;
    return *state >> 8;
}

static uint32_t hash(const char *word, size_t length) {
    uint32_t value = 2166136261u;
    for (size_t i = 0; i < length; i++) value = (value ^ (unsigned char)word[i]) * 16777619u;
    return value;
}

static void add(struct index *index, uint32_t value) {
    uint32_t at = value % TABLE;
    while (index->entries[at].count && index->entries[at].hash != value) at = (at + 1) % TABLE;
    index->used += index->entries[at].count == 0;
    index->entries[at].hash = value;
    index->entries[at].count++;
}

NOINLINE static void write_text(char *text, uint32_t seed) {
    for (int word = 0; word < WORDS; word++) {
        for (uint32_t i = 0, length = 2 + random_number(&seed) % 3; i < length; i++) *text++ = (char)('a' + random_number(&seed) % 6);
        *text++ = ' ';
    }
    *text = '\0';
}

NOINLINE static void parse(struct index *index, const char *text) {
    while (*text) {
        size_t length = strcspn(text, " ");
        add(index, hash(text, length));
        text += length + (text[length] != '\0');
    }
}

static int compare(const void *a, const void *b) {
    const struct entry *x = a, *y = b;
    return x->count != y->count ? (x->count < y->count) - (x->count > y->count) : (x->hash > y->hash) - (x->hash < y->hash);
}

NOINLINE static uint32_t rank(struct index *index) {
    qsort(index->entries, TABLE, sizeof *index->entries, compare);
    return index->entries[0].hash ^ index->used;
}

NOINLINE static uint32_t answer(uint32_t request) {
    static _Thread_local char text[WORDS * 6];
    struct index index = {0};
    write_text(text, request);
    parse(&index, text);
    return rank(&index);
}

static void *work(void *argument) {
    uint32_t *sum = argument, first = *sum;
    *sum = 0;
    for (uint32_t request = 0; request < REQUESTS; request++) *sum += answer(first + request);
    return NULL;
}

int main(void) {
    struct timespec start, end;
    pthread_t threads[WORKERS];
    uint32_t sums[WORKERS], total = 0;
    clock_gettime(CLOCK_MONOTONIC, &start);
    for (uint32_t i = 0; i < WORKERS; i++) {
        sums[i] = i * 1000;
        pthread_create(&threads[i], NULL, work, &sums[i]);
    }
    for (int i = 0; i < WORKERS; i++) {
        pthread_join(threads[i], NULL);
        total += sums[i];
    }
    clock_gettime(CLOCK_MONOTONIC, &end);
    printf("results %u\nseconds %.6f\n", total, (double)(end.tv_sec - start.tv_sec) + (double)(end.tv_nsec - start.tv_nsec) / 1e9);
    return 0;
}
