// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Whether a patch is signed with the key that WEFT_HOTPATCH_KEY names: RSASSA-PKCS1-v1_5 (RFC 8017, 8.2.2) with SHA-256, a modulus of 3072
// bits and the exponent 65537. The signature is raised to that, by Montgomery's multiplication, and has to be the encoded message to
// the last byte: nothing in it is parsed. All of it is public, so nothing has to take the same time.
//
// The file is one line: weft-hotpatch-key 1 HEX, with the modulus in hexadecimal, the highest digit first.

#include "hotpatch_internal.h"
#include "control.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define BEGINNING "weft-hotpatch-key 1 "

typedef unsigned __int128 wide;
typedef uint64_t number_of_key[KEY_LIMBS];

/// Too large for a signal handler's stack.
struct work {
    const uint64_t *n;
    uint64_t inverse; ///< -1 / n mod 2^64
    number_of_key expected, found, square, one, power;
    uint64_t sum[KEY_LIMBS + 2];
    uint8_t message[WEFT_PATCH_SIGNATURE];
};

// ---- Numbers of 3072 bits ----

static int is_less(const uint64_t *a, const uint64_t *b)
{
    for (size_t i = KEY_LIMBS; i-- > 0;)
        if (a[i] != b[i])
            return a[i] < b[i];
    return 0;
}

static void subtract(uint64_t *a, const uint64_t *b)
{
    uint64_t borrow = 0;
    for (size_t i = 0; i < KEY_LIMBS; i++) {
        wide difference = (wide)a[i] - b[i] - borrow;
        a[i] = (uint64_t)difference;
        borrow = (uint64_t)(difference >> 64) & 1;
    }
}

/// a = 2a mod n
static void twice(uint64_t *a, const uint64_t *n)
{
    uint64_t carry = 0;
    for (size_t i = 0; i < KEY_LIMBS; i++) {
        uint64_t high = a[i] >> 63;
        a[i] = a[i] << 1 | carry;
        carry = high;
    }
    if (carry || !is_less(a, n))
        subtract(a, n);
}

/// -1 / n mod 2^64, by Newton's iteration: each step doubles how many bits are right, of which three are so at the start.
static uint64_t inverse(uint64_t n)
{
    uint64_t x = n;
    for (int i = 0; i < 5; i++)
        x *= 2 - n * x;
    return 0 - x;
}

static uint64_t add_product(uint64_t *sum, const uint64_t *a, uint64_t factor)
{
    uint64_t carry = 0;
    for (size_t i = 0; i < KEY_LIMBS; i++) {
        wide part = (wide)a[i] * factor + sum[i] + carry;
        sum[i] = (uint64_t)part;
        carry = (uint64_t)(part >> 64);
    }
    return carry;
}

/// result = a b / 2^3072 mod n
static void multiply(struct work *work, uint64_t *result, const uint64_t *a, const uint64_t *b)
{
    uint64_t *sum = work->sum;
    memset(sum, 0, sizeof work->sum);
    for (size_t i = 0; i < KEY_LIMBS; i++) {
        wide top = (wide)sum[KEY_LIMBS] + add_product(sum, a, b[i]);
        sum[KEY_LIMBS + 1] = (uint64_t)(top >> 64);
        top = (wide)(uint64_t)top + add_product(sum, work->n, sum[0] * work->inverse);
        sum[KEY_LIMBS] = (uint64_t)top;
        sum[KEY_LIMBS + 1] += (uint64_t)(top >> 64);
        memmove(sum, sum + 1, sizeof work->sum - sizeof *sum);
    }
    if (sum[KEY_LIMBS] || !is_less(sum, work->n))
        subtract(sum, work->n);
    memcpy(result, sum, KEY_LIMBS * sizeof *sum);
}

