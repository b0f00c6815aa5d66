// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Who is still inside code that was replaced. Nothing stops for that:
//
//   a thread that waits in a system call   /proc says its stack pointer; its stack is read from here, and counts if the thread has not
//                                          run meanwhile
//   a thread that runs                     gets SIGURG, with a mark, and reads its own stack in the handler
//   the one that asks                      begins where it was interrupted
//
// Every word from the stack pointer to the end of the stack's mapping counts that is an address within the code in question. A stale
// word may do so for nothing; a call that is under way cannot be missed, since its return address is there. From a signal's frame
// on an alternate stack the search goes on in the stack that was left for it. It does not know of stacks that a program switches
// between by itself (coroutines). On aarch64 a function that calls nothing may keep its return address in a register, which /proc does
// not say: old code that has called such a function, and that a system call, is missed while that lasts.
//
// No thread gets into old code any more once the switch is done, so who has been seen outside stays so.

#include "hotpatch_internal.h"
#include "control.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <time.h>
#include <ucontext.h>

#define THREADS 65536u
#define MAPPINGS 65536u
#define WORDS 1024u
#define HITS 16u    ///< of one thread
#define STACKS 8u   ///< of one thread: alternate ones
#define URGENT 23   ///< SIGURG
#define ANSWERING 0xfffffffeu
#define ANSWERED 0xffffffffu

/// Addresses of code that a function had, both included: a call may be its last instruction.
struct code {
    uintptr_t first, last;
    const char *name;
};

struct mapping {
    uintptr_t from, to;
};

/// What one question needs; too large for a signal handler's stack.
struct probe {
    struct code *codes;
    uint32_t code_count, mapping_count;
    uintptr_t lowest, highest;
    int64_t until; ///< nanoseconds
    uint32_t hit_count;
    uint32_t is_lost; ///< a stack could not be read to its end
    uint32_t is_own;  ///< it is this thread's
    uint32_t is_denied; ///< the system lets a thread read no other's stack
    uint32_t hits[HITS];
    uint8_t wanted[SLOTS];
    uintptr_t words[WORDS];
    char text[4096];
    struct mapping mappings[MAPPINGS];
    pid_t threads[2][THREADS];
};

// ---- Files of /proc, without anything of libc's ----

static size_t read_file(const char *path, char *text, size_t room)
{
    long descriptor = raw_syscall(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC, 0);
    size_t used = 0;
    if (descriptor < 0)
        return 0;
    for (long got; used < room - 1 && (got = raw_syscall(SYS_read, descriptor, text + used, room - 1 - used)) > 0;)
        used += (size_t)got;
    raw_syscall(SYS_close, descriptor);
    text[used] = '\0';
    return used;
}

static size_t read_of_thread(pid_t thread, const char *name, char *text, size_t room)
{
    char path[64] = "/proc/self/task/", digits[24];
    char *end = weft_append(path + 16, path + sizeof path, weft_digits(digits, (uint64_t)thread), strlen(weft_digits(digits, (uint64_t)thread)));
    end = weft_append(end, path + sizeof path, "/", 1);
    return weft_append(end, path + sizeof path, name, strlen(name)) ? read_file(path, text, room) : 0;
}

static uint64_t hexadecimal(const char **text)
{
    uint64_t value = 0;
    for (;; (*text)++) {
        char c = **text;
        unsigned digit = c >= '0' && c <= '9' ? (unsigned)(c - '0') : c >= 'a' && c <= 'f' ? (unsigned)(c - 'a' + 10) : 16;
        if (digit == 16)
            return value;
        value = value << 4 | digit;
    }
}

