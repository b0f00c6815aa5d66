// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Converts numbers to Roman numerals and back, a line at a time, for as long as there are lines. Lines that begin with
// an exclamation mark are for its coverage: "!reset", "!write FILE", "!add FILE".

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weft/coverage.h>

static const struct { const char *text; int value; } symbols[] = {
    { "M", 1000 }, { "CM", 900 }, { "D", 500 }, { "CD", 400 }, { "C", 100 }, { "XC", 90 }, { "L", 50 },
    { "XL", 40 }, { "X", 10 }, { "IX", 9 }, { "V", 5 }, { "IV", 4 }, { "I", 1 },
};
enum { SYMBOLS = sizeof symbols / sizeof *symbols, LARGEST = 3999 };

static void to_roman(int number, char *out)
{
    *out = 0;
    for (int i = 0; i < SYMBOLS; i++)
        for (; number >= symbols[i].value; number -= symbols[i].value)
            strcat(out, symbols[i].text);
}

// 0 for what is no numeral, or not in its one correct form.
static int from_roman(const char *text)
{
    char correct[32];
    int number = 0;
    const char *at = text;
    for (int i = 0; i < SYMBOLS; i++) {
        size_t length = strlen(symbols[i].text);
        for (; strncmp(at, symbols[i].text, length) == 0; at += length)
            number += symbols[i].value;
    }
    if (*at || number > LARGEST)
        return 0;
    to_roman(number, correct);
    return strcmp(text, correct) == 0 ? number : 0;
}

static void convert(const char *line)
{
    if (isdigit((unsigned char)*line)) {
        char roman[32];
        int number = atoi(line);
        if (number < 1 || number > LARGEST) {
            printf("%s is not between 1 and %d\n", line, LARGEST);
            return;
        }
        to_roman(number, roman);
        printf("%s = %s\n", line, roman);
        return;
    }
    int number = from_roman(line);
    if (number)
        printf("%s = %d\n", line, number);
    else
        printf("%s is no numeral\n", line);
}

static void control(const char *order)
{
    int error = 0;
    if (strcmp(order, "reset") == 0)
        weft_coverage_reset();
    else if (strncmp(order, "write ", 6) == 0)
        error = weft_coverage_write(order + 6);
    else if (strncmp(order, "add ", 4) == 0)
        error = weft_coverage_merge(order + 4);
    else
        error = EINVAL;
    if (error)
        printf("cannot %s: %s\n", order, strerror(error));
}

int main(void)
{
    char line[256];
    if (!weft_coverage_active())
        puts("(built without Weft: nothing is counted)");
    while (fgets(line, sizeof line, stdin)) {
        line[strcspn(line, "\n")] = 0;
        if (*line == '!')
            control(line + 1);
        else
            convert(line);
    }
    return 0;
}
