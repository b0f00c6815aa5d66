// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// However woven code comes into a process, there is one count and one report. Links programs with $CC (or cc) and
// $WEFT_TEST_FLAGS, and is skipped where that or the runtime's sources are not to be had.

#include "testing.h"

#define WEFT_EXPORTS "-Wl,--export-dynamic-symbol='__weft_*' -Wl,--export-dynamic-symbol='weft_*'"

static char runtime[PATH_MAX];
static char cc[512];

static void write_file(const char *name, const char *text)
{
    FILE *file = fopen(in_folder(name), "w");
    CHECK(file && fputs(text, file) >= 0 && fclose(file) == 0);
}

/// A library with one woven function `NAME_work`, which counts 10, and a woven destructor, which counts 1.
static const char library[] =
    "#include \"tests/woven.h\"\n"
    "#include \"include/weft/metering.h\"\n"
    "#include <pthread.h>\n"
    "#define JOIN_(a, b) a##b\n"
    "#define JOIN(a, b) JOIN_(a, b)\n"
    "#define RECORD(n) WOVEN_RECORD(JOIN(record_of_, n), TEXT(n), \"lib.c\")\n"
    "#define TEXT(n) TEXT_(n)\n"
    "#define TEXT_(n) #n\n"
    "#define CHARGE_(n, units) CHARGE(n, units)\n"
    "RECORD(JOIN(NAME, _work));\n"
    "RECORD(JOIN(NAME, _end));\n"
    "void JOIN(NAME, _work)(void);\n"
    "void JOIN(NAME, _work)(void) { CHARGE_(JOIN(NAME, _work), 10); }\n"
    "static void *thread(void *unused) { JOIN(NAME, _work)(); return unused; }\n"
    "void JOIN(NAME, _thread)(void);\n"
    "void JOIN(NAME, _thread)(void) { pthread_t t; pthread_create(&t, 0, thread, 0); pthread_join(t, 0); }\n"
    "uint64_t JOIN(NAME, _count)(void);\n"
    "uint64_t JOIN(NAME, _count)(void) { return weft_metering_count() * 1000000 + weft_metering_process_count(); }\n"
    "__attribute__((destructor)) static void JOIN(NAME, _end)(void) { CHARGE_(JOIN(NAME, _end), 1); }\n";

/// Woven if WOVEN_MAIN is defined. Argument: how often to load.
static const char host[] =
    "#include \"include/weft/metering.h\"\n"
    "#ifdef WOVEN_MAIN\n"
    "#include \"tests/woven.h\"\n"
    "WOVEN(host_main);\n"
    "#endif\n"
    "#include <dlfcn.h>\n"
    "#include <stdio.h>\n"
    "#include <stdlib.h>\n"
    "static void *load(const char *file) {\n"
    "    void *handle = dlopen(file, RTLD_NOW | RTLD_LOCAL);\n"
    "    if (!handle) { fprintf(stderr, \"%s\\n\", dlerror()); exit(1); }\n"
    "    return handle; }\n"
    "static unsigned long long call(void *handle, const char *name) {\n"
    "    return ((unsigned long long (*)(void))dlsym(handle, name))(); }\n"
    "#define NOT(condition) if (condition) { fprintf(stderr, \"so: %s\\n\", #condition); exit(2); }\n"
    "int main(int n, char **v) {\n"
    "    unsigned long long own = 0;\n"
    "#ifdef WOVEN_MAIN\n"
    "    CHARGE(host_main, 5); own = 5;\n"
    "    NOT(!weft_metering_active());\n"
    "#else\n"
    "    NOT(weft_metering_active() || weft_metering_count());\n"
    "#endif\n"
    "    void *a = load(\"./liba.so\");\n"
    "    for (int i = 0; i < atoi(v[n - 1]); i++) {\n"
    "        void *b = load(\"./libb.so\");\n"
    "        call(a, \"a_work\"); call(b, \"b_work\"); call(b, \"b_thread\"); call(a, \"a_thread\");\n"
    "        own += 20;\n"
    "        NOT(call(a, \"a_count\") != call(b, \"b_count\"));\n"
    "        NOT(call(a, \"a_count\") / 1000000 != own + EXTRA(i));\n"
    "        dlclose(b); }\n"
    "#ifdef WOVEN_MAIN\n"
    "    NOT(weft_metering_count() < own || weft_metering_process_count() < 2 * own - 5);\n"
    "#endif\n"
    "    return 0; }\n";

static const char plain[] =
    "#include \"include/weft/metering.h\"\n"
    "int main(void) { weft_metering_reset(); return weft_metering_active() + (int)weft_metering_count()"
    " + (int)weft_metering_process_count() + weft_metering_write_report(\"unwritten\"); }\n";

static const char one[] =
    "#include \"tests/woven.h\"\n"
    "#include \"include/weft/metering.h\"\n"
    "#include <pthread.h>\n"
    "WOVEN(kept); WOVEN(dropped);\n"
    "void dropped(void);\n"
    "void dropped(void) { CHARGE(dropped, 1); }\n"
    "static void *thread(void *unused) { CHARGE(kept, 10); return unused; }\n"
    "int main(void) { pthread_t t; CHARGE(kept, 1); pthread_create(&t, 0, thread, 0); pthread_join(t, 0);\n"
    "    return !(weft_metering_active() && weft_metering_count() == 1 && weft_metering_process_count() == 11); }\n";