/// found = found^65537 mod n
static void raise_to_exponent(struct work *work)
{
    work->square[0] = work->one[0] = 1;
    for (size_t i = 0; i < 2 * WEFT_PATCH_SIGNATURE * 8; i++)
        twice(work->square, work->n); // 2^(2 * 3072): what brings a number into Montgomery's form
    multiply(work, work->found, work->found, work->square);
    memcpy(work->power, work->found, sizeof work->power);
    for (int i = 0; i < 16; i++)
        multiply(work, work->power, work->power, work->power);
    multiply(work, work->power, work->power, work->found);
    multiply(work, work->found, work->power, work->one);
}

static void read_number(uint64_t *to, const uint8_t *from)
{
    for (size_t i = 0; i < KEY_LIMBS; i++) {
        uint64_t limb = 0;
        for (size_t k = 0; k < 8; k++)
            limb = limb << 8 | from[WEFT_PATCH_SIGNATURE - 8 * (i + 1) + k];
        to[i] = limb;
    }
}

// ---- Signatures ----

/// EMSA-PKCS1-v1_5: 00 01 ff...ff 00, then in DER that a SHA-256 follows, then that.
static void encode(uint8_t *message, const uint8_t digest[32])
{
    static const uint8_t kind[] = {0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00, 0x04, 0x20};
    const size_t kind_at = WEFT_PATCH_SIGNATURE - 32 - sizeof kind;
    memset(message, 0xff, WEFT_PATCH_SIGNATURE);
    message[0] = 0;
    message[1] = 1;
    message[kind_at - 1] = 0;
    memcpy(message + kind_at, kind, sizeof kind);
    memcpy(message + kind_at + sizeof kind, digest, 32);
}

int weft_hotpatch_is_signed(const uint64_t *key, const uint8_t *signature, const uint8_t digest[32])
{
    struct work *work = weft_reserve(sizeof *work);
    if (!work)
        return 0;
    work->n = key;
    work->inverse = inverse(key[0]);
    encode(work->message, digest);
    read_number(work->expected, work->message);
    read_number(work->found, signature);
    int is_signed = is_less(work->found, key);
    if (is_signed) {
        raise_to_exponent(work);
        is_signed = memcmp(work->found, work->expected, sizeof work->found) == 0;
    }
    munmap(work, sizeof *work);
    return is_signed;
}

// ---- The key ----

static int digit(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static const char *parse(const char *text, size_t size)
{
    uint8_t modulus[WEFT_PATCH_SIGNATURE];
    const size_t beginning = sizeof BEGINNING - 1, needed = beginning + 2 * sizeof modulus;
    if (size < needed || memcmp(text, BEGINNING, beginning) != 0)
        return "it is no public key of 'weft hotpatch key'";
    for (size_t i = 0; i < sizeof modulus; i++) {
        int high = digit(text[beginning + 2 * i]), low = digit(text[beginning + 2 * i + 1]);
        if (high < 0 || low < 0)
            return "its number is none";
        modulus[i] = (uint8_t)(high << 4 | low);
    }
    if (size > needed && text[needed] != '\n' && text[needed] != '\r')
        return "its number is longer than 3072 bits";
    if (!(modulus[0] & 0x80) || !(modulus[sizeof modulus - 1] & 1))
        return "its number is no modulus of 3072 bits";
    read_number(process->key, modulus);
    return NULL;
}

static const char *read_key(const char *path)
{
    char text[1024];
    int descriptor = open(path, O_RDONLY | O_CLOEXEC);
    if (descriptor < 0)
        return "it cannot be opened";
    ssize_t size = read(descriptor, text, sizeof text);
    close(descriptor);
    return size < 0 ? "it cannot be read" : parse(text, (size_t)size);
}

void weft_hotpatch_read_key(void)
{
    const char *path = weft_setting("WEFT_HOTPATCH_KEY");
    if (!path || process->wants_signature)
        return;
    process->wants_signature = 1;
    if (!(process->key_fault = read_key(path)))
        return;
    const char *const texts[] = {"WEFT_HOTPATCH_KEY: '", path, "': ", process->key_fault, ": every patch will be refused", NULL};
    weft_complain("hotpatch", texts);
}
