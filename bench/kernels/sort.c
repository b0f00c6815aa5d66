// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Sorting: quicksort by hand, heap sort, and the C library's qsort(), which is not woven but calls back a woven function.

#include "kernel.h"

#include <stdlib.h>

#define SIZE 80000
#define LIBRARY_SIZE 40000
#define SMALL 16

const char *const kernel_name = "sort";
const unsigned kernel_passes = 20;

struct person {
    uint32_t age;
    uint32_t number;
};

static uint32_t values[SIZE];
static struct person persons[LIBRARY_SIZE];

static inline void swap(uint32_t *a, uint32_t *b)
{
    uint32_t kept = *a;
    *a = *b;
    *b = kept;
}

static void insertion_sort(uint32_t *array, size_t n)
{
    for (size_t i = 1; i < n; i++) {
        uint32_t value = array[i];
        size_t j = i;
        for (; j > 0 && array[j - 1] > value; j--)
            array[j] = array[j - 1];
        array[j] = value;
    }
}

/// Hoare's partition around the middle one of three.
static size_t partition(uint32_t *array, size_t n)
{
    size_t middle = n / 2;
    if (array[middle] < array[0])
        swap(&array[middle], &array[0]);
    if (array[n - 1] < array[0])
        swap(&array[n - 1], &array[0]);
    if (array[n - 1] < array[middle])
        swap(&array[n - 1], &array[middle]);
    uint32_t pivot = array[middle];
    for (size_t i = 0, j = n - 1;; i++, j--) {
        while (array[i] < pivot)
            i++;
        while (array[j] > pivot)
            j--;
        if (i >= j)
            return j + 1;
        swap(&array[i], &array[j]);
    }
}

static void quicksort(uint32_t *array, size_t n)
{
    while (n > SMALL) {
        size_t left = partition(array, n);
        quicksort(array, left);
        array += left;
        n -= left;
    }
    insertion_sort(array, n);
}

static void sift_down(uint32_t *heap, size_t n, size_t at)
{
    uint32_t value = heap[at];
    for (size_t child; (child = 2 * at + 1) < n; at = child) {
        if (child + 1 < n && heap[child] < heap[child + 1])
            child++;
        if (heap[child] <= value)
            break;
        heap[at] = heap[child];
    }
    heap[at] = value;
}

static void heap_sort(uint32_t *array, size_t n)
{
    for (size_t i = n / 2; i-- > 0;)
        sift_down(array, n, i);
    while (n > 1) {
        swap(&array[0], &array[--n]);
        sift_down(array, n, 0);
    }
}

static int by_age(const void *left, const void *right)
{
    const struct person *a = left, *b = right;
    if (a->age != b->age)
        return a->age < b->age ? -1 : 1;
    return a->number < b->number ? -1 : a->number > b->number;
}

static void fill(uint64_t *state)
{
    for (size_t i = 0; i < SIZE; i++)
        values[i] = (uint32_t)(kernel_random(state) >> 36);
}

static uint64_t sum_up(uint64_t checksum)
{
    for (size_t i = 0; i < SIZE; i += 97)
        checksum = kernel_mix(checksum, values[i]);
    return checksum;
}

uint64_t kernel(void)
{
    uint64_t state = 13;
    fill(&state);
    quicksort(values, SIZE);
    uint64_t checksum = sum_up(0);
    fill(&state);
    heap_sort(values, SIZE);
    checksum = sum_up(checksum);
    for (uint32_t i = 0; i < LIBRARY_SIZE; i++)
        persons[i] = (struct person){(uint32_t)(kernel_random(&state) % 100), i};
    qsort(persons, LIBRARY_SIZE, sizeof *persons, by_age);
    for (size_t i = 0; i < LIBRARY_SIZE; i += 97)
        checksum = kernel_mix(checksum, persons[i].number);
    return checksum;
}
