// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The slow half of recording: threads' buffers, which are pieces of the trace file mapped into memory. The fast half is in
// tracing_x86_64.S and tracing_aarch64.S: it takes the next place in the block at hand. Code here runs between a function
// and its caller, possibly in a signal handler: no libc, no errno, no vector registers, all signals blocked.
//
// Behind each buffer lie two blocks' worth of memory that are in no file. When a record's place is the first behind a block,
// a signal handler may write more records there before the slow half gets to run; those are moved to where they belong.

#include "tracing_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>

#define LARGEST_EXTENT ((size_t)1 << 20)
#define MAGIC 0x42544657u
#define POOL ((size_t)16 << 20)

struct block_header {
    uint32_t magic;
    uint16_t kind, zero;
    uint32_t thread, id;
    uint64_t sequence, clock;
    uint32_t used, reserved;
    char name[16];
    uint64_t reserved2;
};

_Static_assert(sizeof(struct block_header) == BLOCK_HEADER, "the header is part of the file's format");

// ---- Clocks ----

uint64_t weft_tracing_monotonic(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now); // the vDSO's: no system call
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

uint64_t weft_tracing_clock(void)
{
    if (process->clock_kind == 2)
        return weft_tracing_monotonic();
#if defined(__x86_64__)
    uint32_t low, high;
    __asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
    return (uint64_t)high << 32 | low;
#else
    uint64_t ticks;
    __asm__ volatile("mrs %0, cntvct_el0" : "=r"(ticks));
    return ticks;
#endif
}

/// Both clocks at once, or nearly: the thread may be interrupted between two looks, and the first look faults.
struct weft_tracing_moment weft_tracing_look(void)
{
    struct weft_tracing_moment best = {0, 0};
    uint64_t least = UINT64_MAX;
    for (int i = 0; i < 5; i++) {
        uint64_t before = weft_tracing_clock(), nanoseconds = weft_tracing_monotonic(), taken = weft_tracing_clock() - before;
        if (taken < least) {
            least = taken;
            best = (struct weft_tracing_moment){before + taken / 2, nanoseconds};
        }
    }
    return best;
}

void weft_tracing_calibrate(void)
{
    if (!process->header)
        return;
    struct weft_tracing_moment now = weft_tracing_look();
    *(volatile uint64_t *)(process->header + 56) = now.ticks;
    *(volatile uint64_t *)(process->header + 64) = now.nanoseconds;
}

// ---- The process's parts: rarely touched, under a lock that signal handlers cannot meet ----

static void lock(void)
{
    while (__atomic_exchange_n(&process->spin, 1, __ATOMIC_ACQUIRE))
        raw_syscall(SYS_sched_yield);
}

static void unlock(void)
{
    __atomic_store_n(&process->spin, 0, __ATOMIC_RELEASE);
}

static void block_signals(uint64_t *saved)
{
    uint64_t all = ~(uint64_t)0;
    raw_syscall(SYS_rt_sigprocmask, SIG_SETMASK, &all, saved, sizeof all);
}

static void restore_signals(const uint64_t *saved)
{
    raw_syscall(SYS_rt_sigprocmask, SIG_SETMASK, saved, 0, sizeof *saved);
}

/// Bits of the header's state (docs/tracing-format.md).
void weft_tracing_set_state(uint32_t bit)
{
    if (process->header)
        __atomic_fetch_or((uint32_t *)(process->header + 88), bit, __ATOMIC_RELAXED);
}

static void say_once(uint32_t bit, const char *text)
{
    if (!(__atomic_fetch_or(&process->complained, bit, __ATOMIC_RELAXED) & bit))
        raw_syscall(SYS_write, 2, text, text_length(text));
}

static void *map(size_t size, int protection, int flags, int descriptor, uint64_t offset, void *at)
{
    long result = raw_syscall(SYS_mmap, at, size, protection, flags, descriptor, offset);
    return result < 0 && result > -4096 ? NULL : (void *)result;
}

static const char zeros[4096];

