using Weft.Core;

namespace Weft.Tests;

/// <summary>Programs woven with <c>interrupts</c>; the oracles are the contract in weft/interrupts.h, and plain clang.</summary>
public sealed class InterruptsTests : IDisposable
{
    private static readonly string Fixtures = Path.Combine(Harness.Root, "tests/fixtures/interrupts");
    private static readonly string[] Clocks = ["cycles", "instructions", "flag"];

    private readonly Harness harness = new();

    public InterruptsTests() => harness.Environment["WEFT_CC"] = "clang-22";

    public void Dispose() => harness.Dispose();

    [TheoryNeeds("clang-22")]
    [MemberData(nameof(Rules))]
    public void A_rule_of_the_header_holds_with_every_clock(string rule)
    {
        Weave("rules.c", "-O2");
        foreach (var clock in Clocks) harness.Must(harness.Path("p"), clock, rule);
    }

    public static TheoryData<string> Rules =>
        [.. File.ReadLines(Path.Combine(Fixtures, "rules.c")).Where(l => l.StartsWith("    RULE(", StringComparison.Ordinal)).Select(l => l.Trim()[5..^2])];

    [TheoryNeeds("clang-22")]
    [InlineData("-O0")]
    [InlineData("-O1")]
    [InlineData("-O3")]
    [InlineData("-Os", "-g")]
    [InlineData("-O2", "-g", "-static")]
    [InlineData("-O1", "-fsanitize=address,undefined")]
    [InlineData("-O2", "--interrupts-clock=instructions")]
    [InlineData("-O2", "--interrupts-max-gap=32")]
    public void The_rules_hold_in_builds_of_every_kind(params string[] flags)
    {
        Weave("rules.c", flags);
        foreach (var clock in Clocks) harness.Must(harness.Path("p"), clock);
    }

    [Needs("clang-22")]
    public void The_rules_hold_where_probes_poll_a_flag()
    {
        Weave("rules.c", "-O2", "--interrupts-clock=flag");
        harness.Must(harness.Path("p"), "flag");
    }

    [Needs("clang-19")]
    public void Clang_19_weaves_the_same()
    {
        harness.Environment["WEFT_CC"] = "clang-19";
        Weave("rules.c", "-O2");
        foreach (var clock in Clocks) harness.Must(harness.Path("p"), clock);
    }

    [TheoryNeeds("clang-22", "qemu-aarch64", "aarch64-linux-gnu-gcc")] // without fork, whose children do not survive in the emulator with threads
    [InlineData("a_handler_is_called_with_what_was_registered")]
    [InlineData("a_handler_may_leave_by_longjmp")]
    [InlineData("a_handler_may_end_its_thread")]
    [InlineData("an_empty_loop_is_interrupted")]
    [InlineData("what_a_handler_disables_stays_disabled")]
    [InlineData("errno_is_kept")]
    public void A_rule_holds_on_aarch64(string rule)
    {
        Weave("rules.c", "-O2", "--target=aarch64-linux-gnu");
        foreach (var clock in (string[])["cycles", "instructions"]) harness.Must("qemu-aarch64", "-L", "/usr/aarch64-linux-gnu", harness.Path("p"), clock, rule);
    }

    [Needs("clang-22", "valgrind")]
    public void The_flag_of_a_thread_that_ended_is_not_written()
    {
        Weave("rules.c", "-O1", "-g");
        foreach (var rule in (string[])["threads_with_timers_end_cleanly", "a_handler_that_deregisters_is_not_called_again"])
            harness.Must("valgrind", "-q", "--error-exitcode=9", "--trace-children=yes", harness.Path("p"), "flag", rule);
    }

    [Needs("clang-22")]
    public void A_program_built_without_weft_links_and_is_never_interrupted()
    {
        harness.Write("p.c", """
            #include <ci_lib.h>
            #include <weft/interrupts.h>
            static void never(long count) { (void)count; __builtin_trap(); }
            int main(void) {
                register_ci(100, 100, never); ci_disable(); ci_enable(); instr_disable(); instr_enable();
                register_ci_disable_hook(0); register_ci_enable_hook(0);
                for (volatile int i = 0; i < 10000000; i++) ;
                *weft_interrupts_flag() = 1;
                deregister_ci();
                return weft_interrupts_active() || weft_interrupts_fired() || weft_interrupts_count() || !weft_interrupts_ticks_per_second();
            }
            """);
        foreach (var compiler in (string[][])[["clang-22", "-I", Path.Combine(Harness.Root, "runtime/include")], [Harness.Weft, "cc", "-I", Path.Combine(Harness.Root, "runtime/include")], [Harness.Weft, "cc", "--with=metering"]])
        {
            harness.Must(compiler[0], [.. compiler[1..], "-O2", "p.c", "-o", "p"]);
            harness.Must(harness.Path("p"));
        }
    }

