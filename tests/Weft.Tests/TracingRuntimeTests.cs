using Weft.Tracing;

namespace Weft.Tests;

/// <summary>Exceptions, signals, patching, shared objects and filters in running programs.</summary>
public sealed class TracingRuntimeTests : TracedPrograms
{
    private const string Thrown = "main{ catches{ rethrows{ recursive{ recursive{ recursive{ with_destructor{ thrower! guard::~guard{ guard::clean } }! guard::~guard{ guard::clean } }! guard::~guard{ guard::clean } }! guard::~guard{ guard::clean } }! }! }";
    private const string ThrownThrough = "nested{ plain_recursive{ plain_recursive{ plain_recursive{ without_destructor{ thrower! }! }! }! }!";

    [TheoryNeeds("clang-22")]
    [InlineData("-O0")]
    [InlineData("-O2")]
    [InlineData("-Os", "-static")]
    [InlineData("-O1", "-fno-pie", "-no-pie")]
    public void Exceptions_end_the_calls_that_they_leave(params string[] flags)
    {
        var program = Build("exceptions.cc", [.. flags, "--tracing-only=main,thrower*,with*,*recursive*,rethrows*,nested*,catches*,stored*,in_thread*,*guard*"]);
        // Where the unwinder is linked statically nothing is known until the next exit: counts only.
        if (flags.Contains("-static"))
        {
            AssertCounts(MustRecord(program, "threads"), Named(Counts(Trace)));
            return;
        }
        var outcome = MustRecord(program);
        AssertCounts(outcome, Named(Counts(Trace)));
        var tree = Tree(Trace);
        Assert.StartsWith(Thrown.TrimEnd('}').TrimEnd() + " } " + ThrownThrough + " thrower! }", tree.Replace("main{ catches", "main{ catches"), StringComparison.Ordinal);
        AssertCounts(MustRecord(program, "threads"), Named(Counts(Trace)));
    }

    [TheoryNeeds("clang-22")]
    [InlineData("WEFT_TRACING_DEPTH", "1000")]
    [InlineData("WEFT_TRACING_ARGS", "on")]
    [InlineData("WEFT_TRACING_CLOCK", "none")]
    [InlineData("WEFT_TRACING_CLOCK", "coarse")]
    public void Exceptions_do_so_however_calls_are_recorded(string setting, string value)
    {
        Harness.Environment[setting] = value;
        AssertCounts(MustRecord(Build("exceptions.cc", "-O2"), "threads"), Named(Counts(Trace)));
    }

    [Needs("clang-22")]
    public void Calls_deeper_than_asked_for_are_left_out_with_exceptions_too()
    {
        Harness.Environment["WEFT_TRACING_DEPTH"] = "3";
        MustRecord(Build("exceptions.cc", "-O1", "--tracing-only=main,thrower*,with*,*recursive*,rethrows*,nested*,catches*"));
        Assert.Equal("main{ catches{ rethrows! } nested{ plain_recursive! thrower! } catches{ rethrows! } nested{ plain_recursive! } catches{ rethrows } nested{ plain_recursive } catches{ rethrows! } nested{ plain_recursive! } }", Tree(Trace));
    }

    [Needs("clang-22")]
    public void Short_calls_are_left_out_with_exceptions_too()
    {
        Harness.Write("p.cc", """
            #include <unistd.h>
            #define F __attribute__((noinline))
            static volatile int sink;
            F static void quick(int n) { sink += n; if (n == 7) throw 7; }
            F static void slow(int n) { usleep(20000); quick(n); sink += n; }
            F static void outer(int n) { for (int i = 0; i < 1000; i++) quick(1); slow(n); sink += n; }
            int main() { for (int i = 5; i < 9; i++) try { outer(i); } catch (int) {} }
            """);
        Harness.Environment["WEFT_TRACING_MIN_DURATION"] = "5ms";
        MustRecord(Build("p.cc", "-O1"));
        // What an exception left has no exit that says how long it took: quick() stays.
        Assert.Equal("main{ outer{ slow } outer{ slow } outer{ slow{ quick! }! }! outer{ slow } }", Tree(Trace));
    }

