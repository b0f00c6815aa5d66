// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What does a sort cost? Meters two of them on the same inputs and shows how the cost grows with the input.

#include <weft/metering.h>

#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LARGEST 4000

typedef void sort_function(int32_t *values, size_t count);

static void insertion_sort(int32_t *values, size_t count)
{
    for (size_t i = 1; i < count; i++) {
        int32_t value = values[i];
        size_t at = i;
        for (; at > 0 && values[at - 1] > value; at--)
            values[at] = values[at - 1];
        values[at] = value;
    }
}

static void merge(const int32_t *left, size_t left_count, const int32_t *right, size_t right_count, int32_t *result)
{
    while (left_count && right_count) {
        if (*right < *left) {
            *result++ = *right++;
            right_count--;
        } else {
            *result++ = *left++;
            left_count--;
        }
    }
    while (left_count--)
        *result++ = *left++;
    while (right_count--)
        *result++ = *right++;
}

static void merge_sort(int32_t *values, size_t count)
{
    static int32_t merged[LARGEST];
    if (count < 2)
        return;
    size_t half = count / 2;
    merge_sort(values, half);
    merge_sort(values + half, count - half);
    merge(values, half, values + half, count - half, merged);
    memcpy(values, merged, count * sizeof *values);
}

/// The same numbers on every machine and in every run.
static void shuffled(int32_t *values, size_t count)
{
    uint32_t seed = 2463534242;
    for (size_t i = 0; i < count; i++) {
        seed ^= seed << 13;
        seed ^= seed >> 17;
        seed ^= seed << 5;
        values[i] = (int32_t)seed;
    }
}

static void sorted(int32_t *values, size_t count)
{
    for (size_t i = 0; i < count; i++)
        values[i] = (int32_t)i;
}

static uint64_t cost(sort_function *sort, const int32_t *input, size_t count)
{
    int32_t values[LARGEST];
    memcpy(values, input, count * sizeof *values);

    uint64_t before = weft_metering_count();
    sort(values, count);
    uint64_t units = weft_metering_count() - before;

    for (size_t i = 1; i < count; i++)
        if (values[i - 1] > values[i])
            abort();
    return units;
}

static void table(const char *title, void (*fill)(int32_t *values, size_t count))
{
    printf("%-10s %18s %18s\n", title, "insertion sort", "merge sort");
    for (size_t count = 500; count <= LARGEST; count *= 2) {
        int32_t input[LARGEST];
        fill(input, count);
        printf("%10zu %18" PRIu64 " %18" PRIu64 "\n", count, cost(insertion_sort, input, count),
               cost(merge_sort, input, count));
    }
}

int main(void)
{
    if (!weft_metering_active())
        puts("Built without Weft's metering, so every count is 0. See README.md.\n");
    table("shuffled", shuffled);
    table("sorted", sorted);
    printf("\nunits in all: %" PRIu64 "\n", weft_metering_process_count());
    return 0;
}