/// Calls `each` with every mapping that can be read, until it returns other than 0, and returns that.
static uintptr_t walk_mappings(uintptr_t (*each)(void *context, struct mapping mapping), void *context)
{
    char text[1024];
    size_t used = 0;
    uintptr_t result = 0;
    long descriptor = raw_syscall(SYS_openat, AT_FDCWD, "/proc/self/maps", O_RDONLY | O_CLOEXEC, 0);
    if (descriptor < 0)
        return 0;
    int skips = 0; // the rest of a line whose beginning is done with
    for (long got; !result && (got = raw_syscall(SYS_read, descriptor, text + used, sizeof text - used)) > 0;) {
        size_t at = 0, end = used + (size_t)got;
        while (!result && at < end) {
            const char *line = memchr(text + at, '\n', end - at);
            if (!skips && (line || end - at >= 64)) { // "FROM-TO rwxp" is less
                const char *c = text + at;
                uintptr_t from = hexadecimal(&c), to = (c++, hexadecimal(&c));
                if (c[1] == 'r')
                    result = each(context, (struct mapping){from, to});
            } else if (!skips) {
                break; // the line is not all there yet
            }
            skips = !line;
            at = line ? (size_t)(line - text) + 1 : end;
        }
        used = end - at;
        memmove(text, text + at, used);
    }
    raw_syscall(SYS_close, descriptor);
    return result;
}

static uintptr_t end_if_within(void *context, struct mapping mapping)
{
    uintptr_t address = *(const uintptr_t *)context;
    return address >= mapping.from && address < mapping.to ? mapping.to : 0;
}

uintptr_t weft_hotpatch_end_of_mapping(uintptr_t address)
{
    return walk_mappings(end_if_within, &address);
}

static uintptr_t keep_mapping(void *context, struct mapping mapping)
{
    struct probe *probe = context;
    if (probe->mapping_count < MAPPINGS)
        probe->mappings[probe->mapping_count++] = mapping;
    return 0;
}

static void read_mappings(struct probe *probe)
{
    probe->mapping_count = 0;
    walk_mappings(keep_mapping, probe);
}

static uintptr_t find_end(const struct probe *probe, uintptr_t address)
{
    uint32_t low = 0, high = probe->mapping_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (probe->mappings[middle].to <= address)
            low = middle + 1;
        else
            high = middle;
    }
    return low < probe->mapping_count && probe->mappings[low].from <= address ? probe->mappings[low].to : 0;
}

// ---- Which code ----

static void add_code(struct probe *probe, uintptr_t first, uintptr_t last, const char *name)
{
    probe->codes[probe->code_count++] = (struct code){first, last, name};
}

/// An entry's own code, while it leads elsewhere. Who is at its first instructions will yet be led there.
static void add_original(struct probe *probe, const struct weft_hotpatch_entry *entry, const char *name)
{
    uintptr_t first = (uintptr_t)entry->point + 1, last = (uintptr_t)entry->entry + entry->size;
    if (last >= first)
        add_code(probe, first, last, name);
#if defined(__aarch64__)
    add_code(probe, (uintptr_t)entry->entry - ROOM, (uintptr_t)entry->entry - 1, name); // it may have read the slot already
#endif
}

static void add_codes_of(struct probe *probe, const struct weft_hotpatch_patch *patch)
{
    const struct weft_hotpatch_module *module = patch->module;
    for (uint32_t i = 0; i < patch->function_count; i++) {
        const struct weft_hotpatch_function *function = &patch->functions[i];
        const struct weft_hotpatch_entry *entry = &module->entries[function->slot];
        if (!probe->wanted[function->slot])
            continue;
        const char *name = patch->names + function->name;
        if (!entry->active || module->slots[function->slot] != function->code)
            add_code(probe, (uintptr_t)function->code, (uintptr_t)function->code + function->code_size, name);
        if (entry->active && probe->wanted[function->slot] == 1)
            add_original(probe, entry, name);
        probe->wanted[function->slot] = 2; // its own code is in
    }
}

static int is_of(const struct weft_hotpatch_patch *patch, const struct weft_hotpatch_module *module)
{
    return patch->module == module && patch->order && !patch->gone;
}