    [Needs("clang-22")]
    public void A_signal_may_arrive_at_any_instruction_around_the_end_of_a_block()
    {
        var program = Steps();
        foreach (var ring in (string[])["0", "64M"])
        {
            Harness.Environment["WEFT_TRACING_RING"] = ring;
            AssertSteps(MustRecord(program, "420", "1", "3"));
        }
    }

    [Needs("clang-22"), Trait("Category", "Slow")]
    public void A_signal_may_arrive_at_every_instruction_around_the_end_of_a_block()
    {
        var program = Steps();
        Harness.Patience = TimeSpan.FromMinutes(20); // millions of steps, each a matter of the kernel's
        foreach (var clock in (string[])["exact", "none", "coarse"])
        {
            Harness.Environment["WEFT_TRACING_CLOCK"] = clock;
            AssertSteps(MustRecord(program, "6300", "21", "3"));
            AssertSteps(MustRecord(program, "4200", "7", "1"));
        }
        Harness.Environment["WEFT_TRACING_DEPTH"] = "100"; // through C
        AssertSteps(MustRecord(program, "2100", "7", "5"));
    }

    [TheoryNeeds("clang-22")]
    [InlineData("")]
    [InlineData("WEFT_TRACING_CLOCK=none")]
    [InlineData("WEFT_TRACING_ARGS=on")]
    public void Traced_signal_handlers_and_what_they_interrupt_are_counted_exactly(string setting)
    {
        if (setting.Length > 0) Harness.Environment[setting.Split('=')[0]] = setting.Split('=')[1];
        MustCount(Build("signals.c", "-O2"), "1", "3");
    }

    [Needs("clang-22"), Trait("Category", "Slow")]
    public void Traced_signal_handlers_are_counted_exactly_for_long()
    {
        Harness.Environment["WEFT_TRACING_SIZE"] = "4G";
        MustCount(Build("signals.c", "-O2"), "10", "6");
    }

    [Needs("clang-22")]
    public void Switching_a_thousand_times_under_load_changes_no_result()
    {
        Harness.Environment["WEFT_TRACING"] = null;
        Harness.Environment["WEFT_TRACING_FILE"] = Harness.Path("p.trace");
        Harness.Environment["WEFT_TRACING_SIZE"] = "200M";
        var program = Build("patching.c", "-O2");
        Assert.Equal("wrong 0\n", Harness.Must(program, "1000", "3").Output);
        Assert.DoesNotContain(Complaints(Trace), c => !c.Contains("limit", StringComparison.Ordinal));
        Assert.Contains("fibonacci", Counts(Trace).Keys);
    }

    [Needs("clang-22"), Trait("Category", "Slow")]
    public void Switching_twenty_thousand_times_under_load_changes_no_result()
    {
        Harness.Environment["WEFT_TRACING"] = null;
        Harness.Environment["WEFT_TRACING_FILE"] = Harness.Path("p.trace");
        Harness.Environment["WEFT_TRACING_SIZE"] = "500M";
        foreach (var optimised in (string[])["-O0", "-O2"])
            Assert.Equal("wrong 0\n", Harness.Must(Build("patching.c", optimised), "20000", "6").Output);
    }

    [TheoryNeeds("clang-22")]
    [InlineData("-O2", "jumps")] // aligned functions, after what LLVM makes of sleds by itself
    [InlineData("-Os", "nothing")] // sleds across cache lines
    public void Switching_on_for_the_first_time_while_threads_are_there_changes_no_result(string optimised, string sleds)
    {
        Harness.Environment["WEFT_TRACING_FILE"] = Harness.Path("%p.trace");
        Harness.Environment["WEFT_TRACING_RING"] = "256K";
        var program = Build("first.c", [optimised, "-pthread", .. (string[])(sleds == "jumps" ? ["-flto", "-fuse-ld=lld"] : [])]);
        for (var i = 0; i < 10; i++) Assert.Equal("on 900 wrong 0\n", Harness.Must(program, "3").Output);
    }

