using System.Text.Json;
using System.Text.RegularExpressions;

namespace Weft.Tests;

/// <summary>The examples of the tracing instrument, the woven tests of its crate, and marks in the source, through the doors that people use.</summary>
public sealed class TracingExamplesTests : IDisposable
{
    private const string Clang = "clang-22", ClangXX = "clang++-22";

    private static readonly string Examples = Path.Combine(Harness.Root, "examples");

    private readonly Harness harness = new();

    public TracingExamplesTests()
    {
        harness.Environment["WEFT_CC"] = Clang;
        harness.Environment["WEFT_CXX"] = ClangXX;
        harness.Environment["CARGO_TARGET_DIR"] = harness.Path("target");
        harness.Environment["RUST_BACKTRACE"] = "0";
    }

    public void Dispose() => harness.Dispose();

    [TheoryNeeds(ClangXX)]
    [InlineData("-O0")]
    [InlineData("-O2")]
    [InlineData("-O3", "-g", "-flto")]
    public void Every_call_span_and_event_of_the_orders_is_in_the_trace(params string[] options)
    {
        harness.Must(Harness.Weft, ["c++", "--with=tracing", "-Wall", "-Wextra", "-Werror", .. options, Orders, "-pthread", "-o", "woven"]);
        var output = Record("--only", "shop::*,_ZN4shop*", harness.Path("woven"));
        Assert.StartsWith("57 orders served, 3 refused: 55110 in all\nsee ", output, StringComparison.Ordinal);

        var calls = Calls();
        var expected = new Dictionary<string, long> { ["work"] = 3, ["serve"] = 60, ["parse"] = 60, ["number"] = 3 + (4 * 57) + (2 * 3), ["rebate"] = 57 };
        foreach (var (name, count) in expected) Assert.Equal((name, count), (name, calls[calls.Keys.Single(k => k.StartsWith($"shop::{name}(", StringComparison.Ordinal))]));
        Assert.DoesNotContain(calls.Keys, k => k.Contains("is_digit", StringComparison.Ordinal));

        var replay = Replay();
        Assert.Equal((60, 60), (Count(replay, "/* order begins */"), Count(replay, "/* order ends */")));
        Assert.Equal(3, Count(replay, "/* refused: no number at 'some*90' */"));
        Assert.Equal(3, Count(replay, "shop::number(char const*&); /* left by an exception or jump */"));
        Assert.Equal(3, Count(replay, "/* shop::parse(char const*): left by an exception or jump */"));
        Assert.Equal(6, Count(replay, "left by"));
        AssertChrome(calls, new() { ["order"] = 60 }, new() { ["refused"] = 3 }, threads: 3);
    }

    [Needs(ClangXX, "g++")]
    public void The_orders_are_the_same_without_Weft()
    {
        foreach (var compiler in (string[])[ClangXX, "g++"])
        {
            harness.Must(compiler, "-O2", "-Wall", "-Wextra", "-Werror", "-I", Path.Combine(Harness.Root, "runtime/include"), Orders, "-pthread", "-o", "plain");
            Assert.Equal("57 orders served, 3 refused: 55110 in all\n", harness.Must(harness.Path("plain")).Output);
            Assert.DoesNotContain("weft", harness.Must("nm", harness.Path("plain")).Output.Replace("weft_tracing_name", "", StringComparison.Ordinal), StringComparison.Ordinal);
        }
    }

    [TheoryNeeds("cargo")]
    [InlineData("debug")]
    [InlineData("release")]
    public void Every_call_span_and_event_of_the_service_is_in_the_trace(string profile)
    {
        var program = Service(profile == "release" ? ["--release"] : []);
        Assert.StartsWith("36 served, 11 unknown, 1 failed\nsee ", Record("--only", "tracing_rust::*", program), StringComparison.Ordinal);
        AssertService();
    }

    [Needs("cargo")]
    public void A_service_can_trace_itself()
    {
        var program = Service("--release");
        harness.Environment["WEFT_TRACING_FILE"] = harness.Path("trace");
        Assert.DoesNotContain("see", harness.Must(program).Output, StringComparison.Ordinal);
        Assert.False(File.Exists(harness.Path("trace")));
        Assert.EndsWith($"see {harness.Path("trace")}\n", harness.Must(program, "--trace").Output, StringComparison.Ordinal);
        AssertService();
    }