    [Needs("clang-22")]
    public void Programs_for_the_first_compiler_interrupts_library_run_and_nonsense_changes_nothing()
    {
        harness.Write("p.c", """
            #include <ci_lib.h>
            #include <stdlib.h>
            static volatile long calls, off, on;
            static void handler(long count) { if (count <= 0) abort(); calls++; }
            static void never(long count) { (void)count; abort(); }
            static void disabled(void) { off++; }
            static void enabled(void) { on++; }
            static void work(void) { for (volatile int i = 0; i < 1000000; i++) ; }
            int main(void) {
                register_ci(1000, 10000, handler);
                register_ci(-1, 1000, never); register_ci(1000, -1, never); register_ci(0, 0, never); register_ci(10, 10, 0);
                register_ci_disable_hook(disabled); register_ci_enable_hook(enabled);
                work();
                if (calls == 0) return 1;
                ci_disable(); ci_disable(); ci_enable();
                long before = calls;
                work();
                if (calls != before) return 2;
                ci_enable();
                work();
                if (calls == before || off != 2 || on != 2) return 3;
                deregister_ci_disable_hook(); deregister_ci_enable_hook();
                ci_disable(); ci_enable();
                if (off != 2 || on != 2) return 4;
                deregister_ci(); deregister_ci();
                before = calls;
                work();
                return calls != before ? 5 : 0;
            }
            """);
        foreach (var clock in (string[])["cycles", "instructions"])
        {
            harness.Must(Harness.Weft, "cc", "--with=interrupts", "--interrupts-clock", clock, "-O2", "p.c", "-o", "p");
            harness.Must(harness.Path("p"));
        }
    }

    [TheoryNeeds("clang-22")]
    [InlineData("--interrupts-max-gap", "0")]
    [InlineData("--interrupts-max-gap", "31")]
    [InlineData("--interrupts-max-gap", "-5")]
    [InlineData("--interrupts-max-gap", "abc")]
    [InlineData("--interrupts-max-gap", "1000001")]
    [InlineData("--interrupts-max-gap", "99999999999999999999")]
    [InlineData("--interrupts-clock", "seconds")]
    [InlineData("--interrupts-debug", "perhaps")]
    public void A_value_that_makes_no_sense_is_a_usage_error_that_names_the_option(string option, string value)
    {
        harness.Write("p.c", "int main(void) { return 0; }");
        Harness.AssertToldWell(harness.RunWeft("cc", "--with=interrupts", $"{option}={value}", "p.c", "-o", "p"), ExitCode.Usage, option, value);
        Assert.False(File.Exists(harness.Path("p")));
    }

