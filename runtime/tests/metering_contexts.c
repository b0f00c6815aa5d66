// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Who called whom: in threads, signal handlers, after longjmp() and fork(), in recursion that is too deep, with more contexts than
// there is room for, and where work does not count.

#include "testing.h"

#include <pthread.h>
#include <setjmp.h>
#include <signal.h>

WOVEN(outer);
WOVEN(leaf);
WOVEN(recursive);
WOVEN(handler);

#define NODE __weft_metering_calls_v2.node
#define COUNTS(node) ((struct weft_metering_node *)((char *)(node) + __weft_metering_calls_v2.shift))

/// What the pass puts at the beginning of a function, with --metering-detail=calls.
#define ENTER(function)                                                                                               \
    struct weft_metering_node *caller_ = NODE;                                                                        \
    struct weft_metering_node *own_ = enter(&record_of_##function, caller_)

/// Before a call, at the end, and where a function is charged.
#define CALLS(line) (NODE = own_, own_->at = (line))
#define LEAVE() (NODE = caller_)
#define COUNT(function, n)                                                                                            \
    do {                                                                                                              \
        CHARGE(function, n);                                                                                          \
        COUNTS(own_)->units += (n);                                                                                   \
    } while (0)

static struct weft_metering_node *enter(struct weft_metering_record *record, struct weft_metering_node *caller)
{
    struct weft_metering_node *own = caller && caller->recent->key == (record->cell << 32 | caller->at) ? caller->recent : __weft_metering_find(record);
    NODE = own;
    COUNTS(own)->calls++;
    return own;
}

static void leaf(void)
{
    ENTER(leaf);
    COUNT(leaf, 1);
    LEAVE();
}

static void recursive(int depth)
{
    ENTER(recursive);
    COUNT(recursive, 1);
    if (depth > 1) {
        CALLS(depth % 2 ? 11 : 12);
        recursive(depth - 1);
    }
    CALLS(13);
    leaf();
    LEAVE();
}

static void outer(int times)
{
    ENTER(outer);
    COUNT(outer, 1);
    for (int i = 0; i < times; i++) {
        CALLS(21);
        leaf();
        CALLS(22);
        leaf();
    }
    LEAVE();
}

static void *work(void *unused)
{
    outer(100);
    return unused;
}

static void threads(void)
{
    pthread_t all[64];
    for (int round = 0; round < 4; round++) {
        for (int i = 0; i < 64; i++)
            CHECK(pthread_create(&all[i], NULL, work, NULL) == 0);
        CHECK_EQUAL(weft_metering_write_report("meanwhile.json"), 0);
        for (int i = 0; i < 64; i++)
            pthread_join(all[i], NULL);
    }
}

static void forks(void)
{
    ENTER(outer);
    COUNT(outer, 1);
    CALLS(31);
    leaf();
    if (fork() == 0) {
        CALLS(32);
        leaf();
        exit(0);
    }
    wait(NULL);
    LEAVE();
}

static jmp_buf back;

__attribute__((noinline)) static void jump(volatile int depth)
{
    ENTER(recursive);
    COUNT(recursive, 1);
    CALLS(41);
    if (depth == 0)
        longjmp(back, 1);
    else
        jump(depth - 1);
    LEAVE();
}

static void jumps(void)
{
    ENTER(outer);
    COUNT(outer, 1);
    CALLS(42);
    if (!setjmp(back))
        jump(5);
    CALLS(43);
    leaf();
    LEAVE();
}

static void handle(int unused)
{
    (void)unused;
    ENTER(handler);
    COUNT(handler, 1);
    CALLS(51);
    leaf();
    LEAVE();
}

static void *interrupt(void *thread)
{
    for (int i = 0; i < 2000; i++)
        pthread_kill(*(pthread_t *)thread, SIGUSR1);
    return NULL;
}

static void handlers(void)
{
    pthread_t self_thread = pthread_self(), other;
    struct sigaction action = {.sa_handler = handle};
    sigaction(SIGUSR1, &action, NULL);
    CHECK(pthread_create(&other, NULL, interrupt, &self_thread) == 0);
    for (int i = 1; i <= 300; i++)
        recursive(i);
    pthread_join(other, NULL);
}

static void suspended(void)
{
    ENTER(outer);
    COUNT(outer, 1);
    CALLS(61);
    leaf();
    weft_metering_suspend();
    CALLS(62);
    leaf();
    COUNT(outer, 1000);
    weft_metering_resume();
    CALLS(63);
    leaf();
    LEAVE();
}

/// More stacks than there is room for: four functions call each other in every order.
static void many(int level, int which)
{
    static struct weft_metering_record *const records[] = {&record_of_outer, &record_of_leaf, &record_of_recursive, &record_of_handler};
    struct weft_metering_node *caller = NODE, *own = enter(records[which], caller);
    own->units++;
    __weft_metering_cells(records[which])[records[which]->cell]++;
    if (--__weft_metering_v2.left < 0)
        __weft_metering_overdrawn();
    for (int i = 0; level > 1 && i < 4; i++) {
        NODE = own;
        many(level - 1, i);
    }
    NODE = caller;
}

static void program(const char *mode)
{
    if (strcmp(mode, "threads") == 0)
        threads();
    else if (strcmp(mode, "forks") == 0)
        forks();
    else if (strcmp(mode, "jumps") == 0)
        jumps();
    else if (strcmp(mode, "handlers") == 0)
        handlers();
    else if (strcmp(mode, "suspended") == 0)
        suspended();
    else if (strcmp(mode, "deep") == 0)
        recursive(5000);
    else
        many(11, 0);
}

/// Checks a report, whose contexts must add up to its total, and returns what is from there on.
static const char *contexts_of(const char *name)
{
    const char *report = check_report(name), *contexts = strstr(report, "\n\"contexts\":[");
    CHECK(contexts != NULL);
    CHECK_EQUAL(sum_units(contexts, report + strlen(report)), number_after(report, "\"total\":"));
    return contexts;
}

/// Checks that there is a context: its calls, each of which did a unit, its function, and what follows.
static void check_context(int calls, const char *function, const char *rest)
{
    char text[256];
    const char *functions = strstr(contents, "\n\"functions\":[");
    snprintf(text, sizeof text, "{\"name\":\"%s\",", function);
    int number = -1;
    for (const char *at = functions, *end = strstr(functions, text); (at = strstr(at, "{\"name\"")) && at <= end; at++)
        number++;
    snprintf(text, sizeof text, "{\"calls\":%d,\"units\":%d,\"function\":%d%s}", calls, calls, number, rest);
    CHECK_HAS(strstr(contents, "\n\"contexts\":["), text);
}

static int count_of(const char *text, const char *part)
{
    int count = 0;
    while ((text = strstr(text, part))) {
        text++;
        count++;
    }
    return count;
}

static void test(void)
{
    CHECK_EQUAL(run("threads", "threads.json"), 0);
    const char *contexts = contexts_of("threads.json");
    check_context(256, "outer", "");
    check_context(25600, "leaf", ",\"parent\":0,\"line\":21");
    check_context(25600, "leaf", ",\"parent\":0,\"line\":22");
    CHECK_EQUAL(count_of(contexts, "{"), 3);

    CHECK_EQUAL(run("forks", "f.json"), 0);
    CHECK_EQUAL(count_of(contexts_of("f.json"), "{"), 2);
    CHECK_EQUAL(shell("mv f.json.* child.json"), 0);
    contexts = contexts_of("child.json");
    check_context(0, "outer", "");
    check_context(1, "leaf", ",\"parent\":0,\"line\":32");
    CHECK_EQUAL(count_of(contexts, "{"), 2);

    CHECK_EQUAL(run("jumps", "jumps.json"), 0);
    contexts = contexts_of("jumps.json");
    CHECK_HAS(contexts, "\"parent\":0,\"line\":43}");
    CHECK_EQUAL(count_of(contexts, "{"), 8);

    CHECK_EQUAL(run("suspended", "suspended.json"), 0);
    contexts = contexts_of("suspended.json");
    CHECK(!strstr(contexts, "\"line\":62"));
    CHECK_EQUAL(count_of(contexts, "{"), 3);

    CHECK_EQUAL(run("deep", "deep.json"), 0);
    contexts = contexts_of("deep.json");
    CHECK_HAS(contexts, "{\"calls\":8001,\"units\":8001,\"parent\":999}"); // 4000 of recursive(), their leaves and that of the last with a context
    CHECK_EQUAL(count_of(contexts, "{"), 1000 + 999 + 1);

    CHECK_EQUAL(run("many", "many.json"), 0);
    contexts_of("many.json");
    CHECK_EQUAL(number_after(contents, "\"total\":"), (1 << 22) / 3); // 1 + 4 + 16 ...
    if (!*runner()) { // emulators deliver signals where no processor would
        CHECK_EQUAL(run("handlers", "handlers.json"), 0);
        contexts_of("handlers.json");
    }
}