    [Needs("cargo")]
    public void The_service_is_the_same_without_Weft()
    {
        var manifest = Path.Combine(Examples, "tracing-rust/Cargo.toml");
        var outcome = harness.Must("cargo", "run", "--quiet", "--offline", "--manifest-path", manifest, "--", "--trace");
        Assert.Equal("36 served, 11 unknown, 1 failed\n", outcome.Output);
        Assert.Contains("built without Weft's tracing", outcome.Errors, StringComparison.Ordinal);
        Assert.DoesNotContain("weft_tracing", harness.Must("nm", harness.Path("target/debug/tracing-rust")).Output.Replace("__weft_tracing_", "", StringComparison.Ordinal), StringComparison.Ordinal);
    }

    [TheoryNeeds("cargo")]
    [InlineData("--test", "tracing", "--test", "tracing_woven")]
    [InlineData("--release", "--test", "tracing", "--test", "tracing_woven")]
    [InlineData("--release", "--tracing-threshold", "1", "--test", "tracing", "--test", "tracing_woven")]
    [InlineData("--doc", "tracing")]
    public void The_tests_of_the_crate_pass_when_they_are_woven(params string[] options)
    {
        harness.Environment["WEFT_OUT"] = harness.Path("traces");
        var outcome = harness.RunWeft(["cargo", "test", "--offline", "--manifest-path", Path.Combine(Harness.Root, "crates/weft/Cargo.toml"), "--with", "tracing", .. options]);
        Assert.True(outcome.ExitCode == 0, outcome.ToString());
        Assert.DoesNotContain("knows no variable", outcome.Errors, StringComparison.Ordinal); // WEFT_OUT is the runtime's
        if (options[0] == "--doc") return;
        Assert.Contains("test the_file_is_a_trace ... ok", outcome.Output, StringComparison.Ordinal);
        var replay = Replay(Directory.GetFiles(harness.Path("traces"), "tracing_woven*").Single());
        foreach (var (name, count) in new Dictionary<string, int> { ["left by a panic"] = 1, ["left by a panic too"] = 1, ["of eight threads"] = 800 })
            Assert.Equal((name, count, count), (name, Count(replay, $"/* {name} begins */"), Count(replay, $"/* {name} ends */")));
        for (var i = 0; i < 100; i++) Assert.Equal(8, Count(replay, $"/* step: {i} */"));
    }

    [TheoryNeeds(ClangXX)]
    [InlineData("c", "-O0")]
    [InlineData("c", "-O2")]
    [InlineData("cpp", "-O0")]
    [InlineData("cpp", "-O2")]
    public void Marks_decide_in_C(string language, string level)
    {
        harness.Write($"marks.{language}", """
            #include <weft/tracing.h>
            volatile int sink;
            #ifdef __cplusplus
            struct guard { ~guard() { sink = 0; } }; // something to clean up where a call might throw
            #define GUARD guard guard
            #else
            #define GUARD
            #endif
            static int small(int x) { GUARD; WEFT_TRACING_ALWAYS; return x + sink; }
            __attribute__((noinline)) static int unmarked(int x) { sink = x; return x + 1; }
            __attribute__((noinline)) static int hidden(int x) { GUARD; WEFT_TRACING_NEVER; int sum = 0; for (int i = 0; i < x; i++) sum += small(i); return sum; }
            int main(void) { return hidden(5) + unmarked(1) != 12; }
            """);
        AssertMarks(threshold =>
        {
            harness.Must(Harness.Weft, [language == "c" ? "cc" : "c++", "--with=tracing", .. threshold.Select(t => $"--tracing-threshold={t}"), level, "-Wall", "-Werror", $"marks.{language}", "-o", "marks"]);
            return harness.Path("marks");
        });
        Assert.DoesNotMatch("call.*__weft_tracing", harness.Must("objdump", "-d", harness.Path("marks")).Output);
    }

    [TheoryNeeds("cargo")]
    [InlineData(0)]
    [InlineData(2)]
    public void Marks_decide_in_Rust(int level)
    {
        harness.Write("Cargo.toml", $"""
            [package]
            name = "marks"
            version = "0.1.0"
            edition = "2021"
            [dependencies]
            weft = {"{"} path = "{Path.Combine(Harness.Root, "crates/weft")}" {"}"}
            [profile.release]
            opt-level = {level}
            """);
        harness.Write("src/main.rs", """
            use std::hint::black_box;
            use weft::tracing::{always, never};
            fn small(x: u32) -> u32 { always!(); black_box(x) }
            #[inline(never)] fn unmarked(x: u32) -> u32 { black_box(x) + 1 }
            #[inline(never)] fn hidden(x: u32) -> u32 {
                never!();
                let (mut sum, mut i) = (0, 0);
                while i < x { sum += small(i); i += 1; }
                sum
            }
            fn main() { assert_eq!(hidden(5) + unmarked(1), 12); }
            """);
        AssertMarks(threshold =>
        {
            harness.Must(Harness.Weft, ["cargo", "build", "--quiet", "--offline", "--release", "--with", "tracing", .. threshold.SelectMany(t => (string[])["--tracing-threshold", t])]);
            return Built("release/marks");
        });
    }

