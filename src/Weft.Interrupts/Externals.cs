namespace Weft.Interrupts;

/// <summary>What calling a function that is not woven means.</summary>
internal enum External
{
    /// <summary>Nobody knows: it may be woven elsewhere, and may call back.</summary>
    Unknown,

    /// <summary>Short, and never enters woven code.</summary>
    Short,

    /// <summary>May block or take long: the clock is looked at afterwards.</summary>
    Slow,
}

/// <summary>Functions of the C library and of Rust's standard library that everybody calls.</summary>
internal static class Externals
{
    private static readonly HashSet<string> ShortNames = [.. Words("""
        sin cos tan asin acos atan atan2 sinh cosh tanh exp exp2 expm1 log log2 log10 log1p pow sqrt cbrt hypot fmod remainder floor ceil round trunc rint fabs ldexp frexp modf
        sinf cosf tanf asinf acosf atanf atan2f expf exp2f logf log2f log10f powf sqrtf fmodf floorf ceilf roundf truncf fmin fmax fma fmaf
        memcpy memmove memset memcmp bcmp memchr memrchr memmem strlen strnlen strcmp strncmp strcasecmp strncasecmp strcpy strncpy strcat strncat strchr strrchr strstr strspn strcspn strpbrk strtok strtok_r stpcpy rawmemchr
        __memcpy_chk __memmove_chk __memset_chk __strcpy_chk __strcat_chk __strncpy_chk
        malloc free calloc realloc posix_memalign aligned_alloc malloc_usable_size reallocarray
        _Znwm _Znam _ZdlPv _ZdlPvm _ZdaPv _ZdaPvm _ZnwmSt11align_val_t _ZdlPvSt11align_val_t _ZdlPvmSt11align_val_t
        abs labs atoi atol strtol strtoul strtoll strtoull strtod isalpha isdigit isspace isalnum toupper tolower __ctype_b_loc __ctype_tolower_loc __ctype_toupper_loc __errno_location
        rand random srand srandom rand_r time clock clock_gettime gettimeofday getpid pthread_self pthread_getspecific pthread_setspecific pthread_mutex_unlock pthread_equal pthread_mutex_trylock
        __cxa_begin_catch __cxa_end_catch __cxa_allocate_exception __cxa_free_exception __cxa_guard_acquire __cxa_guard_release __cxa_atexit
        __rust_alloc __rust_dealloc __rust_realloc __rust_alloc_zeroed __rust_no_alloc_shim_is_unstable
        weft_interrupts_count weft_interrupts_fired weft_interrupts_active weft_interrupts_flag weft_metering_count
        """)];

    private static readonly HashSet<string> SlowNames = [.. Words("""
        read write pread pwrite pread64 pwrite64 readv writev open open64 openat close lseek lseek64 stat fstat lstat fsync fdatasync rename unlink mkdir rmdir access dup dup2 pipe fcntl ioctl mmap munmap mprotect madvise mremap brk syscall
        recv recvfrom recvmsg send sendto sendmsg accept accept4 connect bind listen socket shutdown poll ppoll select pselect epoll_wait epoll_ctl getrandom
        fopen fopen64 fclose fread fwrite fgets fputs fputc putc puts putchar getc fgetc getchar getline printf fprintf vfprintf vprintf dprintf fflush perror scanf fscanf __printf_chk __fprintf_chk fseek fseeko
        sprintf snprintf vsnprintf sscanf strftime localtime localtime_r gmtime_r getenv setenv __snprintf_chk __sprintf_chk
        sleep usleep nanosleep clock_nanosleep sched_yield pause wait waitpid fork vfork execve posix_spawn system kill raise sigprocmask pthread_sigmask sigaction sigwait
        pthread_create pthread_join pthread_mutex_lock pthread_cond_wait pthread_cond_timedwait pthread_cond_signal pthread_cond_broadcast pthread_rwlock_rdlock pthread_rwlock_wrlock pthread_barrier_wait sem_wait sem_post sem_timedwait
        opendir readdir readdir64 closedir getcwd chdir realpath
        _ZNSo5flushEv _ZNSo3putEc _ZNSo5writeEPKcl _ZNSt6thread4joinEv _ZNSt18condition_variable4waitERSt11unique_lockISt5mutexE
        """)];

    private static readonly string[] SlowRustPaths = ["3std2io", "3std2fs", "3std3net", "3std6thread", "3std7process", "3std3sys", "3std4sync"];

    public static External KindOf(string name)
    {
        if (ShortNames.Contains(name)) return External.Short;
        if (SlowNames.Contains(name)) return External.Slow;
        if (name.StartsWith("_ZN", StringComparison.Ordinal) || name.StartsWith("_R", StringComparison.Ordinal))
        {
            if (name.Contains("__rust_", StringComparison.Ordinal)) return External.Short;
            foreach (var path in SlowRustPaths)
                if (name.Contains(path, StringComparison.Ordinal)) return External.Slow;
        }
        return External.Unknown;
    }

    private static string[] Words(string text) => text.Split([' ', '\n', '\r'], StringSplitOptions.RemoveEmptyEntries);
}