    [Needs("clang-22")]
    public void Libraries_are_traced_whenever_they_come_and_go()
    {
        Harness.Write("lib.c", "__attribute__((noinline)) static int helper(int n) { for (volatile int i = 0; i < n; i++) ; return n; } int NAME(int n) { return helper(n) + 1; }");
        foreach (var name in (string[])["linked", "loaded", "plain"])
            Harness.Must(name == "plain" ? "clang-22" : Harness.Weft, [.. name == "plain" ? (string[])[] : ["cc", "--with=tracing", "--tracing-threshold=1"], "-O1", "-shared", "-fPIC", $"-DNAME={name}", "lib.c", "-o", $"lib{name}.so"]);
        Harness.Write("p.c", """
            #include <dlfcn.h>
            #include <weft/tracing.h>
            int linked(int);
            __attribute__((noinline)) static int visit(const char *path, const char *name) {
                void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
                int result = ((int (*)(int))dlsym(library, name))(3);
                dlclose(library);
                return result;
            }
            int main(void) {
                int sum = linked(1);
                for (int i = 0; i < 3; i++) sum += visit("./libloaded.so", "loaded") + visit("./libplain.so", "plain");
                sum += weft_tracing_off("*e*") + weft_tracing_on("*e*", 0) > 0; // what is gone is not looked at
                return sum == 2 + 24 + 1 ? 0 : sum;
            }
            """);
        MustRecord(Build("p.c", "-O1", "-L.", "-llinked", "-Wl,-rpath," + Harness.Folder));
        const string visits = "visit{ loaded{ helper } } visit";
        Assert.StartsWith($"main{{ linked{{ helper }} {visits} {visits} {visits}", Tree(Trace), StringComparison.Ordinal);
        using var source = TraceSources.Open(Trace);
        Assert.Equal(["liblinked.so", "libloaded.so", "p"], source.Functions.Select(f => Path.GetFileName(f.Module!.Path)).Distinct().Order(StringComparer.Ordinal));
    }

    [Needs("clang-22")]
    public void A_library_that_comes_back_has_the_functions_it_had()
    {
        Harness.Write("lib.c", "int plugin(int n) { for (volatile int i = 0; i < n; i++) ; return n; }");
        Harness.Write("other.c", "int other(int n) { for (volatile int i = 0; i < n; i++) ; return n; }");
        Harness.Write("p.c", """
            #include <dlfcn.h>
            static void visit(const char *path, const char *name) { void *l = dlopen(path, RTLD_NOW); ((int (*)(int))dlsym(l, name))(3); dlclose(l); }
            int main(void) { for (int i = 0; i < 1200; i++) { visit("./lib.so", "plugin"); if (i % 3 == 0) visit("./other.so", "other"); } return 0; }
            """);
        foreach (var name in (string[])["lib", "other"]) Harness.Must(Harness.Weft, "cc", "--with=tracing", "-O1", "-shared", "-fPIC", "-Wl,--build-id", $"{name}.c", "-o", $"{name}.so");
        MustRecord(Build("p.c"));
        using var source = TraceSources.Open(Trace);
        Assert.Equal(["main", "other", "plugin", "visit"], source.Functions.Select(f => f.Name).Order(StringComparer.Ordinal));
        Assert.Equal((1200, 400), (Counts(Trace)["plugin"], Counts(Trace)["other"]));
    }

    [Needs("clang-22")]
    public void A_traced_plugin_of_a_program_that_is_not_traced_is_recorded()
    {
        Harness.Write("lib.c", "int plugin(int n) { for (volatile int i = 0; i < n; i++) ; return n; }");
        Harness.Write("p.c", "#include <dlfcn.h>\nint main(void) { for (int i = 0; i < 3; i++) { void *l = dlopen(\"./lib.so\", RTLD_NOW); ((int (*)(int))dlsym(l, \"plugin\"))(3); dlclose(l); } return 0; }");
        Harness.Must(Harness.Weft, "cc", "--with=tracing", "-O1", "-shared", "-fPIC", "lib.c", "-o", "lib.so");
        Harness.Must("clang-22", "p.c", "-o", "p");
        MustRecord(Harness.Path("p"));
        Assert.Equal(3, Counts(Trace)["plugin"]);
    }