static void add_codes_of_module(struct probe *probe, const struct weft_hotpatch_module *module)
{
    memset(probe->wanted, 0, sizeof probe->wanted);
    for (uint32_t p = 0; p < process->patch_count; p++)
        if (is_of(process->patches[p], module) && process->patches[p]->chosen)
            for (uint32_t f = 0; f < process->patches[p]->function_count; f++)
                probe->wanted[process->patches[p]->functions[f].slot] = 1;
    for (uint32_t p = 0; p < process->patch_count; p++)
        if (is_of(process->patches[p], module))
            add_codes_of(probe, process->patches[p]);
}

static void sink(struct code *codes, uint32_t from, uint32_t count)
{
    for (uint32_t child; (child = 2 * from + 1) < count; from = child) {
        if (child + 1 < count && codes[child + 1].first > codes[child].first)
            child++;
        if (codes[from].first >= codes[child].first)
            return;
        struct code other = codes[from];
        codes[from] = codes[child];
        codes[child] = other;
    }
}

static void sort(struct code *codes, uint32_t count)
{
    for (uint32_t i = count / 2; i-- > 0;)
        sink(codes, i, count);
    for (uint32_t i = count; i-- > 1;) {
        struct code largest = codes[0];
        codes[0] = codes[i];
        codes[i] = largest;
        sink(codes, 0, i);
    }
}

static int find_codes(struct probe *probe, size_t *size)
{
    size_t most = 0;
    for (uint32_t p = 0; p < process->patch_count; p++)
        most += 3 * (size_t)process->patches[p]->function_count;
    *size = (most + 1) * sizeof *probe->codes;
    if (!(probe->codes = weft_reserve(*size)))
        return 0;
    for (uint32_t m = 0; m < process->module_count; m++)
        if (!process->modules[m].gone)
            add_codes_of_module(probe, &process->modules[m]);
    sort(probe->codes, probe->code_count);
    probe->lowest = UINTPTR_MAX;
    for (uint32_t i = 0; i < probe->code_count; i++) {
        probe->lowest = probe->codes[i].first < probe->lowest ? probe->codes[i].first : probe->lowest;
        probe->highest = probe->codes[i].last > probe->highest ? probe->codes[i].last : probe->highest;
    }
    return 1;
}

// ---- Looking at a stack ----

static void note_hit(struct probe *probe, uint32_t index)
{
    for (uint32_t i = 0; i < probe->hit_count; i++)
        if (probe->codes[probe->hits[i]].name == probe->codes[index].name)
            return;
    if (probe->hit_count < HITS)
        probe->hits[probe->hit_count++] = index;
}

static void look_at_word(struct probe *probe, uintptr_t word)
{
    if (word < probe->lowest || word > probe->highest)
        return;
    uint32_t low = 0, high = probe->code_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (probe->codes[middle].first <= word)
            low = middle + 1;
        else
            high = middle;
    }
    if (low && word <= probe->codes[low - 1].last)
        note_hit(probe, low - 1);
}

/// Memory that may go away meanwhile, but for this thread's own.
static int read_memory(struct probe *probe, void *to, uintptr_t from, size_t size)
{
    struct iovec local = {to, size}, remote = {(void *)from, size};
    long self = raw_syscall(SYS_getpid), got = raw_syscall(SYS_process_vm_readv, self, &local, 1, &remote, 1, 0);
    probe->is_denied |= got == -EPERM || got == -ENOSYS;
    if (probe->is_denied && probe->is_own)
        memcpy(to, (const void *)from, size);
    return got == (long)size || (probe->is_denied && probe->is_own);
}

#define FRAME_WORDS 5 ///< of a ucontext_t: uc_flags, uc_link, uc_stack
#define LARGEST_STACK ((uintptr_t)1 << 30)

/// The stack pointer that a signal's frame on an alternate stack has saved, if that is what is at `address`. It says itself where the
/// alternate stack is, which nothing else does that lies there.
static uintptr_t left_stack(struct probe *probe, const uintptr_t *words, uintptr_t address)
{
    ucontext_t frame;
    uintptr_t flags = words[0], link = words[1], from = words[2], size = words[4];
    if (flags > 7 || link || size > LARGEST_STACK || address < from || address - from >= size)
        return 0;
    if (find_end(probe, address) - address < sizeof frame || !read_memory(probe, &frame, address, offsetof(ucontext_t, uc_mcontext) + sizeof frame.uc_mcontext))
        return 0;
    return weft_hotpatch_place_of(&frame).sp;
}

