// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Vectorised: the product of two 300 x 300 matrices, rows innermost.

#include "kernel.h"

#include <string.h>

#define SIZE 300

const char *const kernel_name = "matmul";
const unsigned kernel_passes = 80;

static float a[SIZE][SIZE], b[SIZE][SIZE], c[SIZE][SIZE];

static void fill(float matrix[SIZE][SIZE], uint64_t *state)
{
    for (size_t i = 0; i < SIZE; i++)
        for (size_t j = 0; j < SIZE; j++)
            matrix[i][j] = (float)(kernel_random(state) >> 40) / 16777216.0f - 0.5f;
}

static void multiply(void)
{
    memset(c, 0, sizeof c);
    for (size_t i = 0; i < SIZE; i++)
        for (size_t k = 0; k < SIZE; k++)
            for (size_t j = 0; j < SIZE; j++)
                c[i][j] += a[i][k] * b[k][j];
}

uint64_t kernel(void)
{
    uint64_t state = 5, checksum = 0;
    fill(a, &state);
    fill(b, &state);
    multiply();
    for (size_t i = 0; i < SIZE; i++)
        for (size_t j = 0; j < SIZE; j++)
            checksum = kernel_mix(checksum, (uint64_t)(int64_t)(c[i][j] * 65536.0f));
    return checksum;
}