    [Needs("clang-22")]
    public void The_same_work_is_interrupted_at_the_same_counts_on_every_run()
    {
        harness.Write("p.c", """
            #include <pthread.h>
            #include <stdio.h>
            #include <stdlib.h>
            #include <weft/interrupts.h>
            struct thread { pthread_t id; unsigned n; uint64_t calls, hash, last; unsigned values[999]; };
            static void handler(uint64_t count, void *argument) { struct thread *t = argument; t->calls++; t->last = count; t->hash = (t->hash ^ count) * 1099511628211u; }
            static int compare(const void *a, const void *b) { unsigned x = *(const unsigned *)a, y = *(const unsigned *)b; return (x > y) - (x < y); }
            __attribute__((noinline)) static unsigned collatz(unsigned long n) { unsigned steps = 0; for (; n != 1; steps++) n = n % 2 ? 3 * n + 1 : n / 2; return steps; }
            static void *work(void *argument) {
                struct thread *t = argument;
                weft_interrupts_register(WEFT_INTERRUPTS_INSTRUCTIONS, 777 + t->n, handler, t);
                for (unsigned i = 0; i < 999; i++) t->values[i] = collatz(i * t->n + 1) * 2654435761u;
                for (unsigned k = 0; k < 20; k++) for (unsigned i = 1; i < 999; i++) t->values[i] = t->values[i] * 3 + t->values[i - 1];
                qsort(t->values, 999, sizeof *t->values, compare);
                weft_interrupts_deregister();
                return 0;
            }
            int main(void) {
                static struct thread threads[5];
                for (unsigned i = 0; i < 5; i++) threads[i].n = i + 3;
                work(&threads[0]);
                for (unsigned i = 1; i < 5; i++) pthread_create(&threads[i].id, 0, work, &threads[i]);
                for (unsigned i = 1; i < 5; i++) pthread_join(threads[i].id, 0);
                for (unsigned i = 0; i < 5; i++) printf("%llu %llu %llx\n", (unsigned long long)threads[i].calls, (unsigned long long)threads[i].last, (unsigned long long)threads[i].hash);
                for (unsigned i = 0; i < 5; i++) if (threads[i].calls < 50) return 9;
                return 0;
            }
            """);
        foreach (var level in (string[])["-O0", "-O2"])
        {
            harness.Must(Harness.Weft, "cc", "--with=interrupts", level, "-pthread", "p.c", "-o", "p");
            var first = harness.Must(harness.Path("p")).Output;
            for (var i = 0; i < 20; i++) Assert.Equal(first, harness.Must(harness.Path("p")).Output);
        }
    }

    [Needs("clang-22")]
    public void What_costs_more_than_is_left_is_charged_too()
    {
        // A loop whose rounds cost more than one unit and that nobody but its own probes interrupts.
        harness.Write("p.c", """
            #include <weft/interrupts.h>
            static unsigned long calls, h = 1;
            static unsigned data[64];
            static void handler(uint64_t count, void *argument) { (void)count; ++*(unsigned long *)argument; }
            int main(void) {
                weft_interrupts_register(WEFT_INTERRUPTS_INSTRUCTIONS, 53, handler, &calls);
                for (int i = 0; i < 64000; i++) h = (h ^ data[i & 63]) * 1099511628211u;
                weft_interrupts_deregister();
                return h == 0 || calls < 500 ? 9 : 0;
            }
            """);
        foreach (var level in (string[])["-O1", "-O2", "-O3"])
        {
            harness.Must(Harness.Weft, "cc", "--with=interrupts", level, "p.c", "-o", "p");
            harness.Must(harness.Path("p"));
        }
    }

    [Needs("cargo")]
    public void What_was_placed_in_an_executable_is_explained_although_rustc_keeps_what_links_say()
    {
        harness.Write("Cargo.toml", "[package]\nname = \"explained\"\nversion = \"0.1.0\"\nedition = \"2021\"\n");
        harness.Write("src/main.rs", """
            #[no_mangle]
            #[inline(never)]
            pub extern "C" fn a_function_with_a_loop(rounds: u64) -> u64 { (0..rounds).fold(1, |sum, i| std::hint::black_box(sum ^ i)) }
            fn main() { assert!(a_function_with_a_loop(9) != 7) }
            """);
        var build = harness.Must(Harness.Weft, "cargo", "build", "--release", "--with", "interrupts", "--interrupts-debug", "on");
        Assert.Matches("(?m)^a_function_with_a_loop\n  .*units", build.Errors);
    }