    [Needs("clang-22")]
    public void Filters_choose_functions_and_say_when_there_is_none()
    {
        var program = Build("endings.c", "-O1", "-D_GNU_SOURCE");
        Harness.Environment["WEFT_TRACING_ONLY"] = "l*f,say";
        Record(program, "return", "10");
        Assert.Equal(["leaf", "say"], Counts(Trace).Keys.Order(StringComparer.Ordinal));
        Harness.Environment["WEFT_TRACING_ONLY"] = null;
        Harness.Environment["WEFT_TRACING_HIDE"] = "leaf,main";
        Record(program, "return", "10");
        Assert.Equal("call say", Tree(Trace));
        Harness.Environment["WEFT_TRACING_ONLY"] = "nothing*";
        var outcome = Record(program, "return", "10");
        Assert.Equal(3, outcome.ExitCode);
        Assert.StartsWith("weft: tracing: no function matches WEFT_TRACING_ONLY='nothing*'", outcome.Errors, StringComparison.Ordinal);
        Assert.Contains("leaf", Harness.RunWeft("tracing", "functions", Trace).Output, StringComparison.Ordinal);
    }

    [Needs("clang-22")]
    public void A_program_without_a_function_to_trace_says_why()
    {
        Harness.Write("p.c", "int main(void) { return 0; }");
        var outcome = MustRecord(Build("p.c", "-O1", "--tracing-threshold=200"));
        Assert.StartsWith("weft: tracing: no function of this program can be traced", outcome.Errors, StringComparison.Ordinal);
        Assert.Contains("--tracing-threshold", outcome.Errors, StringComparison.Ordinal);
    }

    [TheoryNeeds("clang-22")]
    [InlineData("WEFT_TRACING", "perhaps")]
    [InlineData("WEFT_TRACING_CLOCK", "sundial")]
    [InlineData("WEFT_TRACING_SIZE", "much")]
    public void A_setting_that_makes_no_sense_is_named_and_changes_nothing(string setting, string value)
    {
        var program = Build("endings.c", "-O1", "-D_GNU_SOURCE");
        Harness.Environment["WEFT_TRACING_FILE"] = Harness.Path("p.trace");
        Harness.Environment[setting] = value;
        if (setting != "WEFT_TRACING") Harness.Environment["WEFT_TRACING"] = "on";
        var outcome = Harness.Run(program, "return", "10");
        Assert.Equal(3, outcome.ExitCode);
        Assert.StartsWith($"weft: tracing: {setting}='{value}'", outcome.Errors, StringComparison.Ordinal);
    }

    [Needs("clang-22")]
    public void The_interface_of_xray_calls_handlers()
    {
        Harness.Write("p.c", """
            #include <stdint.h>
            #include <stdio.h>
            #include <stdlib.h>
            typedef enum { ENTRY, EXIT, TAIL } kind;
            extern int __xray_set_handler(void (*)(int32_t, kind)), __xray_remove_handler(void), __xray_patch(void), __xray_unpatch(void), __xray_patch_function(int32_t), __xray_unpatch_function(int32_t);
            extern uintptr_t __xray_function_address(int32_t);
            extern size_t __xray_max_function_id(void);
            static long entries[100], exits[100];
            __attribute__((xray_never_instrument)) static void handler(int32_t id, kind what) { double d = id * 1.5; if (what == ENTRY) entries[id]++; else exits[id] += d > 0; }
            __attribute__((noinline)) static double a(double x) { return x * 2; }
            __attribute__((noinline)) static double b(double x) { return a(x) + 1; }
            __attribute__((xray_never_instrument)) static int32_t id_of(void *function) {
                for (int32_t id = 1; id <= (int32_t)__xray_max_function_id(); id++) {
                    uintptr_t at = __xray_function_address(id);
                    if (at >= (uintptr_t)function && at < (uintptr_t)function + 8) return id;
                }
                exit(9);
            }
            static volatile double three = 3, out;
            __attribute__((xray_never_instrument)) int main(void) {
                int32_t ia = id_of(a), ib = id_of(b);
                out = b(three);
                if (entries[ia] || __xray_set_handler(handler) != 1 || __xray_patch() != 1) return 1;
                for (int i = 0; i < 10; i++) if (b(three) != 7) return 2;
                if (entries[ia] != 10 || exits[ia] != 10 || entries[ib] != 10 || exits[ib] != 10) return 3;
                if (__xray_unpatch_function(ia) != 1) return 4;
                out = b(three);
                if (entries[ia] != 10 || entries[ib] != 11) return 5;
                if (__xray_unpatch() != 1 || __xray_patch_function(ia) != 1) return 6;
                out = b(three);
                if (entries[ia] != 11 || entries[ib] != 11) return 7;
                __xray_remove_handler();
                out = b(three);
                return entries[ia] == 11 ? 0 : 8;
            }
            """);
        var program = Build("p.c", "-O1");
        Harness.Must(program);
        Assert.Empty(Traces);
    }