    [Needs(Clang)]
    public void A_span_ends_with_the_id_it_began_with_when_threads_meet_its_name_at_once()
    {
        harness.Write("names.c", """
            #include <weft/tracing.h>
            #include <pthread.h>
            #include <stdint.h>
            #include <stdio.h>
            enum { THREADS = 4, NAMES = 300 };
            static struct weft_tracing_name names[NAMES];
            static char texts[NAMES][16];
            static pthread_barrier_t together;
            static void *meet(void *unused)
            {
                for (int i = 0; i < NAMES; i++) {
                    if (i % 10 == 0)
                        pthread_barrier_wait(&together);
                    weft_tracing_begin(&names[i]);
                    weft_tracing_end(&names[i]);
                }
                return unused;
            }
            int main(void)
            {
                pthread_t threads[THREADS];
                pthread_barrier_init(&together, NULL, THREADS);
                for (int i = 0; i < NAMES; i++) {
                    snprintf(texts[i], sizeof texts[i], "name-%d", i);
                    names[i].text = texts[i];
                }
                for (int i = 0; i < THREADS; i++)
                    pthread_create(&threads[i], NULL, meet, NULL);
                for (int i = 0; i < THREADS; i++)
                    pthread_join(threads[i], NULL);
                uint32_t ids = 0;
                for (int i = 0; i < NAMES; i++)
                    ids = names[i].id > ids ? names[i].id : ids;
                printf("%u\n", ids);
                return 0;
            }
            """);
        harness.Must(Harness.Weft, "cc", "--with=tracing", "-O2", "names.c", "-pthread", "-o", "names");
        Assert.Equal("300\n", Record(harness.Path("names")));
        var replay = Replay();
        for (var i = 0; i < 300; i++) Assert.Equal((i, 4, 4), (i, Count(replay, $"/* name-{i} begins */"), Count(replay, $"/* name-{i} ends */")));
    }

    [Needs(Clang)]
    public void What_a_forked_child_names_first_is_in_its_own_trace()
    {
        harness.Write("fork.c", """
            #include <weft/tracing.h>
            #include <sys/wait.h>
            #include <unistd.h>
            static struct weft_tracing_name parents = {"parents", 0}, childs = {"childs", 0}, later = {"later", 0};
            int main(void)
            {
                weft_tracing_event(&parents, "1", 1);
                pid_t child = fork();
                if (child == 0) {
                    weft_tracing_event(&childs, "2", 1);
                    weft_tracing_event(&parents, "3", 1);
                    return 0;
                }
                waitpid(child, NULL, 0);
                weft_tracing_event(&later, "4", 1);
                return 0;
            }
            """);
        harness.Must(Harness.Weft, "cc", "--with=tracing", "-O2", "fork.c", "-o", "fork");
        harness.Environment["WEFT_OUT"] = harness.Path("traces");
        harness.Environment["WEFT_TRACING"] = "on";
        harness.Must(harness.Path("fork"));
        var events = Directory.GetFiles(harness.Path("traces")).Select(f => string.Join(' ', Regex.Matches(Replay(f), @"/\* (\w+: \d) \*/").Select(m => m.Groups[1].Value)));
        Assert.Equal(["childs: 2 parents: 3", "parents: 1 later: 4"], events.Order(StringComparer.Ordinal));
    }

