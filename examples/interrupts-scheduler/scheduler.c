// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Green threads that are preempted without signals. The tasks are plain loops that never yield; interrupts take the
// processor from one and give it to the next.

#include <weft/interrupts.h>

#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STACK_BYTES (256 * 1024)

/// No probes in what switches stacks: it must not be interrupted where interrupts are enabled.
#define NO_PROBES __attribute__((noinline, no_profile_instrument_function))

struct task {
    const char *name;
    uint64_t (*work)(struct task *task);
    uint64_t rounds; ///< of its loop, when it was last preempted
    uint64_t result;
    uint64_t units;  ///< that it ran for
    uint64_t slices;
    int finished;
    void *stack;
    void *stack_pointer;
};

// ---- Switching stacks: what a function call keeps is saved, all else is the caller's to save ----

void switch_stacks(void **save, void *load);
void task_begins(void);

#if defined(__x86_64__)
__asm__(".text\n.globl switch_stacks\n.type switch_stacks, @function\nswitch_stacks:\n"
        "push %rbp\npush %rbx\npush %r12\npush %r13\npush %r14\npush %r15\n"
        "mov %rsp, (%rdi)\nmov %rsi, %rsp\n"
        "pop %r15\npop %r14\npop %r13\npop %r12\npop %rbx\npop %rbp\nret\n"
        ".size switch_stacks, . - switch_stacks\n"
        ".globl task_begins\n.type task_begins, @function\ntask_begins:\n"
        "mov %r12, %rdi\nxor %ebp, %ebp\ncall run_task\nud2\n"
        ".size task_begins, . - task_begins\n");
#elif defined(__aarch64__)
__asm__(".text\n.globl switch_stacks\n.type switch_stacks, %function\nswitch_stacks:\n"
        "sub sp, sp, #160\nstp x19, x20, [sp]\nstp x21, x22, [sp, #16]\nstp x23, x24, [sp, #32]\nstp x25, x26, [sp, #48]\n"
        "stp x27, x28, [sp, #64]\nstp x29, x30, [sp, #80]\nstp d8, d9, [sp, #96]\nstp d10, d11, [sp, #112]\n"
        "stp d12, d13, [sp, #128]\nstp d14, d15, [sp, #144]\n"
        "mov x9, sp\nstr x9, [x0]\nmov sp, x1\n"
        "ldp x19, x20, [sp]\nldp x21, x22, [sp, #16]\nldp x23, x24, [sp, #32]\nldp x25, x26, [sp, #48]\n"
        "ldp x27, x28, [sp, #64]\nldp x29, x30, [sp, #80]\nldp d8, d9, [sp, #96]\nldp d10, d11, [sp, #112]\n"
        "ldp d12, d13, [sp, #128]\nldp d14, d15, [sp, #144]\nadd sp, sp, #160\nret\n"
        ".size switch_stacks, . - switch_stacks\n"
        ".globl task_begins\n.type task_begins, %function\ntask_begins:\n"
        "mov x0, x19\nmov x29, #0\nbl run_task\nbrk #1\n"
        ".size task_begins, . - task_begins\n");
#else
#error "write switch_stacks() for this processor"
#endif

static void prepare_stack(struct task *task)
{
    task->stack = malloc(STACK_BYTES);
    if (!task->stack)
        abort();
    uintptr_t *top = (uintptr_t *)(((uintptr_t)task->stack + STACK_BYTES) & ~(uintptr_t)15);
#if defined(__x86_64__)
    top -= 9; // r15 r14 r13 r12 rbx rbp, the return address, and 16 bytes, so that the stack is aligned at the call
    memset(top, 0, 9 * sizeof *top);
    top[3] = (uintptr_t)task;
    top[6] = (uintptr_t)task_begins;
#else
    top -= 20; // x19 ... x30, d8 ... d15
    memset(top, 0, 20 * sizeof *top);
    top[0] = (uintptr_t)task;
    top[11] = (uintptr_t)task_begins;
#endif
    task->stack_pointer = top;
}

// ---- The scheduler: round robin ----

static struct task *tasks, *running;
static int task_count, unfinished;
static void *main_stack_pointer;
static uint64_t slice_began;
static uint64_t schedule = 14695981039346656037u; ///< hash of who ran when for how long, and how far he got
static uint64_t shared_units[8];                  ///< of each task while all of them ran

static void mix(uint64_t value)
{
    schedule = (schedule ^ value) * 1099511628211u;
}

static void end_slice(struct task *task, uint64_t count)
{
    task->units += count - slice_began;
    task->slices++;
    slice_began = count;
    mix((uint64_t)(task - tasks));
    mix(count);
    mix(task->rounds);
}

static struct task *next_task(void)
{
    struct task *task = running;
    do
        task = task + 1 < tasks + task_count ? task + 1 : tasks;
    while (task->finished);
    return task;
}

