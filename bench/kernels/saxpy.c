// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Vectorised: y += a * x, a dot product in eight lanes and a three-point blur, over arrays that fit the second-level cache.

#include "kernel.h"

#define SIZE 32768
#define ROUNDS 200
#define LANES 8

const char *const kernel_name = "saxpy";
const unsigned kernel_passes = 80;

static float x[SIZE], y[SIZE], z[SIZE];

static void saxpy(size_t n, float a, const float *restrict from, float *restrict to)
{
    for (size_t i = 0; i < n; i++)
        to[i] += a * from[i];
}

static float dot(size_t n, const float *restrict left, const float *restrict right)
{
    float lanes[LANES] = {0};
    for (size_t i = 0; i < n; i += LANES)
        for (size_t lane = 0; lane < LANES; lane++)
            lanes[lane] += left[i + lane] * right[i + lane];
    float sum = 0;
    for (size_t lane = 0; lane < LANES; lane++)
        sum += lanes[lane];
    return sum;
}

static void blur(size_t n, const float *restrict from, float *restrict to)
{
    to[0] = from[0];
    for (size_t i = 1; i < n - 1; i++)
        to[i] = 0.25f * from[i - 1] + 0.5f * from[i] + 0.25f * from[i + 1];
    to[n - 1] = from[n - 1];
}

uint64_t kernel(void)
{
    uint64_t state = 3, checksum = 0;
    for (size_t i = 0; i < SIZE; i++) {
        x[i] = (float)(kernel_random(&state) >> 40) / 16777216.0f;
        y[i] = (float)(kernel_random(&state) >> 40) / 16777216.0f;
    }
    for (unsigned round = 0; round < ROUNDS; round++) {
        saxpy(SIZE, round & 1 ? -0.5f : 0.5f, x, y);
        blur(SIZE, y, z);
        checksum = kernel_mix(checksum, (uint64_t)(int64_t)(dot(SIZE, z, x) * 64.0f));
    }
    return checksum;
}
