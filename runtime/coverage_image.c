// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A module's raw profile, version 10, as LLVM 19 to 22 write and read it (llvm/ProfileData/InstrProfData.inc,
// docs/InstrProfileFormat): header, binary ids, data records, counters, bitmaps, names.

#include "coverage_internal.h"

#include <string.h>

#define MAGIC 0xff6c70726f667281u // "\xfflprofr\x81"
#define VERSION 10u
#define LAST_VALUE_KIND 2u

/// The header's sixteen words.
struct header {
    uint64_t magic, version;
    uint64_t ids_size, data_count;
    uint64_t before_counters, counter_count, after_counters;
    uint64_t bitmap_size, after_bitmap;
    uint64_t names_size;
    uint64_t counters_delta, bitmap_delta, names_delta;
    uint64_t vtables, vtable_names_size, last_value_kind;
};

/// What a data record begins with; the rest does not matter here.
struct record {
    uint64_t name_hash, function_hash, counters, bitmap, function, values;
    uint32_t counter_count;
    uint16_t value_sites[3];
    uint32_t bitmap_bytes;
};

_Static_assert(sizeof(struct header) == 128, "the header is part of the format");
_Static_assert(sizeof(struct record) == 64, "the record is part of the format");

static uint64_t padding(uint64_t size)
{
    return -size & 7;
}

WEFT_WEAK void weft_coverage_lay_out(struct unit *unit)
{
    unit->counters_at = sizeof(struct header) + unit->ids_size + unit->data_size;
    if (unit->is_binary) // so that they can be mapped
        unit->counters_at = weft_whole_pages(unit->counters_at);
    unit->bits_at = unit->counters_at + unit->counters_size;
    uint64_t names_at = unit->bits_at + unit->bits_size + padding(unit->bits_size);
    unit->image_size = names_at + unit->names_size + padding(unit->names_size);
}

WEFT_WEAK void weft_coverage_fill(const struct unit *unit, char *image)
{
    struct header header = {
        .magic = MAGIC,
        .version = VERSION,
        .ids_size = unit->ids_size,
        .data_count = unit->data_size / sizeof(struct record),
        .before_counters = unit->counters_at - sizeof header - unit->ids_size - unit->data_size,
        .counter_count = unit->counters_size / sizeof(uint64_t),
        .bitmap_size = unit->bits_size,
        .after_bitmap = padding(unit->bits_size),
        .names_size = unit->names_size,
        .counters_delta = (uint64_t)(unit->counters - unit->data),
        .bitmap_delta = unit->bits ? (uint64_t)(unit->bits - unit->data) : 0,
        .names_delta = (uint64_t)(uintptr_t)unit->names,
        .last_value_kind = LAST_VALUE_KIND,
    };
    memcpy(image + sizeof header, unit->ids, unit->ids_size);
    memcpy(image + sizeof header + unit->ids_size, unit->data, unit->data_size);
    memcpy(image + unit->bits_at + unit->bits_size + padding(unit->bits_size), unit->names, unit->names_size);
    memcpy(image, &header, sizeof header);
}

/// Threads that still run may be adding to `from`: an old value will do.
static void add_counters(uint64_t *to, const uint64_t *from, uint64_t size)
{
    for (uint64_t i = 0; i < size / sizeof *to; i++) {
        uint64_t count = __atomic_load_n(&from[i], __ATOMIC_RELAXED);
        if (count)
            to[i] = to[i] + count < count ? UINT64_MAX : to[i] + count;
    }
}

static void add_bits(char *to, const char *from, uint64_t size)
{
    for (uint64_t i = 0; i < size; i++)
        if (from[i])
            to[i] |= from[i];
}

WEFT_WEAK void weft_coverage_add(const struct unit *unit, char *to, const char *from)
{
    add_counters((uint64_t *)(to + unit->counters_at), (const uint64_t *)(from + unit->counters_at), unit->counters_size);
    add_bits(to + unit->bits_at, from + unit->bits_at, unit->bits_size);
}

WEFT_WEAK void weft_coverage_add_own(const struct unit *unit, char *to)
{
    add_counters((uint64_t *)(to + unit->counters_at + unit->mapped), (const uint64_t *)(unit->counters + unit->mapped), unit->counters_size - unit->mapped);
    add_bits(to + unit->bits_at, unit->bits, unit->bits_size);
}

WEFT_WEAK void weft_coverage_clear(const struct unit *unit, char *image)
{
    uint64_t *counters = (uint64_t *)(image + unit->counters_at);
    for (uint64_t i = 0; i < unit->counters_size / sizeof *counters; i++)
        if (counters[i])
            counters[i] = 0;
    if (unit->bits_size)
        memset(image + unit->bits_at, 0, unit->bits_size);
}

/// Addresses in data records differ from run to run.
static int is_same_function(const struct record *one, const struct record *other)
{
    return one->name_hash == other->name_hash && one->function_hash == other->function_hash &&
           one->counter_count == other->counter_count && one->bitmap_bytes == other->bitmap_bytes;
}

WEFT_WEAK int weft_coverage_is_alike(const struct unit *unit, const char *image, const char *other, uint64_t size)
{
    const struct header *header = (const struct header *)image, *theirs = (const struct header *)other;
    if (size < unit->image_size || memcmp(header, theirs, offsetof(struct header, counters_delta)) != 0)
        return 0;
    uint64_t at = sizeof *header + unit->ids_size;
    const struct record *records = (const struct record *)(image + at), *others = (const struct record *)(other + at);
    for (uint64_t i = 0; i < header->data_count; i++)
        if (!is_same_function(&records[i], &others[i]))
            return 0;
    return 1;
}