    [Needs("cargo")]
    public void Panics_and_threads_of_rust_are_counted_exactly()
    {
        RustProject();
        Harness.Must(Harness.Weft, "cargo", "build", "-q", "--release", "--with", "tracing", "--tracing-threshold", "1", "--tracing-only", "p::*,<p::*");
        var outcome = MustRecord(Rust());
        AssertCounts(outcome, Counts(Trace).ToDictionary(c => c.Key.Split("::")[^1], c => c.Value));
        using var source = TraceSources.Open(Trace);
        var tree = Tree(source, source.Threads[0]);
        Assert.Contains("p::catches{ p::outer{ p::inner{ p::main::{{closure}} }! <p::Guard as core::ops::drop::Drop>::drop }! }", tree, StringComparison.Ordinal);
    }

    [Needs("cargo"), Trait("Category", "Slow")]
    public void The_standard_library_of_rust_is_traced_when_asked_for()
    {
        RustProject();
        Harness.Must(Harness.Weft, "cargo", "build", "-q", "--release", "--with", "tracing", "--std", "--tracing-threshold", "1");
        MustRecord(Rust());
        Assert.Contains(Counts(Trace).Keys, name => name.StartsWith("std::", StringComparison.Ordinal));
    }

    private void RustProject()
    {
        Harness.Write("Cargo.toml", "[package]\nname = \"p\"\nversion = \"0.1.0\"\nedition = \"2021\"\n[profile.release]\npanic = \"unwind\"\n");
        Harness.Write("src/main.rs", """
            use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
            static INNER: AtomicU64 = AtomicU64::new(0);
            static OUTER: AtomicU64 = AtomicU64::new(0);
            static DROP: AtomicU64 = AtomicU64::new(0);
            static CATCHES: AtomicU64 = AtomicU64::new(0);
            struct Guard(u64);
            impl Drop for Guard { #[inline(never)] fn drop(&mut self) { DROP.fetch_add(1, Relaxed); } }
            #[inline(never)] fn inner(n: u64) -> u64 { INNER.fetch_add(1, Relaxed); if n % 2 == 1 { panic!("odd") } n }
            #[inline(never)] fn outer(n: u64) -> u64 { OUTER.fetch_add(1, Relaxed); let guard = Guard(n); inner(n) + guard.0 }
            #[inline(never)] fn catches(n: u64) -> u64 { CATCHES.fetch_add(1, Relaxed); std::panic::catch_unwind(|| outer(n)).unwrap_or(1) }
            fn main() {
                std::panic::set_hook(Box::new(|_| {}));
                let mut sum: u64 = (0..5).map(catches).sum();
                let threads: Vec<_> = (0..4u64).map(|t| std::thread::spawn(move || (0..200).map(|i| catches(i + t)).sum::<u64>())).collect();
                for thread in threads { sum += thread.join().unwrap(); }
                println!("checksum {sum}\ninner {}\nouter {}\ndrop {}\ncatches {}", INNER.load(Relaxed), OUTER.load(Relaxed), DROP.load(Relaxed), CATCHES.load(Relaxed));
            }
            """);
    }

    private string Rust() => Directory.GetFiles(Harness.Path("target"), "p", SearchOption.AllDirectories).Single(f => f.EndsWith("release/p", StringComparison.Ordinal));

    private string Steps() => Build("steps.c", "-O2", "--tracing-never=child,parent,main,offset,is_stopped");

    private void AssertSteps(Outcome outcome)
    {
        var trace = Traces.MaxBy(t => new FileInfo(t).Length)!;
        AssertCounts(outcome, Counts(trace));
        Assert.Empty(Complaints(trace));
    }

    private static Dictionary<string, long> Named(Dictionary<string, long> counts)
    {
        counts["finally"] = counts.GetValueOrDefault("guard::~guard");
        return counts;
    }
}