    [Needs("clang-22")]
    public void The_way_back_out_of_deep_recursion_passes_probes()
    {
        harness.Write("p.c", """
            #include <weft/interrupts.h>
            static volatile int returning;
            static unsigned calls[2];
            static void handler(uint64_t count, void *argument) { (void)count; ((unsigned *)argument)[returning]++; }
            __attribute__((noinline)) static unsigned at_once(unsigned n) { if (n == 0) { returning = 1; return 7; } return at_once(n - 1) * n ^ n; }
            __attribute__((noinline)) static unsigned ackermann(unsigned m, unsigned n) { return m == 0 ? n + 1 : n == 0 ? ackermann(m - 1, 1) : ackermann(m - 1, ackermann(m, n - 1)); }
            static unsigned odd(unsigned n, unsigned *p);
            __attribute__((noinline)) static unsigned even(unsigned n, unsigned *p) { if (n == 0) { returning = 1; return 7; } return odd(n - 1, p) + p[n & 3]; }
            __attribute__((noinline)) static unsigned odd(unsigned n, unsigned *p) { return even(n - 1, p) ^ p[n & 3]; }
            int main(int argc, char **argv) {
                (void)argv;
                unsigned data[4] = {1, 2, 3, 4}, x;
                weft_interrupts_register(WEFT_INTERRUPTS_INSTRUCTIONS, 5000, handler, calls);
                x = at_once(30000u * argc);
                if (calls[1] < 20) return 9;
                returning = 0, calls[1] = 0;
                x += even(30000u * argc, data);
                if (calls[1] < 20) return 10;
                returning = 0;
                x += ackermann(2, 3000u * argc);
                weft_interrupts_deregister();
                return x == 1;
            }
            """);
        foreach (var level in (string[])["-O0", "-O1", "-O2", "-O3"])
        {
            harness.Must(Harness.Weft, "cc", "--with=interrupts", level, "p.c", "-o", "p");
            harness.Must(harness.Path("p"));
        }
    }

    [Needs("clang++-22")]
    public void Recursion_that_catches_returns_what_it_returned_and_passes_probes_on_its_way_back()
    {
        harness.Write("p.cpp", """
            #include <weft/interrupts.h>
            #include <cstdio>
            static volatile int returning;
            static unsigned calls[2];
            static void handler(uint64_t, void *argument) { static_cast<unsigned *>(argument)[returning]++; }
            struct Guard { unsigned *count; ~Guard() { ++*count; } };
            [[gnu::noinline]] static unsigned catches(unsigned n, unsigned *data) {
                if (n == 0) { returning = 1; throw 7u; }
                unsigned r;
                try { r = catches(n - 1, data); } catch (unsigned thrown) { return thrown ^ n; }
                if (n % 5000 == 0) throw r;
                return r * n ^ data[n & 3];
            }
            [[gnu::noinline]] static unsigned catches_all(unsigned n, unsigned *data) {
                if (n == 0) throw 5u;
                unsigned r;
                try { r = catches_all(n - 1, data); } catch (...) { return 3; }
                return n % 5000 == 0 ? r + catches_all(n - 4999, data) : r * n ^ data[n & 3];
            }
            [[gnu::noinline]] static unsigned cleans_up(unsigned n, unsigned *data) {
                Guard guard{&data[4]};
                if (n == 0) throw 9u;
                return cleans_up(n - 1, data) + data[n & 3];
            }
            int main(int argc, char **) {
                unsigned data[5] = {1, 2, 3, 4, 0}, x, y = 0;
                weft_interrupts_register(WEFT_INTERRUPTS_INSTRUCTIONS, 5000, handler, calls);
                try { x = catches(30000u * argc, data); } catch (unsigned last) { x = last; }
                x += catches_all(30000u * argc, data);
                try { y = cleans_up(3000u * argc, data); } catch (unsigned last) { y = last; }
                weft_interrupts_deregister();
                std::printf("%u %u %u\n", x, y, data[4]);
                return WOVEN && calls[1] < 20 ? 9 : 0;
            }
            """);
        foreach (var level in (string[])["-O0", "-O1", "-O2", "-O3"])
        {
            harness.Must("clang++-22", level, "-DWOVEN=0", "-I", Path.Combine(Harness.Root, "runtime/include"), "p.cpp", "-o", "plain");
            harness.Must(Harness.Weft, "c++", "--with=interrupts", level, "-DWOVEN=1", "p.cpp", "-o", "p");
            Assert.Equal(harness.Must(harness.Path("plain")).Output, harness.Must(harness.Path("p")).Output);
        }
    }

    [Needs("clang-22")]
    public void A_call_that_becomes_a_jump_stays_one()
    {
        // Ten million calls deep: frames instead of jumps would overflow the stack.
        harness.Write("p.c", """
            static unsigned odd(unsigned n, unsigned *p);
            __attribute__((noinline)) static unsigned even(unsigned n, unsigned *p) { if (n == 0) return *p; *p ^= n; return odd(n - 1, p); }
            __attribute__((noinline)) static unsigned odd(unsigned n, unsigned *p) { if (n == 0) return 1; *p *= n; return even(n - 1, p); }
            int main(int argc, char **argv) { (void)argv; unsigned value = 1; return even(10000000u * argc, &value) == 12345; }
            """);
        foreach (var level in (string[])["-O2", "-O3"])
        {
            harness.Must(Harness.Weft, "cc", "--with=interrupts", level, "p.c", "-o", "p");
            harness.Must(harness.Path("p"));
        }
    }

