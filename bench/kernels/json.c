// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Parsing: writes a JSON document of a megabyte, then validates it and adds up its numbers by recursive descent.

#include "kernel.h"

#include <stdbool.h>
#include <string.h>

#define CAPACITY (1 << 20)
#define ROUNDS 6
#define MAX_DEPTH 64

const char *const kernel_name = "json";
const unsigned kernel_passes = 20;

// ---- Writing

static char text[CAPACITY + 1024];
static size_t length;
static uint64_t state;

static unsigned chance(unsigned n)
{
    return (unsigned)((kernel_random(&state) >> 32) % n);
}

static void put(const char *string)
{
    size_t size = strlen(string);
    memcpy(text + length, string, size);
    length += size;
}

static void write_string(void)
{
    static const char *const escapes[] = {"\\n", "\\\"", "\\u00e9", "\\\\"};
    text[length++] = '"';
    for (unsigned n = 3 + chance(20); n; n--)
        if (chance(12))
            text[length++] = (char)('a' + chance(26));
        else
            put(escapes[chance(4)]);
    text[length++] = '"';
}

static void write_number(void)
{
    if (!chance(4))
        text[length++] = '-';
    text[length++] = (char)('1' + chance(9));
    for (unsigned n = chance(8); n; n--)
        text[length++] = (char)('0' + chance(10));
    if (!chance(3))
        put(".25");
    if (!chance(6))
        put("e+2");
}

static void write_value(unsigned depth)
{
    static const char *const literals[] = {"true", "false", "null"};
    unsigned kind = chance(depth < 6 ? 8 : 5), n = 2 + chance(5);
    if (kind < 2)
        write_number();
    else if (kind < 4)
        write_string();
    else if (kind == 4)
        put(literals[chance(3)]);
    else {
        bool object = kind == 5;
        text[length++] = object ? '{' : '[';
        for (unsigned i = 0; i < n; i++) {
            if (i)
                put(", ");
            if (object)
                write_string(), put(": ");
            write_value(depth + 1);
        }
        text[length++] = object ? '}' : ']';
    }
}

static void write_document(void)
{
    length = 0;
    text[length++] = '[';
    while (length < CAPACITY - 65536) {
        write_value(0);
        put(",\n  ");
    }
    put("0]");
    text[length] = 0;
}

// ---- Reading

struct parser {
    const char *at;
    unsigned depth;
    uint64_t strings, numbers, containers;
};

static bool parse_value(struct parser *parser);

static void skip_space(struct parser *parser)
{
    while (*parser->at == ' ' || *parser->at == '\n' || *parser->at == '\r' || *parser->at == '\t')
        parser->at++;
}

static bool parse_literal(struct parser *parser, const char *literal)
{
    size_t size = strlen(literal);
    if (strncmp(parser->at, literal, size))
        return false;
    parser->at += size;
    return true;
}

static bool is_hex(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

static bool parse_escape(struct parser *parser)
{
    switch (*parser->at++) {
    case '"': case '\\': case '/': case 'b': case 'f': case 'n': case 'r': case 't':
        return true;
    case 'u':
        for (int i = 0; i < 4; i++)
            if (!is_hex(*parser->at++))
                return false;
        return true;
    default:
        return false;
    }
}

static bool parse_string(struct parser *parser)
{
    if (*parser->at++ != '"')
        return false;
    for (;;) {
        unsigned char c = (unsigned char)*parser->at++;
        if (c == '"')
            break;
        if (c < ' ' || (c == '\\' && !parse_escape(parser)))
            return false;
        parser->strings += c;
    }
    return true;
}

static unsigned parse_digits(struct parser *parser, uint64_t *value)
{
    unsigned digits = 0;
    for (; *parser->at >= '0' && *parser->at <= '9'; parser->at++, digits++)
        *value = *value * 10 + (uint64_t)(*parser->at - '0');
    return digits;
}

static bool parse_number(struct parser *parser)
{
    uint64_t value = 0, exponent = 0;
    bool negative = *parser->at == '-';
    parser->at += negative;
    if (*parser->at == '0')
        parser->at++;
    else if (!parse_digits(parser, &value))
        return false;
    if (*parser->at == '.') {
        parser->at++;
        if (!parse_digits(parser, &value))
            return false;
    }
    if (*parser->at == 'e' || *parser->at == 'E') {
        parser->at++;
        if (*parser->at == '+' || *parser->at == '-')
            parser->at++;
        if (!parse_digits(parser, &exponent))
            return false;
    }
    parser->numbers += (negative ? -value : value) + exponent;
    return true;
}

static bool parse_members(struct parser *parser, char end)
{
    parser->at++;
    skip_space(parser);
    if (*parser->at == end)
        return parser->at++, true;
    for (;;) {
        if (end == '}') {
            skip_space(parser);
            if (!parse_string(parser))
                return false;
            skip_space(parser);
            if (*parser->at++ != ':')
                return false;
        }
        if (!parse_value(parser))
            return false;
        char c = *parser->at++;
        if (c == end)
            return true;
        if (c != ',')
            return false;
    }
}

static bool parse_container(struct parser *parser, char end)
{
    if (++parser->depth > MAX_DEPTH)
        return false;
    bool valid = parse_members(parser, end);
    parser->containers += parser->depth--;
    return valid;
}

static bool parse_value(struct parser *parser)
{
    bool valid;
    skip_space(parser);
    switch (*parser->at) {
    case '{':
        valid = parse_container(parser, '}');
        break;
    case '[':
        valid = parse_container(parser, ']');
        break;
    case '"':
        valid = parse_string(parser);
        break;
    case 't':
        valid = parse_literal(parser, "true");
        break;
    case 'f':
        valid = parse_literal(parser, "false");
        break;
    case 'n':
        valid = parse_literal(parser, "null");
        break;
    default:
        valid = parse_number(parser);
    }
    skip_space(parser);
    return valid;
}

uint64_t kernel(void)
{
    uint64_t checksum = 0;
    state = 17;
    write_document();
    for (unsigned round = 0; round < ROUNDS; round++) {
        struct parser parser = {.at = text};
        bool valid = parse_value(&parser) && !*parser.at;
        checksum = kernel_mix(checksum, parser.strings + valid);
        checksum = kernel_mix(checksum, parser.numbers ^ parser.containers << 32);
        // Another last number, in every fifth round none.
        text[length - 2] = round % 5 == 4 ? 'x' : (char)('0' + round % 5);
    }
    return checksum;
}