    [Needs(Clang)]
    public void A_library_that_hides_its_symbols_writes_to_the_same_trace()
    {
        harness.Write("library.c", """
            #include <weft/tracing.h>
            static struct weft_tracing_name name = {"of the library", 0};
            __attribute__((visibility("default"))) int recording(void)
            {
                weft_tracing_event(&name, "", 0);
                return weft_tracing_recording();
            }
            """);
        harness.Write("program.c", """
            #include <weft/tracing.h>
            #include <dlfcn.h>
            static struct weft_tracing_name name = {"of the program", 0};
            int main(void)
            {
                void *library = dlopen("./library.so", RTLD_NOW | RTLD_LOCAL);
                int (*recording)(void) = (int (*)(void))dlsym(library, "recording");
                if (recording() || weft_tracing_recording())
                    return 1;
                if (weft_tracing_on("nothing", WEFT_TRACING_CLOCK_EXACT) != 0)
                    return 2;
                weft_tracing_event(&name, "", 0);
                return recording() == 1 ? 0 : 3;
            }
            """);
        harness.Must(Harness.Weft, "cc", "--with=tracing", "-O2", "-fPIC", "-fvisibility=hidden", "-shared", "library.c", "-o", "library.so");
        harness.Must(Harness.Weft, "cc", "--with=tracing", "-O2", "-fvisibility=hidden", "program.c", "-o", "program");
        harness.Environment["WEFT_TRACING_FILE"] = harness.Path("trace");
        harness.Must(harness.Path("program"));
        Assert.Equal((1, 1), (Count(Replay(), "/* of the program */"), Count(Replay(), "/* of the library */")));
    }

    [Needs(Clang)]
    public void Results_stay_what_they_are_when_functions_change_their_clock()
    {
        harness.Write("clocks.c", """
            #include <weft/tracing.h>
            #include <stdarg.h>
            #include <stdio.h>
            #define TRACED __attribute__((noinline))
            struct pair { long first, second; };
            static volatile long seven = 7; // nothing is known at compile time
            TRACED static long whole(long x) { WEFT_TRACING_ALWAYS; return x * 3; }
            TRACED static double real(double x) { WEFT_TRACING_ALWAYS; return x / 4; }
            TRACED static struct pair both(long x) { WEFT_TRACING_ALWAYS; return (struct pair){x, -x}; }
            TRACED static double sum(int count, ...)
            {
                WEFT_TRACING_ALWAYS;
                va_list list;
                double total = 0;
                va_start(list, count);
                for (int i = 0; i < count; i++)
                    total += va_arg(list, double);
                va_end(list);
                return total;
            }
            TRACED static long tail(long x) { WEFT_TRACING_ALWAYS; long (*volatile callee)(long) = whole; __attribute__((musttail)) return callee(x + 1); }
            TRACED static double tail_sum(int count, double a, double b) { WEFT_TRACING_ALWAYS; return sum(count, a, b); }
            static int wrong(void)
            {
                struct pair pair = both(seven);
                long n = seven;
                return (whole(n) != 21) + 2 * (real((double)n) != 1.75) + 4 * (pair.first != 7) + 8 * (pair.second != -7) + 16 * (sum(3, 1.0, 2.0, (double)n) != 10) + 32 * (tail(n) != 24) + 64 * (tail_sum(2, 1.5, (double)n) != 8.5);
            }
            int main(void)
            {
                static const enum weft_tracing_clock clocks[] = {WEFT_TRACING_CLOCK_NONE, WEFT_TRACING_CLOCK_EXACT, WEFT_TRACING_CLOCK_COARSE, WEFT_TRACING_CLOCK_NONE, WEFT_TRACING_CLOCK_COARSE, WEFT_TRACING_CLOCK_EXACT, WEFT_TRACING_CLOCK_NONE};
                for (unsigned i = FIRST; i < sizeof clocks / sizeof *clocks; i++) {
                    if (weft_tracing_on("whole,real,both,sum,tail*", clocks[i]) != 6)
                        return 128;
                    if (wrong())
                        return printf("step %u: %d\n", i, wrong()) > 0;
                }
                return 0;
            }
            """);
        harness.Environment["WEFT_OUT"] = harness.Path("traces");
        foreach (var first in (string[])["0", "1", "2"]) // what a function was first switched on with stays in its sleds
        {
            harness.Must(Harness.Weft, "cc", "--with=tracing", "-O2", $"-DFIRST={first}", "clocks.c", "-o", "clocks");
            harness.Must(harness.Path("clocks"));
        }
    }

    private static string Orders => Path.Combine(Examples, "tracing-c/orders.cpp");

    private string Service(params string[] options)
    {
        harness.Must(Harness.Weft, ["cargo", "build", "--quiet", "--offline", "--manifest-path", Path.Combine(Examples, "tracing-rust/Cargo.toml"), "--with", "tracing", .. options]);
        return Built($"{(options.Contains("--release") ? "release" : "debug")}/tracing-rust");
    }