static void compile(const char *arguments)
{
    if (shell("%s -std=c11 -D_GNU_SOURCE -I'%s' -pthread %s", cc, runtime, arguments) != 0) {
        fprintf(stderr, "cannot compile: %s\n%s", arguments, text_of("stderr"));
        exit(1);
    }
}

static void succeeds(const char *program, const char *arguments)
{
    int status = shell("WEFT_METERING_REPORT=report.json %s './%s' %s", runner(), program, arguments);
    if (status != 0 || *text_of("stderr")) {
        fprintf(stderr, "%s ends with %d: %s\n", program, status, text_of("stderr"));
        exit(1);
    }
}

/// A dynamic linker with unique symbols unloads the second library, and its destructor runs each time.
static void check_libraries(int loads, unsigned long long own)
{
    const char *report = check_report("report.json");
    CHECK_EQUAL(units_of(report, "a_work"), 20 * loads);
    CHECK_EQUAL(units_of(report, "b_work"), 20 * loads);
    CHECK_EQUAL(units_of(report, "a_end"), 1);
    CHECK_EQUAL(units_of(report, "b_end"), loads);
    CHECK_EQUAL(units_of(report, "host_main"), own);
    CHECK_EQUAL(number_after(report, "\"total\":"), 41 * (unsigned)loads + 1 + own);
}

static void shared_objects(void)
{
    compile("-shared -fPIC -O2 -DNAME=a lib.c $R -o liba.so");
    compile("-shared -fPIC -O2 -DNAME=b lib.c $R -o libb.so");
    compile("-DEXTRA\\(i\\)=i host.c -o host -ldl");
    succeeds("host", "1");
    check_libraries(1, 0);
    succeeds("host", "50");
    check_libraries(50, 0);

    compile("-DWOVEN_MAIN -DEXTRA\\(i\\)=i host.c $R -o woven " WEFT_EXPORTS " -ldl");
    succeeds("woven", "50");
    check_libraries(50, 5);

    // The exported interface also serves objects that were built without Weft.
    compile("-DEXTRA\\(i\\)=i -DWOVEN_MAIN host.c $R -L. -Wl,--no-as-needed -la -Wl,-rpath,. -o linked " WEFT_EXPORTS
            " -ldl");
    succeeds("linked", "3");
    check_libraries(3, 5);
}

static void version_script(void)
{
    write_file("hidden.map", "{ global: a_*; b_*; __weft_metering_v2; __weft_metering_process_v2; local: *; };\n");
    compile("-shared -fPIC -O2 -DNAME=a lib.c $R -o liba.so -Wl,--version-script=hidden.map");
    compile("-shared -fPIC -O2 -DNAME=b lib.c $R -o libb.so -Wl,--version-script=hidden.map");
    succeeds("host", "5");
    check_libraries(5, 0);
    succeeds("woven", "5");
    check_libraries(5, 5);
}

static void executables(void)
{
    static const char *const kinds[] = {"-fPIE -pie", "-no-pie -fno-pie", "-static", "-static-pie -fPIE",
                                        "-O2 -ffunction-sections -fdata-sections -Wl,--gc-sections"};
    for (int i = 0; i < 5; i++) {
        char arguments[512];
        snprintf(arguments, sizeof arguments, "%s plain.c -o plain", kinds[i]);
        compile(arguments);
        succeeds("plain", "");
        snprintf(arguments, sizeof arguments, "%s one.c $R -o one", kinds[i]);
        compile(arguments);
        succeeds("one", "");
        CHECK_EQUAL(units_of(check_report("report.json"), "kept"), 11);
        snprintf(arguments, sizeof arguments, "%s plain.c $R -o none", kinds[i]);
        compile(arguments);
        succeeds("none", "");
        CHECK_EQUAL(number_after(check_report("report.json"), "\"total\":"), 0);
    }
    CHECK_EQUAL(files_with("unwritten"), 1);

    // A static library may bring its own copy.
    compile("-O2 -c $R && mkdir second && mv metering*.o support*.o second");
    compile("one.c $R second/*.o -o twice");
    succeeds("twice", "");
    CHECK_EQUAL(units_of(check_report("report.json"), "kept"), 11);
}

static void program(const char *mode) { (void)mode; }

static void test(void)
{
    char source[PATH_MAX];
    const char *command = getenv("CC"), *flags = getenv("WEFT_TEST_FLAGS");
    snprintf(cc, sizeof cc, "R=\"$(ls $RUNTIME/metering*.c $RUNTIME/support*.c | grep -v _windows)\"; %s %s",
             command ? command : "cc", flags ? flags : "");
    if (!realpath(__FILE__, source) || shell("%s --version > version", command ? command : "cc") != 0) {
        fprintf(stderr, "skipped: no compiler or no sources\n");
        return;
    }
    *strrchr(source, '/') = '\0';
    *strrchr(source, '/') = '\0';
    strcpy(runtime, source);
    setenv("RUNTIME", runtime, 1);
    write_file("lib.c", library);
    write_file("host.c", host);
    write_file("plain.c", plain);
    write_file("one.c", one);
    executables();
    shared_objects();
    version_script();
}