/// The handler. It runs on the stack of the task that it interrupts, and comes back when the others had their turn.
NO_PROBES static void preempt(uint64_t count, void *argument)
{
    (void)argument;
    struct task *from = running, *to = next_task();
    end_slice(from, count);
    if (to == from)
        return;
    running = to;
    weft_interrupts_enable(); // the task that comes is not within this call
    switch_stacks(&from->stack_pointer, to->stack_pointer);
    weft_interrupts_disable(); // as it was when we left
}

/// What a task's stack begins with.
NO_PROBES __attribute__((used)) void run_task(struct task *task)
{
    task->result = task->work(task);
    weft_interrupts_disable();
    end_slice(task, weft_interrupts_count());
    task->finished = 1;
    if (unfinished == task_count)
        for (int i = 0; i < task_count; i++)
            shared_units[i] = tasks[i].units;
    void *to = --unfinished > 0 ? (running = next_task())->stack_pointer : main_stack_pointer;
    weft_interrupts_enable();
    switch_stacks(&task->stack_pointer, to);
}

static int run_all(struct task *all, int count, enum weft_interrupts_clock clock, uint64_t interval)
{
    tasks = running = all;
    task_count = unfinished = count;
    for (int i = 0; i < count; i++)
        prepare_stack(&all[i]);
    slice_began = weft_interrupts_count();
    mix(slice_began);
    int error = weft_interrupts_register(clock, interval, preempt, NULL);
    if (error)
        return error;
    switch_stacks(&main_stack_pointer, running->stack_pointer);
    weft_interrupts_deregister();
    for (int i = 0; i < count; i++)
        free(all[i].stack);
    return 0;
}

// ---- Tasks: plain loops ----

static uint64_t collatz(struct task *task)
{
    uint64_t longest = 0;
    for (uint64_t start = 1; start < 100000; start++) {
        uint64_t steps = 0;
        for (uint64_t n = start; n != 1; n = n % 2 ? 3 * n + 1 : n / 2)
            steps++;
        if (steps > longest)
            longest = steps;
        task->rounds = start;
    }
    return longest;
}

static uint64_t primes(struct task *task)
{
    uint64_t found = 0;
    for (uint32_t candidate = 2; candidate < 50000; candidate++) {
        uint32_t divisor = 2;
        while (divisor * divisor <= candidate && candidate % divisor)
            divisor++;
        found += divisor * divisor > candidate;
        task->rounds = candidate;
    }
    return found;
}

static uint64_t numbers(struct task *task)
{
    uint64_t x = 88172645463325252, drawn = 0;
    while ((x & 0xfffff) != 0xabcde) { // one in a million
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        task->rounds = ++drawn;
    }
    return drawn;
}

static uint64_t matrices(struct task *task)
{
    enum { N = 128 };
    static float a[N][N], b[N][N], c[N][N];
    memset(c, 0, sizeof c);
    for (int i = 0; i < N; i++)
        for (int k = 0; k < N; k++)
            a[i][k] = b[k][i] = (float)((i * 7 + k * 3) % 11);
    for (int round = 0; round < 40; round++) {
        for (int i = 0; i < N; i++)
            for (int j = 0; j < N; j++)
                for (int k = 0; k < N; k++)
                    c[i][k] += a[i][j] * b[j][k];
        task->rounds = (uint64_t)round;
    }
    return (uint64_t)c[N - 1][N / 2];
}

int main(int count, char **arguments)
{
    int timed = count > 1 && strcmp(arguments[1], "cycles") == 0;
    enum weft_interrupts_clock clock = timed ? WEFT_INTERRUPTS_CYCLES : WEFT_INTERRUPTS_INSTRUCTIONS;
    struct task all[] = {{.name = "collatz", .work = collatz}, {.name = "primes", .work = primes}, {.name = "numbers", .work = numbers}, {.name = "matrices", .work = matrices}};
    enum { TASKS = sizeof all / sizeof *all };

    uint64_t alone[TASKS];
    for (int i = 0; i < TASKS; i++)
        alone[i] = all[i].work(&(struct task){0});

    if (!weft_interrupts_active())
        puts("Built without Weft's interrupts: nobody is preempted, and each task runs to its end.");
    int error = run_all(all, TASKS, clock, 50000);
    if (error) {
        fprintf(stderr, "scheduler: this build has no probes for the clock: %s\n", strerror(error));
        return 2;
    }

    uint64_t units = 0;
    for (int i = 0; i < TASKS; i++)
        units += shared_units[i];
    printf("%-10s %8s %14s %20s\n", "task", "slices", "units", "share while all ran");
    for (int i = 0; i < TASKS; i++) {
        printf("%-10s %8" PRIu64 " %14" PRIu64, all[i].name, all[i].slices, all[i].units);
        if (units)
            printf(" %18.2f %%", 100.0 * (double)shared_units[i] / (double)units);
        puts("");
        if (all[i].result != alone[i]) {
            fprintf(stderr, "scheduler: %s computed %" PRIu64 ", and alone %" PRIu64 "\n", all[i].name, all[i].result, alone[i]);
            return 1;
        }
    }
    printf("schedule %016" PRIx64 "\n", schedule);
    return 0;
}
