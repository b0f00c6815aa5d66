// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Hashing: SHA-256, XXH64 and FNV-1a over a buffer. Long straight blocks, wide multiplications, and one byte at a time.

#include "kernel.h"

#include <string.h>

#define SIZE (1 << 20)
#define ROUNDS 6

const char *const kernel_name = "hashing";
const unsigned kernel_passes = 24;

static uint8_t buffer[SIZE];

// ---- SHA-256

static const uint32_t K[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
};

static inline uint32_t rotate_right(uint32_t x, unsigned by)
{
    return x >> by | x << (32 - by);
}

static inline uint32_t big_endian(const uint8_t *bytes)
{
    return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
}

static void sha256_block(uint32_t state[8], const uint8_t *block)
{
    uint32_t w[64];
    for (int i = 0; i < 16; i++)
        w[i] = big_endian(block + 4 * i);
    for (int i = 16; i < 64; i++) {
        uint32_t s0 = rotate_right(w[i - 15], 7) ^ rotate_right(w[i - 15], 18) ^ w[i - 15] >> 3;
        uint32_t s1 = rotate_right(w[i - 2], 17) ^ rotate_right(w[i - 2], 19) ^ w[i - 2] >> 10;
        w[i] = w[i - 16] + s0 + w[i - 7] + s1;
    }
    uint32_t a = state[0], b = state[1], c = state[2], d = state[3];
    uint32_t e = state[4], f = state[5], g = state[6], h = state[7];
    for (int i = 0; i < 64; i++) {
        uint32_t s1 = rotate_right(e, 6) ^ rotate_right(e, 11) ^ rotate_right(e, 25);
        uint32_t t1 = h + s1 + ((e & f) ^ (~e & g)) + K[i] + w[i];
        uint32_t s0 = rotate_right(a, 2) ^ rotate_right(a, 13) ^ rotate_right(a, 22);
        uint32_t t2 = s0 + ((a & b) ^ (a & c) ^ (b & c));
        h = g, g = f, f = e, e = d + t1, d = c, c = b, b = a, a = t1 + t2;
    }
    state[0] += a, state[1] += b, state[2] += c, state[3] += d;
    state[4] += e, state[5] += f, state[6] += g, state[7] += h;
}

/// @param size  A multiple of 64.
static uint64_t sha256(const uint8_t *bytes, size_t size)
{
    uint32_t state[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
    for (size_t at = 0; at < size; at += 64)
        sha256_block(state, bytes + at);
    uint8_t last[64] = {0x80};
    for (int i = 0; i < 8; i++)
        last[56 + i] = (uint8_t)((uint64_t)size * 8 >> (56 - 8 * i));
    sha256_block(state, last);
    return (uint64_t)state[0] << 32 | state[1];
}

// ---- XXH64 with seed 0

#define PRIME1 UINT64_C(0x9E3779B185EBCA87)
#define PRIME2 UINT64_C(0xC2B2AE3D27D4EB4F)
#define PRIME3 UINT64_C(0x165667B19E3779F9)
#define PRIME4 UINT64_C(0x85EBCA77C2B2AE63)

static inline uint64_t rotate_left(uint64_t x, unsigned by)
{
    return x << by | x >> (64 - by);
}

static inline uint64_t xxh_round(uint64_t lane, uint64_t input)
{
    return rotate_left(lane + input * PRIME2, 31) * PRIME1;
}

/// @param size  A multiple of 32.
static uint64_t xxh64(const uint8_t *bytes, size_t size)
{
    uint64_t lanes[4] = {PRIME1 + PRIME2, PRIME2, 0, -PRIME1};
    for (size_t at = 0; at < size; at += 32)
        for (size_t i = 0; i < 4; i++) {
            uint64_t input;
            memcpy(&input, bytes + at + 8 * i, sizeof input);
            lanes[i] = xxh_round(lanes[i], input);
        }
    uint64_t hash = rotate_left(lanes[0], 1) + rotate_left(lanes[1], 7) + rotate_left(lanes[2], 12) + rotate_left(lanes[3], 18);
    for (size_t i = 0; i < 4; i++)
        hash = (hash ^ xxh_round(0, lanes[i])) * PRIME1 + PRIME4;
    hash += size;
    hash = (hash ^ hash >> 33) * PRIME2;
    hash = (hash ^ hash >> 29) * PRIME3;
    return hash ^ hash >> 32;
}

// ---- FNV-1a

static uint64_t fnv1a(const uint8_t *bytes, size_t size)
{
    uint64_t hash = UINT64_C(0xCBF29CE484222325);
    for (size_t i = 0; i < size; i++)
        hash = (hash ^ bytes[i]) * UINT64_C(0x100000001B3);
    return hash;
}

uint64_t kernel(void)
{
    uint64_t state = 11, checksum = 0;
    for (size_t i = 0; i < SIZE; i++)
        buffer[i] = (uint8_t)(kernel_random(&state) >> 56);
    for (unsigned round = 0; round < ROUNDS; round++) {
        checksum = kernel_mix(checksum, round % 3 ? fnv1a(buffer, SIZE) : sha256(buffer, SIZE));
        checksum = kernel_mix(checksum, xxh64(buffer, SIZE));
        memcpy(buffer, &checksum, sizeof checksum);
    }
    return checksum;
}