    [Needs("clang-22", "objdump")]
    public void Between_the_markers_there_are_neither_probes_nor_calls()
    {
        const string body = "for (unsigned i = 0; i < n; i++) s += other(s) + i;";
        harness.Write("p.c", $$"""
            #include <weft/interrupts.h>
            unsigned other(unsigned);
            unsigned with(unsigned n) { unsigned s = 0; {{body}} return s; }
            unsigned without(unsigned n) { weft_interrupts_instr_disable(); unsigned s = 0; {{body}} weft_interrupts_instr_enable(); return s; }
            """);
        foreach (var level in (string[])["-O0", "-O2"])
        {
            harness.Must(Harness.Weft, "cc", "--with=interrupts", level, "-ffunction-sections", "-c", "p.c", "-o", "p.o");
            Assert.DoesNotContain("instr_", harness.Must("nm", "-u", "p.o").Output, StringComparison.Ordinal);
            Assert.Contains("__weft_interrupts_expired", Function("with"), StringComparison.Ordinal);
        }
        Assert.True(Probes("without") == 0, Function("without"));

        string Function(string name) => harness.Must("objdump", "-dr", "-j", $".text.{name}", "p.o").Output;
        int Probes(string name) => Function(name).Split("__weft_interrupts").Length - 1;
    }

    [TheoryNeeds("clang-22")]
    [InlineData("--with=interrupts")]
    [InlineData("--with=")]
    public void A_woven_library_that_is_loaded_late_is_interrupted(string executable)
    {
        harness.Write("a.c", """
            #include <weft/interrupts.h>
            static volatile unsigned sink;
            static void handler(uint64_t count, void *argument) { (void)count; ++*(volatile unsigned long *)argument; }
            int run(volatile unsigned long *calls) {
                for (unsigned clock = WEFT_INTERRUPTS_CYCLES; clock <= WEFT_INTERRUPTS_FLAG; clock++) {
                    *calls = 0;
                    if (weft_interrupts_register(clock, 10000, handler, (void *)calls) || !weft_interrupts_active()) return 1;
                    for (long i = 0; i < 2000000000 && *calls < 10; i++) sink += (unsigned)i;
                    if (*calls < 10) return 1;
                    weft_interrupts_deregister();
                }
                return 0;
            }
            """);
        harness.Write("b.c", """
            #include <dlfcn.h>
            #include <pthread.h>
            #include <sys/wait.h>
            #include <unistd.h>
            static void *run_elsewhere(void *run) {
                volatile unsigned long calls = 0;
                return ((int (*)(volatile unsigned long *))run)(&calls) ? run : 0;
            }
            int main(int argc, char **argv) {
                for (int i = 1; i < argc; i++) {
                    void *library = dlopen(argv[i], RTLD_NOW | RTLD_LOCAL);
                    void *run = library ? dlsym(library, "run") : 0, *failed = run;
                    pthread_t thread;
                    if (!run || run_elsewhere(run)) return i;
                    if (pthread_create(&thread, 0, run_elsewhere, run) || pthread_join(thread, &failed) || failed) return i;
                    dlclose(library);
                    usleep(20000); // the timer thread goes on, and so do the handlers of fork()
                    pid_t child = fork();
                    if (child == 0) _exit(0);
                    int status = -1;
                    if (waitpid(child, &status, 0) != child || status) return i;
                }
                return 0;
            }
            """);
        foreach (var name in (string[])["a.so", "b.so"]) harness.Must(Harness.Weft, "cc", "--with=interrupts", "-O2", "-fPIC", "-shared", "a.c", "-o", name);
        harness.Must(Harness.Weft, [.. executable == "--with=" ? (string[])["cc"] : ["cc", executable], "-O2", "-pthread", "b.c", "-o", "p", "-ldl"]);
        harness.Must(harness.Path("p"), harness.Path("a.so"), harness.Path("b.so"), harness.Path("a.so"));
    }