struct stacks {
    struct mapping range[STACKS];
    uint32_t count;
};

/// Adds the stack from `sp` on, unless it has been looked at.
static void add_stack(struct probe *probe, struct stacks *stacks, uintptr_t sp)
{
    sp &= ~(uintptr_t)(sizeof(uintptr_t) - 1);
    for (uint32_t i = 0; i < stacks->count; i++)
        if (sp >= stacks->range[i].from && sp < stacks->range[i].to)
            return;
    uintptr_t end = find_end(probe, sp);
    if (!end) {
        read_mappings(probe);
        end = find_end(probe, sp);
    }
    if (!end || stacks->count == STACKS)
        probe->is_lost = 1;
    else
        stacks->range[stacks->count++] = (struct mapping){sp, end};
}

static void look_at_words(struct probe *probe, struct stacks *stacks, uintptr_t address, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        look_at_word(probe, probe->words[i]);
        uintptr_t other = i + FRAME_WORDS <= count ? left_stack(probe, probe->words + i, address + i * sizeof(uintptr_t)) : 0;
        if (other)
            add_stack(probe, stacks, other);
    }
}

static void look_at_stack(struct probe *probe, struct stacks *stacks, struct mapping range)
{
    const size_t step = (WORDS - FRAME_WORDS) * sizeof(uintptr_t); // parts overlap, so that a frame is in one of them
    for (uintptr_t at = range.from; at < range.to; at += step) {
        size_t size = range.to - at < sizeof probe->words ? range.to - at : sizeof probe->words;
        if (!read_memory(probe, probe->words, at, size)) {
            probe->is_lost = 1;
            return;
        }
        look_at_words(probe, stacks, at, size / sizeof(uintptr_t));
    }
}

/// Leaves what was found in hits; 0 when the thread's stack could not be read.
static int look(struct probe *probe, const struct weft_hotpatch_place *place, int is_own)
{
    struct stacks stacks = {.count = 0};
    probe->hit_count = probe->is_lost = 0;
    probe->is_own = (uint32_t)is_own;
    look_at_word(probe, place->pc);
    look_at_word(probe, place->link);
    add_stack(probe, &stacks, place->sp);
    for (uint32_t i = 0; i < stacks.count; i++)
        look_at_stack(probe, &stacks, stacks.range[i]);
    return !probe->is_lost;
}

struct weft_hotpatch_place weft_hotpatch_place_of(const void *context)
{
    const mcontext_t *machine = &((const ucontext_t *)context)->uc_mcontext;
#if defined(__x86_64__)
    return (struct weft_hotpatch_place){(uintptr_t)machine->gregs[REG_RIP], (uintptr_t)machine->gregs[REG_RSP], 0};
#else
    return (struct weft_hotpatch_place){machine->pc, machine->sp, machine->regs[30]};
#endif
}

// ---- A thread that runs ----

static int64_t now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

static int set_probed(uint32_t expected, uint32_t value)
{
    return __atomic_compare_exchange_n(&process->probed, &expected, value, 0, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED);
}