    /// <summary>What cargo was made to build last, below folders named after the instruments, their options and the target.</summary>
    private string Built(string name) =>
        Directory.GetFiles(harness.Path("target"), Path.GetFileName(name), SearchOption.AllDirectories).Where(f => f.EndsWith(name, StringComparison.Ordinal)).OrderByDescending(File.GetLastWriteTimeUtc).First();

    private void AssertService()
    {
        var calls = Calls();
        var expected = new Dictionary<string, long> { ["answer"] = 48, ["parse"] = 48, ["primes"] = 24, ["collatz"] = 12 };
        foreach (var (name, count) in expected) Assert.Equal((name, count), (name, calls[$"tracing_rust::{name}"]));
        Assert.DoesNotContain("tracing_rust::divides", calls.Keys);

        var replay = Replay();
        Assert.Equal((48, 48), (Count(replay, "/* request begins */"), Count(replay, "/* request ends */")));
        Assert.Equal((48, 11), (Count(replay, "/* path: /"), Count(replay, "/* path: /teapot */")));
        Assert.Equal((1, 1), (Count(replay, "/* large: 4675 primes up to 45000 */"), Count(replay, "/* failed: /primes/many */")));
        Assert.Matches(@"tracing_rust::parse\(\)(;| ).*left by an exception or jump", replay);
        Assert.Matches(@"tracing_rust::answer\(\): left by an exception or jump", replay);
        AssertChrome(calls, new() { ["request"] = 48 }, new() { ["path"] = 48, ["large"] = 3, ["failed"] = 1 }, threads: null);
    }

    /// <summary>Whatever its size, and however it is compiled: small is traced, hidden is not.</summary>
    private void AssertMarks(Func<string[], string> build)
    {
        Record(build([]));
        Assert.Equal(["small 5"], Marked());
        Record(build(["1"]));
        Assert.Equal(["small 5", "unmarked 1"], Marked());

        IEnumerable<string> Marked() => Calls().Select(c => Regex.Replace(c.Key, @"^marks::|\(.*", "") + " " + c.Value).Where(c => Regex.IsMatch(c, "^(small|unmarked|hidden) ")).Order(StringComparer.Ordinal);
    }

    private void AssertChrome(Dictionary<string, long> calls, Dictionary<string, int> spans, Dictionary<string, int> events, int? threads)
    {
        using var json = JsonDocument.Parse(harness.Must(Harness.Weft, "tracing", "export", "--format", "chrome", harness.Path("trace")).Output);
        var root = json.RootElement;
        var all = (root.ValueKind == JsonValueKind.Array ? root : root.GetProperty("traceEvents")).EnumerateArray().ToList();
        var begun = Names("B");
        Assert.Equal(calls.OrderBy(c => c.Key, StringComparer.Ordinal), begun.ToDictionary(b => b.Key, b => (long)b.Value).OrderBy(c => c.Key, StringComparer.Ordinal));
        Assert.Equal(begun.Values.Sum(), all.Count(e => Text(e, "ph") == "E"));
        Assert.Equal(spans, Names("b"));
        Assert.Equal(spans, Names("e"));
        Assert.Equal(events, Names("i"));
        if (threads is { } count) Assert.Equal(count, all.Where(e => Text(e, "ph") == "B").Select(e => e.GetProperty("tid").GetInt64()).Distinct().Count());

        Dictionary<string, int> Names(string phase) => all.Where(e => Text(e, "ph") == phase).GroupBy(e => Text(e, "name")).ToDictionary(g => g.Key, g => g.Count());
        static string Text(JsonElement e, string name) => e.GetProperty(name).GetString()!;
    }

    private string Record(params string[] arguments)
    {
        File.Delete(harness.Path("trace"));
        return harness.Must(Harness.Weft, ["tracing", "record", "-o", harness.Path("trace"), .. arguments]).Output;
    }

    private Dictionary<string, long> Calls()
    {
        using var json = JsonDocument.Parse(harness.Must(Harness.Weft, "tracing", "report", "--json", harness.Path("trace")).Output);
        return json.RootElement.GetProperty("functions").EnumerateArray().ToDictionary(f => f.GetProperty("function").GetString()!, f => f.GetProperty("calls").GetInt64());
    }

    private string Replay(string? file = null) => harness.Must(Harness.Weft, "tracing", "replay", file ?? harness.Path("trace")).Output;

    private static int Count(string text, string part) => text.Split(part).Length - 1;
}
