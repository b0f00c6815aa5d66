// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Names of any bytes become valid JSON.

#include "testing.h"

#define RECORD(variable, name, module) WOVEN_RECORD(record_of_##variable, name, module)

RECORD(quotes, "q\"\\/\b\n\t\001\177", "");
RECORD(utf8, "\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80", "m\xc3\xb6""dule");
RECORD(broken, "a\xff""b\xc3", "\xe2\x82");
RECORD(overlong, "\xc0\x80\xe0\x80\x80\xf0\x80\x80\x80", "\xed\xa0\x80");
RECORD(beyond, "\xf4\x90\x80\x80\xf5\x80", "\x80");
RECORD(missing, NULL, NULL);

static void program(const char *mode)
{
    (void)mode;
    CHARGE(quotes, 1);
    CHARGE(utf8, 2);
    CHARGE(broken, 3);
    CHARGE(overlong, 4);
    CHARGE(beyond, 5);
    CHARGE(missing, 6);
}

static void test(void)
{
    CHECK_EQUAL(run("names", "names.json"), 0);
    const char *report = check_report("names.json");
    CHECK_HAS(report, "{\"name\":\"q\\\"\\\\/\\u0008\\u000a\\u0009\\u0001\177\",\"module\":\"\",\"units\":1}");
    CHECK_HAS(report, "{\"name\":\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\",\"module\":\"m\xc3\xb6""dule\",\"units\":2}");
    CHECK_HAS(report, "{\"name\":\"a\\u00ffb\\u00c3\",\"module\":\"\\u00e2\\u0082\",\"units\":3}");
    CHECK_HAS(report, "{\"name\":\"\\u00c0\\u0080\\u00e0\\u0080\\u0080\\u00f0\\u0080\\u0080\\u0080\","
                      "\"module\":\"\\u00ed\\u00a0\\u0080\",\"units\":4}");
    CHECK_HAS(report, "{\"name\":\"\\u00f4\\u0090\\u0080\\u0080\\u00f5\\u0080\",\"module\":\"\\u0080\",\"units\":5}");
    CHECK_HAS(report, "{\"name\":\"\",\"module\":\"\",\"units\":6}");
}