int weft_hotpatch_answer_probe(const siginfo_t *information, const void *context)
{
    uint32_t self = (uint32_t)raw_syscall(SYS_gettid);
    if (set_probed(self, ANSWERING)) {
        struct weft_hotpatch_place place = weft_hotpatch_place_of(context);
        look(process->probe, &place, 1);
        __atomic_store_n(&process->probed, ANSWERED, __ATOMIC_RELEASE);
        raw_syscall(SYS_futex, &process->probed, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
    }
    return information->si_code == SI_QUEUE && information->si_value.sival_ptr == process;
}

static int send_mark(pid_t thread)
{
    siginfo_t information;
    memset(&information, 0, sizeof information);
    information.si_signo = URGENT;
    information.si_code = SI_QUEUE;
    information.si_pid = (pid_t)raw_syscall(SYS_getpid);
    information.si_uid = (uid_t)raw_syscall(SYS_getuid);
    information.si_value.sival_ptr = process;
    return raw_syscall(SYS_rt_tgsigqueueinfo, information.si_pid, thread, URGENT, &information) == 0;
}

/// Has a thread look at itself. 0 when it has not within `patience` nanoseconds; it never will then.
static int ask(struct probe *probe, pid_t thread, int64_t patience)
{
    int64_t until = now() + patience;
    process->probe = probe;
    __atomic_store_n(&process->probed, (uint32_t)thread, __ATOMIC_RELEASE);
    int is_sent = send_mark(thread);
    for (uint32_t seen; (seen = __atomic_load_n(&process->probed, __ATOMIC_ACQUIRE)) != ANSWERED;) {
        struct timespec moment = {0, 1000 * 1000};
        int is_over = !is_sent || now() > until || weft_thread_is_gone(thread);
        if (is_over && seen == (uint32_t)thread && set_probed(seen, 0))
            return 0;
        raw_syscall(SYS_futex, &process->probed, FUTEX_WAIT_PRIVATE, seen, &moment, NULL, 0);
    }
    __atomic_store_n(&process->probed, 0, __ATOMIC_RELAXED);
    return !probe->is_lost;
}

// ---- A thread that waits ----

struct standing {
    uint64_t switches; ///< how often it has been taken off a processor
    int is_deaf;       ///< to SIGURG
};

static const char *field(const char *text, const char *name)
{
    const char *found = strstr(text, name);
    return found ? found + strlen(name) : "";
}

static uint64_t decimal(const char *text)
{
    uint64_t value = 0;
    while (*text == ' ' || *text == '\t')
        text++;
    for (; *text >= '0' && *text <= '9'; text++)
        value = value * 10 + (uint64_t)(*text - '0');
    return value;
}

/// 0: the thread is gone.
static int read_standing(struct probe *probe, pid_t thread, struct standing *standing)
{
    if (!read_of_thread(thread, "status", probe->text, sizeof probe->text))
        return 0;
    const char *blocked = field(probe->text, "SigBlk:");
    while (*blocked == ' ' || *blocked == '\t')
        blocked++;
    standing->is_deaf = (int)(hexadecimal(&blocked) >> (URGENT - 1) & 1);
    standing->switches = decimal(field(probe->text, "\nvoluntary_ctxt_switches:")) + decimal(field(probe->text, "nonvoluntary_ctxt_switches:"));
    return 1;
}

enum { RUNS, WAITS, GONE };

/// Where a thread waits: the last two of /proc's words are its stack pointer and its next instruction.
static int read_waiting(struct probe *probe, pid_t thread, struct weft_hotpatch_place *place)
{
    size_t size = read_of_thread(thread, "syscall", probe->text, sizeof probe->text);
    if (size == 0 || probe->text[0] == 'r')
        return RUNS; // or the system does not say
    const char *end = probe->text + size, *words[2] = {NULL, NULL};
    for (const char *c = end; c > probe->text && !words[0]; c--)
        if (c[-1] == 'x')
            *(words[1] ? &words[0] : &words[1]) = c;
    if (!words[0])
        return RUNS;
    *place = (struct weft_hotpatch_place){.sp = hexadecimal(&words[0]), .pc = hexadecimal(&words[1])};
    return place->sp ? WAITS : GONE;
}

static int is_still_there(struct probe *probe, pid_t thread, uint64_t switches)
{
    struct weft_hotpatch_place place;
    struct standing standing;
    return read_waiting(probe, thread, &place) == WAITS && read_standing(probe, thread, &standing) && standing.switches == switches;
}

#define ATTEMPTS 4
#define PATIENCE 20000000 ///< nanoseconds for one thread
#define BUDGET 60000000   ///< for all: the thread that asks is the program's

/// 0: nobody can tell where it is.
static int look_at_thread(struct probe *probe, pid_t thread)
{
    for (int attempt = 0; attempt < ATTEMPTS; attempt++) {
        struct standing standing;
        struct weft_hotpatch_place place;
        probe->hit_count = 0;
        if (!read_standing(probe, thread, &standing))
            return 1;
        int state = read_waiting(probe, thread, &place);
        if (state == GONE)
            return 1;
        if (state == WAITS && look(probe, &place, 0) && is_still_there(probe, thread, standing.switches))
            return 1;
        int64_t left = probe->until - now();
        if ((state == RUNS || probe->is_denied) && !standing.is_deaf && left > 0 && ask(probe, thread, left < PATIENCE ? left : PATIENCE))
            return 1;
    }
    probe->hit_count = 0;
    return 0;
}

// ---- All threads ----

struct entry_of_folder {
    uint64_t number, offset;
    uint16_t size;
    uint8_t kind;
    char name[];
};

static uint32_t list_threads(struct probe *probe, pid_t *threads)
{
    uint32_t count = 0;
    long descriptor = raw_syscall(SYS_openat, AT_FDCWD, "/proc/self/task", O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
    if (descriptor < 0)
        return 0;
    for (long got; (got = raw_syscall(SYS_getdents64, descriptor, probe->text, sizeof probe->text)) > 0;)
        for (long at = 0; at < got;) {
            const struct entry_of_folder *entry = (const struct entry_of_folder *)(probe->text + at);
            if (entry->name[0] != '.' && count < THREADS)
                threads[count++] = (pid_t)decimal(entry->name);
            at += entry->size;
        }
    raw_syscall(SYS_close, descriptor);
    return count;
}

/// Lists until two lists are the same: while threads end the system may leave out others. 0: they never were.
static uint32_t list_all_threads(struct probe *probe)
{
    uint32_t before = list_threads(probe, probe->threads[0]);
    for (int attempt = 0; attempt < 100; attempt++) {
        uint32_t count = list_threads(probe, probe->threads[1]);
        if (count == before && memcmp(probe->threads[0], probe->threads[1], count * sizeof(pid_t)) == 0)
            return count;
        memcpy(probe->threads[0], probe->threads[1], count * sizeof(pid_t));
        before = count;
    }
    return 0;
}

static void tell(const struct probe *probe, pid_t thread, int is_seen, weft_hotpatch_witness *witness, void *context)
{
    if (!is_seen)
        witness(context, thread, NULL);
    for (uint32_t i = 0; is_seen && i < probe->hit_count; i++)
        witness(context, thread, probe->codes[probe->hits[i]].name);
}

static void look_at_all(struct probe *probe, const struct weft_hotpatch_place *own, weft_hotpatch_witness *witness, void *context)
{
    pid_t self = (pid_t)raw_syscall(SYS_gettid);
    uint32_t count = list_all_threads(probe);
    read_mappings(probe);
    probe->until = now() + BUDGET;
    if (count == 0)
        witness(context, self, NULL);
    for (uint32_t i = 0; i < count; i++) {
        pid_t thread = probe->threads[0][i];
        int is_seen = thread == self ? look(probe, own, 1) : look_at_thread(probe, thread);
        tell(probe, thread, is_seen, witness, context);
    }
}

int weft_hotpatch_inside(const struct weft_hotpatch_place *self, weft_hotpatch_witness *witness, void *context)
{
    size_t size = 0;
    struct probe *probe = weft_reserve(sizeof *probe);
    int result = probe && find_codes(probe, &size) ? 0 : WEFT_HOTPATCH_NO_MEMORY;
    if (!result && probe->code_count)
        look_at_all(probe, self, witness, context);
    if (!result)
        munmap(probe->codes, size);
    if (probe)
        munmap(probe, sizeof *probe);
    for (uint32_t p = 0; p < process->patch_count; p++)
        process->patches[p]->chosen = 0;
    return result;
}