/// Room in the file that is really there: a mapping of a hole in a full disk would end the program.
static int grow(uint64_t offset, uint64_t size)
{
    long result = raw_syscall(SYS_fallocate, process->descriptor, 0, offset, size);
    if (result != -EOPNOTSUPP && result != -ENOSYS)
        return (int)result;
    for (uint64_t at = 0; at < size; at += 4096) {
        result = raw_syscall(SYS_pwrite64, process->descriptor, zeros, sizeof zeros, offset + at);
        if (result != 4096)
            return result < 0 ? (int)result : -ENOSPC;
    }
    return 0;
}

static int is_file(long descriptor)
{
    struct stat status;
    return raw_syscall(SYS_fstat, descriptor, &status) == 0 && status.st_dev == process->device && status.st_ino == process->inode;
}

/// Daemons close what they have not opened, and then the number is some other file's.
static int find_file(void)
{
    if (is_file(process->descriptor))
        return 0;
    long descriptor = raw_syscall(SYS_openat, AT_FDCWD, process->tables->file_path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
    if (descriptor < 0)
        return (int)descriptor;
    if (!is_file(descriptor)) {
        raw_syscall(SYS_close, descriptor);
        return -EBADF;
    }
    process->descriptor = (int)descriptor;
    return 0;
}

static int take(uint64_t size, uint64_t *offset)
{
    if (process->file_end - process->holes + size > process->size_limit) {
        weft_tracing_set_state(4);
        say_once(1, "weft: tracing: the trace has reached its size limit and is complete up to here; WEFT_TRACING_SIZE sets a larger one, WEFT_TRACING_RING keeps the latest events instead\n");
        return -EFBIG;
    }
    int error = find_file();
    if (!error)
        error = grow(process->file_end, size);
    if (error) {
        weft_tracing_set_state(2);
        say_once(2, error == -ENOSPC || error == -EDQUOT ? "weft: tracing: the disk is full: events are being lost\n" : "weft: tracing: the trace file cannot grow: events are being lost\n");
        return error;
    }
    *offset = process->file_end;
    process->file_end += size;
    return 0;
}

char *weft_tracing_map_block(uint64_t *offset)
{
    uint64_t saved;
    block_signals(&saved);
    lock();
    int error = take(BLOCK, offset);
    unlock();
    restore_signals(&saved);
    return error ? NULL : map(BLOCK, PROT_READ | PROT_WRITE, MAP_SHARED, process->descriptor, *offset, NULL);
}

// ---- The file ----

/// The pattern with %p and %n replaced, and a number behind it from the second try on.
static int file_name(char *to, size_t size, unsigned attempt)
{
    size_t used = 0;
    char number[24];
    for (const char *from = process->tables->file_pattern; *from; from++) {
        const char *text = from;
        size_t length = 1;
        if (from[0] == '%' && (from[1] == 'p' || from[1] == 'n')) {
            text = from[1] == 'n' ? process->tables->program : weft_digits(number, (uint64_t)process->pid);
            length = text_length(text);
            from++;
        }
        if (used + length >= size)
            return -ENAMETOOLONG;
        copy_bytes(to + used, text, length);
        used += length;
    }
    if (attempt) {
        const char *text = weft_digits(number, attempt);
        size_t length = text_length(text);
        if (used + length + 1 >= size)
            return -ENAMETOOLONG;
        to[used++] = '.';
        copy_bytes(to + used, text, length);
        used += length;
    }
    to[used] = '\0';
    return 0;
}

/// Creates the folders of a path, as far as they are missing.
static void make_folders(char *path)
{
    for (char *at = path + 1; *at; at++)
        if (*at == '/') {
            *at = '\0';
            raw_syscall(SYS_mkdirat, AT_FDCWD, path, 0777);
            *at = '/';
        }
}

static void fill_header(char *header)
{
    copy_bytes(header, "WEFTTRC", 8);
    *(uint16_t *)(header + 8) = 1;
    header[10] = ARCHITECTURE;
    header[11] = (char)process->clock_kind;
    *(uint32_t *)(header + 12) = BLOCK;
    uint64_t *words = (uint64_t *)(header + 16);
    words[0] = (uint64_t)process->pid;
    words[1] = (uint64_t)raw_syscall(SYS_getppid);
    words[2] = process->started;
    words[3] = process->started_monotonic;
    words[4] = process->started_wall;
    words[7] = process->frequency;
    *(uint32_t *)(header + 92) = process->ring ? 1 : 0;
    *(uint64_t *)(header + 96) = process->cost;
    raw_syscall(SYS_readlinkat, AT_FDCWD, "/proc/self/exe", header + 256, 4095);
    int arguments = (int)raw_syscall(SYS_openat, AT_FDCWD, "/proc/self/cmdline", O_RDONLY | O_CLOEXEC);
    if (arguments >= 0) {
        raw_syscall(SYS_read, arguments, header + 8192, 8191);
        raw_syscall(SYS_close, arguments);
    }
}

/// Creates the process's trace file. 0 or a negative errno value; also safe in a signal handler or a forked child.
int weft_tracing_open_file(void)
{
    long descriptor = -EEXIST;
    for (unsigned attempt = 0; descriptor == -EEXIST && attempt < 1000; attempt++) {
        int error = file_name(process->tables->file_path, sizeof process->tables->file_path, attempt);
        if (error)
            return error;
        make_folders(process->tables->file_path);
        descriptor = raw_syscall(SYS_openat, AT_FDCWD, process->tables->file_path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    }
    if (descriptor < 0)
        return (int)descriptor;
    struct stat status = {0};
    raw_syscall(SYS_fstat, descriptor, &status);
    process->device = status.st_dev;
    process->inode = status.st_ino;
    process->descriptor = (int)descriptor;
    process->file_end = BLOCK;
    int error = grow(0, BLOCK);
    char *header = error ? NULL : map(BLOCK, PROT_READ | PROT_WRITE, MAP_SHARED, process->descriptor, 0, NULL);
    if (!header) {
        raw_syscall(SYS_unlinkat, AT_FDCWD, process->tables->file_path, 0);
        raw_syscall(SYS_close, process->descriptor);
        return error ? error : -ENOMEM;
    }
    fill_header(header);
    process->header = header;
    weft_tracing_calibrate();
    return 0;
}

// ---- A process after fork() ----

/// A file of the child's own with what the parent had described; its events stay the parent's. The name is the parent's
/// pattern with this process's id.
static void make_childs_file(void)
{
    int lost = process->recording && find_file();
    int parent = process->descriptor;
    char *header = process->header;
    process->pid = (pid_t)raw_syscall(SYS_getpid);
    process->header = NULL;
    process->buffers = process->recycle = NULL;
    process->metadata = NULL; // the parent goes on with its own
    process->holes = 0;
    process->threads = 0;
    if (!process->recording || weft_tracing_open_file() != 0) {
        process->recording = 0;
        return;
    }
    weft_tracing_set_state(16);
    for (uint64_t i = 0; !lost && i < process->metadata_blocks && i < METADATA_BLOCKS; i++) {
        uint64_t to = 0;
        char *block = map(BLOCK, PROT_READ, MAP_SHARED, parent, process->tables->metadata_at[i], NULL);
        if (!block || take(BLOCK, &to) != 0)
            break;
        raw_syscall(SYS_pwrite64, process->descriptor, block, BLOCK, to);
        raw_syscall(SYS_munmap, block, BLOCK);
        process->tables->metadata_at[i] = to;
    }
    raw_syscall(SYS_munmap, header, BLOCK);
    if (!lost)
        raw_syscall(SYS_close, parent);
}

/// Once, whichever thread is first.
static void begin_child(void)
{
    uint32_t to_do = 1;
    if (__atomic_compare_exchange_n(&process->forked, &to_do, 2, 0, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED)) {
        make_childs_file();
        __atomic_store_n(&process->forked, 0, __ATOMIC_RELEASE);
    }
    while (__atomic_load_n(&process->forked, __ATOMIC_ACQUIRE))
        raw_syscall(SYS_sched_yield);
}

// ---- Records ----

static void store(char *place, uint32_t word, uint32_t second)
{
    ((uint32_t *)place)[0] = word;
    ((uint32_t *)place)[1] = second;
}

static uint32_t other(uint32_t type, uint32_t argument)
{
    return argument << WEFT_TRACING_ARGUMENT_SHIFT | type << WEFT_TRACING_TYPE_SHIFT | WEFT_TRACING_OTHER;
}

/// What is written from here on is for this process's file, also in a child that has not recorded anything yet.
void weft_tracing_own_file(void)
{
    uint64_t saved;
    if (!__atomic_load_n(&process->forked, __ATOMIC_ACQUIRE))
        return;
    block_signals(&saved);
    begin_child();
    restore_signals(&saved);
}

// ---- Buffers ----

/// Whether what the calling thread does is not wanted. It may get its name at any time.
static int is_excluded(pid_t id)
{
    char name[16] = {0}, number[24];
    if (!process->filters.threads)
        return 0;
    raw_syscall(SYS_prctl, PR_GET_NAME, name);
    int excluded = !weft_tracing_is_among(name, process->tables->threads) && !weft_tracing_is_among(weft_digits(number, (uint64_t)id), process->tables->threads);
    __atomic_fetch_or(&process->filters.threads, excluded ? THREAD_EXCLUDED : THREAD_INCLUDED, __ATOMIC_RELAXED);
    return excluded;
}

static struct weft_tracing_buffer *new_buffer(void)
{
    if (!process->pool || process->pool == process->pool_end) {
        process->pool = map(POOL, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0, NULL);
        process->pool_end = process->pool ? process->pool + POOL / sizeof *process->pool : NULL;
    }
    return process->pool ? process->pool++ : NULL;
}

/// Maps `size` bytes of the file, or of nothing, at a multiple of BLOCK, with two blocks of memory behind. What the buffer had
/// before stays mapped.
static int map_extent(struct weft_tracing_buffer *buffer, size_t size, int descriptor, uint64_t offset)
{
    size_t room = size + 3 * BLOCK;
    char *mapping = map(room, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0, NULL);
    if (!mapping)
        return -1;
    char *base = (char *)(((uintptr_t)mapping + BLOCK - 1) & ~(BLOCK - 1));
    if (descriptor >= 0 && !map(size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED | MAP_POPULATE, descriptor, offset, base)) {
        raw_syscall(SYS_munmap, mapping, room);
        return -1;
    }
    buffer->mapping = mapping;
    buffer->mapping_size = room;
    buffer->base = base;
    buffer->size = size;
    buffer->offset = offset;
    buffer->discards = descriptor < 0;
    return 0;
}

/// Maps the next piece of the file, or memory when there is none or the thread is excluded.
static void next_extent(struct weft_tracing_buffer *buffer)
{
    size_t size = process->ring ? process->ring : buffer->base && !buffer->discards ? buffer->size * 2 : BLOCK;
    if (size > LARGEST_EXTENT && !process->ring)
        size = LARGEST_EXTENT;
    uint64_t offset = 0;
    lock();
    int wanted = process->recording && !buffer->excluded;
    int error = wanted ? take(size, &offset) : -EIO;
    if (error && size > BLOCK && wanted)
        error = take(size = BLOCK, &offset);
    unlock();
    if (!error && map_extent(buffer, size, process->descriptor, offset) == 0)
        return;
    if (buffer->discards && buffer->base)
        return; // again
    if (map_extent(buffer, BLOCK, -1, 0) != 0) {
        buffer->base = process->sink;
        buffer->size = BLOCK;
        buffer->discards = 1;
    }
}

/// The buffer of a thread that is gone, if one comes up within a few looks; its block ends where it stopped.
static struct weft_tracing_buffer *recycled(pid_t id)
{
    uint32_t excluded = (uint32_t)is_excluded(id);
    for (int looks = 0; looks < 4; looks++) {
        struct weft_tracing_buffer *buffer = process->recycle ? process->recycle : process->buffers;
        if (!buffer)
            return NULL;
        process->recycle = buffer->next;
        if ((buffer->excluded ? excluded : !buffer->discards && !excluded) && (buffer->owner == id || raw_syscall(SYS_tgkill, process->pid, buffer->owner, 0) == -ESRCH)) {
            buffer->owner = id;
            return buffer;
        }
    }
    return NULL;
}

static void begin_block(struct weft_tracing_buffer *buffer, uint64_t clock)
{
    struct block_header *header = (struct block_header *)buffer->block;
    header->kind = 1;
    header->zero = 0;
    header->thread = buffer->thread;
    header->id = (uint32_t)buffer->owner;
    header->sequence = ++buffer->sequence;
    header->clock = clock;
    header->used = header->reserved = 0;
    header->reserved2 = 0;
    raw_syscall(SYS_prctl, PR_GET_NAME, header->name);
    __atomic_store_n(&header->magic, MAGIC, __ATOMIC_RELEASE);
}

static void finish_block(struct weft_tracing_buffer *buffer, uint64_t clock)
{
    struct block_header *header = (struct block_header *)buffer->block;
    if (buffer->excluded)
        return;
    if (process->adaptive && clock > header->clock)
        weft_tracing_adapt(buffer->block, clock - header->clock);
    if (!buffer->discards) {
        header->used = BLOCK;
        return;
    }
    buffer->lost += BLOCK / 8;
    if (process->header)
        __atomic_fetch_add((uint64_t *)(process->header + 80), BLOCK / 8, __ATOMIC_RELAXED);
}

/// What the interrupted code below a signal handler has reserved and not yet written may lie in the old mapping: it stays for
/// the time of some more, without memory.
static void retire(struct weft_tracing_buffer *buffer, char *mapping, size_t size)
{
    unsigned slot = buffer->retirements++ % RETIRED;
    if (buffer->retired[slot].mapping)
        raw_syscall(SYS_munmap, buffer->retired[slot].mapping, buffer->retired[slot].size);
    raw_syscall(SYS_madvise, mapping, size, MADV_DONTNEED);
    buffer->retired[slot].mapping = mapping;
    buffer->retired[slot].size = size;
}

static void choose_block(struct weft_tracing_buffer *buffer)
{
    buffer->excluded = (uint32_t)is_excluded(buffer->owner);
    if (!buffer->excluded && buffer->passed)
        weft_tracing_set_state(16);
    buffer->passed = buffer->excluded ? buffer->passed + 1 : 0;
    int kept = buffer->base && !buffer->discards && !buffer->excluded;
    if (kept && buffer->block + BLOCK < buffer->base + buffer->size) {
        buffer->block += BLOCK;
    } else if (kept && process->ring) {
        buffer->block = buffer->base;
        weft_tracing_set_state(8);
    } else {
        next_extent(buffer);
        buffer->block = buffer->base;
    }
}

/// Where an excluded thread begins in its block: it is to be looked at again soon, and later less often.
static char *short_of_end(const struct weft_tracing_buffer *buffer)
{
    size_t left = buffer->passed < 10 ? (size_t)64 << buffer->passed : BLOCK - BLOCK_HEADER;
    return buffer->block + BLOCK - left;
}

/// Moves on to the next block, wherever that is, and takes `count` bytes of records along that signal handlers have left
/// behind the old one. Returns the first room in the block, with `room` bytes in front of what was moved.
static char *next_block(struct weft_tracing_buffer *buffer, uint64_t clock, size_t room, const char *stash, size_t count)
{
    char *mapping = buffer->mapping;
    size_t mapping_size = buffer->mapping_size;
    choose_block(buffer);
    // The first bytes behind the old block, which may be these, are never part of the stash: somebody has reserved them.
    ((struct block_header *)buffer->block)->magic = 0;
    char *first = buffer->block + BLOCK_HEADER, *to = first + (buffer->lost && !buffer->discards ? 8 : 0);
    // The block may be the very memory that the stash is in, further to the front: from the back.
    for (size_t at = count; at; at -= 8)
        *(volatile uint64_t *)(to + room + at - 8) = *(const volatile uint64_t *)(stash + at - 8);
    if (process->ring)
        clear_bytes(to + room + count, (size_t)(buffer->block + BLOCK - (to + room + count)));
    if (count) // of a thread that is killed here, what was moved must be found
        clear_bytes(first, (size_t)(to + room - first));
    if (to != first) {
        store(first, other(WEFT_TRACING_LOST_RECORD, 0), buffer->lost);
        buffer->lost = 0;
    }
    if (!buffer->excluded)
        begin_block(buffer, clock);
    else if (!room && !count)
        to = short_of_end(buffer);
    if (mapping && mapping != buffer->mapping)
        retire(buffer, mapping, mapping_size);
    if ((buffer->sequence & 15) == 1)
        weft_tracing_calibrate();
    return to;
}

/// The size of a record with its payload.
static size_t size_of(const char *record)
{
    uint32_t what = *(const uint32_t *)record, argument = what >> WEFT_TRACING_ARGUMENT_SHIFT;
    if ((what & 3) != WEFT_TRACING_OTHER)
        return 8;
    switch (what >> WEFT_TRACING_TYPE_SHIFT & 31) {
    case WEFT_TRACING_LANDED_RECORD:
    case WEFT_TRACING_PAD_RECORD:
        return 8 + argument;
    case WEFT_TRACING_VALUES_RECORD:
        return 8 + 8 * (size_t)argument;
    case WEFT_TRACING_EVENT_RECORD:
        return 16 + ((argument + 7) & ~(size_t)7);
    default:
        return 8;
    }
}

/// The block of a thread that is gone ends where it stopped, and what it did not need goes back to the disk: programs may
/// have a thread for each request.
static void give_back(struct weft_tracing_buffer *buffer)
{
    if (buffer->discards)
        return;
    char *end = buffer->block + BLOCK, *at = buffer->block + BLOCK_HEADER;
    while (at < end && *(uint64_t *)at)
        at += size_of(at);
    if (at >= end || process->ring)
        return;
    ((struct block_header *)buffer->block)->used = (uint32_t)(at - buffer->block);
    uint64_t hole = ((uint64_t)(at - buffer->block) + 4095) & ~(uint64_t)4095, size = BLOCK - hole;
    uint64_t offset = buffer->offset + (uint64_t)(buffer->block - buffer->base) + hole;
    lock();
    if (size && find_file() == 0 && raw_syscall(SYS_fallocate, process->descriptor, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, offset, size) == 0)
        process->holes += size;
    unlock();
}

static void attach(uint64_t clock)
{
    pid_t id = (pid_t)raw_syscall(SYS_gettid);
    if (__atomic_load_n(&process->forked, __ATOMIC_ACQUIRE))
        begin_child();
    lock();
    struct weft_tracing_buffer *buffer = recycled(id);
    int fresh = !buffer;
    if (fresh && (buffer = new_buffer()) != NULL) {
        buffer->next = process->buffers;
        buffer->owner = id;
        process->buffers = buffer;
    }
    if (buffer) {
        buffer->thread = ++process->threads;
        buffer->sequence = 0;
        buffer->lost = 0;
        buffer->passed = 0;
    }
    unlock();
    if (!buffer)
        return;
    if (!fresh)
        give_back(buffer);
    self->cursor = next_block(buffer, clock, 0, NULL, 0);
    self->buffer = buffer;
    self->high = (uint32_t)(clock >> 32);
}

/// The calling thread's place for open calls, or NULL. Attaches the thread to a buffer.
struct shadows *weft_tracing_shadows(size_t size)
{
    uint64_t saved;
    struct shadows *shadows = NULL;
    block_signals(&saved);
    if (!self->buffer || self->high == UINT32_MAX)
        attach(weft_tracing_clock());
    if (self->buffer) {
        shadows = self->buffer->shadows;
        if (!shadows)
            shadows = map(size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0, NULL);
        self->buffer->shadows = shadows;
    }
    if (shadows)
        *(uint32_t *)shadows = 0; // nothing is open
    restore_signals(&saved);
    return shadows;
}

// ---- Events ----

static void store_event(char *place, uint32_t word, uint64_t clock, uint64_t stack)
{
    store(place, word & ~(uint32_t)WEFT_TRACING_FRAMED, (uint32_t)clock);
    if (word & WEFT_TRACING_FRAMED)
        store(place + 8, WEFT_TRACING_FRAME_WORD, (uint32_t)stack);
}

/// Ends the block at hand where the records end.
static void close_block(struct weft_tracing_buffer *buffer, char *place, uint64_t clock)
{
    size_t left = (size_t)(buffer->block + BLOCK - place);
    if (left >= 8 && left <= BLOCK - BLOCK_HEADER)
        store(place, other(WEFT_TRACING_PAD_RECORD, (uint32_t)left - 8), 0);
    finish_block(buffer, clock);
}

static char *take_room(size_t size, uint64_t clock);

/// A signal handler has filled all the memory behind the block before what it interrupted there could move on (or instead:
/// it may never return). Its records go into the next block, and what does not fit there into the one after that.
static void move_all(const char *to, uint64_t clock)
{
    struct weft_tracing_buffer *buffer = self->buffer;
    char *end = buffer->block + BLOCK, *from = end + 8;
    // What was interrupted has reserved room across or behind the end, and has not filled it.
    if (*(uint64_t *)(end - 8) == 0)
        store(end - 8, other(WEFT_TRACING_PAD_RECORD, 0), 0);
    while (from < to && *(uint64_t *)from == 0)
        from += 8;
    size_t size = (size_t)(to - from), fit = 0, most = BLOCK - BLOCK_HEADER - 8;
    char rest[BLOCK_HEADER + 8 + 2 * (16 + 512)]; // that much more than fits, and the record on the border
    while (fit < size && fit + size_of(from + fit) <= most)
        fit += size_of(from + fit);
    size_t left = size - fit <= sizeof rest ? size - fit : 0;
    copy_bytes(rest, from + fit, left);
    finish_block(buffer, clock);
    self->cursor = next_block(buffer, clock, 0, from, fit) + fit;
    if (left)
        copy_bytes(take_room(left, clock), rest, left);
}

/// Room for records that stay together, with signals blocked.
static char *take_room(size_t size, uint64_t clock)
{
    struct weft_tracing_buffer *buffer = self->buffer;
    if (self->cursor > buffer->block + BLOCK && self->cursor <= buffer->block + 3 * BLOCK)
        move_all(self->cursor, clock);
    char *place = self->cursor;
    size_t left = (size_t)(buffer->block + BLOCK - place);
    if (place < buffer->block + BLOCK_HEADER || left > BLOCK - BLOCK_HEADER || left < size) {
        close_block(buffer, place, clock);
        place = next_block(buffer, clock, 0, NULL, 0);
        if (place + size > buffer->block + BLOCK) // short_of_end()
            place = buffer->block + BLOCK_HEADER;
    }
    self->cursor = place + size;
    return place;
}

static void turn_clock(uint64_t clock)
{
    if (self->high == (uint32_t)(clock >> 32))
        return;
    self->high = (uint32_t)(clock >> 32);
    store(take_room(8, clock), other(WEFT_TRACING_CLOCK_RECORD, 0), self->high);
}

/// Room that was reserved but lies at the start of a block that has not begun, or reaches into it; signal handlers may have
/// put more behind it. Returns where the room is instead.
static char *room_across(char *place, size_t size, uint64_t clock)
{
    struct weft_tracing_buffer *buffer = self->buffer;
    char *end = buffer->block + BLOCK, *stash = place + size;
    if (place < buffer->block + BLOCK_HEADER || self->cursor < stash || place > end + BLOCK)
        return take_room(size, clock); // a signal handler has moved on to another block since
    if (place > end) {
        move_all(place, clock);
        return take_room(size, clock);
    }
    size_t stashed = (size_t)(self->cursor - stash);
    if (place < end)
        store(place, other(WEFT_TRACING_PAD_RECORD, (uint32_t)(end - place) - 8), 0);
    finish_block(buffer, clock);
    if (stashed > BLOCK - BLOCK_HEADER - 8 - size)
        stashed = 0;
    char *to = next_block(buffer, clock, size, stash, stashed);
    self->cursor = to + size + stashed;
    return to;
}

/// What the trampolines cannot do. `clock` is 0 for untimed events, `place` NULL when nothing has been reserved.
void weft_tracing_slow(uint32_t word, uint64_t clock, uint64_t stack, char *place)
{
    uint64_t saved, now = clock ? clock : weft_tracing_clock();
    size_t size = word & WEFT_TRACING_FRAMED ? 16 : 8;
    block_signals(&saved);
    if (!self->buffer || self->high == UINT32_MAX) {
        attach(now);
        place = NULL;
    }
    if (self->buffer) { // else there is not even memory for one: the next event tries again
        if (!place)
            turn_clock(now);
        else if (!clock)
            self->high = (uint32_t)(now >> 32);
        char *room = place ? room_across(place, size, now) : take_room(size, now);
        store_event(room, word, clock, stack);
    }
    restore_signals(&saved);
}

/// One instruction as far as signals are concerned.
static char *advance_cursor(size_t size)
{
#if defined(__x86_64__)
    uint64_t place = size;
    __asm__ volatile("xaddq %0, %1" : "+r"(place), "+m"(self->cursor) : : "memory");
    return (char *)place;
#else
    return (char *)__atomic_fetch_add((uint64_t *)&self->cursor, size, __ATOMIC_RELAXED);
#endif
}

static char *fill(char *place, uint32_t word, uint64_t clock, const uint64_t *payload, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        ((uint64_t *)place)[1 + i] = payload[i];
    store(place, word, (uint32_t)clock);
    return place;
}

/// A record with its payload, from C. Returns where it is; NULL when there is no memory for a buffer.
char *weft_tracing_put(uint32_t word, uint64_t clock, const uint64_t *payload, unsigned count)
{
    uint64_t saved;
    size_t size = 8 + 8 * (size_t)count;
    char *place = NULL;
    self->latest = clock;
    if (self->buffer && self->high == (uint32_t)(clock >> 32)) {
        place = advance_cursor(size);
        size_t at = (uintptr_t)place & (BLOCK - 1);
        if (at && at + size <= BLOCK)
            return fill(place, word, clock, payload, count);
    }
    block_signals(&saved);
    if (!self->buffer || self->high == UINT32_MAX)
        attach(clock);
    if (self->buffer) {
        if (!place)
            turn_clock(clock);
        place = fill(place ? room_across(place, size, clock) : take_room(size, clock), word, clock, payload, count);
    }
    restore_signals(&saved);
    return place;
}

/// Takes back the record that the thread wrote last, if nothing has been written behind it.
int weft_tracing_take_back(char *behind, size_t size)
{
    char *place = behind - size;
    if (!self->buffer || self->cursor != behind || place < self->buffer->block + BLOCK_HEADER || behind > self->buffer->block + BLOCK)
        return 0;
    // Should a signal handler write behind it after all, what is left is something that readers skip.
    store(place, other(WEFT_TRACING_PAD_RECORD, (uint32_t)size - 8), 0);
    __atomic_compare_exchange_n(&self->cursor, &behind, place, 0, __ATOMIC_RELAXED, __ATOMIC_RELAXED);
    return 1;
}