    [TheoryNeeds("clang-22")]
    [InlineData("-O0")]
    [InlineData("-O1")]
    [InlineData("-O2", "-g")]
    [InlineData("-O3")]
    [InlineData("-Os")]
    public void Code_of_every_form_computes_what_it_computed(params string[] flags)
    {
        foreach (var (source, compiler, standard) in (ReadOnlySpan<(string, string, string)>)[("forms.c", "cc", "-std=gnu11"), ("forms.cc", "c++", "-std=c++20")])
        {
            harness.Must(compiler == "cc" ? "clang-22" : "clang++-22", [standard, "-O1", "-I", Path.Combine(Harness.Root, "runtime/include"), Path.Combine(Fixtures, source), "-o", "plain"]);
            harness.Must(Harness.Weft, [compiler, "--with=interrupts", standard, .. flags, Path.Combine(Fixtures, source), "-o", "p"]);
            Assert.Equal(harness.Must(harness.Path("plain")).Output, harness.Must(harness.Path("p")).Output);
        }
    }

    [TheoryNeeds("clang-22")]
    [InlineData("3")]
    [InlineData("3", "-fsanitize=address,undefined")]
    [InlineData("3", "-fsanitize=thread")]
    [InlineData("3", "--interrupts-clock=instructions")]
    public void Nothing_is_lost_when_many_threads_do_everything_at_once(string seconds, params string[] flags) => Stress(seconds, flags);

    [TheoryNeeds("clang-22"), Trait("Category", "Slow")]
    [InlineData("60")]
    [InlineData("60", "-fsanitize=address,undefined")]
    [InlineData("60", "-fsanitize=thread")]
    public void Nothing_is_lost_in_a_minute_of_everything_at_once(string seconds, params string[] flags) => Stress(seconds, flags);

    [Needs("clang-22", "valgrind")]
    public void Nothing_is_lost_under_valgrind()
    {
        WeaveStress("-g");
        harness.Must("valgrind", "-q", "--error-exitcode=9", "--fair-sched=yes", harness.Path("p"), "2", "8", "nofork");
    }

    [TheoryNeeds("clang-22")]
    [MemberData(nameof(Seeds), 0, 15)]
    public void Loops_of_every_form_compute_what_they_computed(int seed) => CompareLoops(seed, 1);

    [TheoryNeeds("clang-22"), Trait("Category", "Slow")]
    [MemberData(nameof(Seeds), 1000, 60)]
    public void More_loops_of_every_form_compute_what_they_computed(int seed) => CompareLoops(seed, 10);

    public static TheoryData<int> Seeds(int first, int count) => [.. Enumerable.Range(first, count)];

    private void Weave(string source, params string[] flags) => harness.Must(Harness.Weft, ["cc", "--with=interrupts", .. flags, "-pthread", Path.Combine(Fixtures, source), "-o", "p"]);

    private void WeaveStress(params string[] flags) => harness.Must(Harness.Weft, ["c++", "--with=interrupts", "-O1", .. flags, "-pthread", Path.Combine(Fixtures, "stress.cc"), "-o", "p"]);

    private void Stress(string seconds, string[] flags)
    {
        WeaveStress(flags);
        // ThreadSanitizer does not support threads in the child of a program that had several.
        Assert.Equal("held\n", harness.Must(harness.Path("p"), [seconds, "64", .. flags.Contains("-fsanitize=thread") ? (string[])["nofork"] : []]).Output);
    }

    private void CompareLoops(int first, int count)
    {
        for (var seed = first * count; seed < (first + 1) * count; seed++)
        {
            var program = LoopPrograms.Generate(seed);
            harness.Write("loops.c", program);
            harness.Must("clang-22", "-O1", "-I", Path.Combine(Harness.Root, "runtime/include"), "loops.c", "-o", "plain");
            var expected = harness.Must("timeout", "20", harness.Path("plain")).Output;
            foreach (var level in (string[])["-O1", "-O2", "-O3"])
            {
                harness.Must(Harness.Weft, "cc", "--with=interrupts", level, "loops.c", "-o", "woven");
                var outcome = harness.Run("timeout", "60", harness.Path("woven"));
                Assert.True(outcome.ExitCode == 0 && outcome.Output == expected, $"seed {seed} at {level}: expected {expected}, {outcome}\n{program}");
            }
        }
    }
}
