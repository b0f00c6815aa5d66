using System.Globalization;
using System.Text.Json;
using System.Text.RegularExpressions;
using Weft.Core;

namespace Weft.Tests;

/// <summary>Units by line and by who called whom, in real programs: the same at every level, and as other tools read them.</summary>
public sealed partial class MeteringContextTests : IDisposable
{
    private const string CProgram = """
        #include <setjmp.h>
        #include <stdlib.h>
        static jmp_buf back;
        static int compare(const void *a, const void *b)
        {
            return *(const int *)a - *(const int *)b;
        }
        static unsigned fib(unsigned n)
        {
            if (n < 2)
                return n;
            return fib(n - 1)
                + fib(n - 2);
        }
        static void dive(int n)
        {
            if (n == 0)
                longjmp(back, 1);
            dive(n - 1);
        }
        static int leaf(int x) { return 2 * x; }
        static int twice(int x) { return leaf(x); }
        static int thrice(int x) { return leaf(x) + x; }
        static void leave(void) { leaf(1); }
        int main(void)
        {
            int numbers[100], sum = 0;
            for (int i = 0; i < 100; i++)
                numbers[i] = i * 7919 % 101;
            qsort(numbers, 100, sizeof numbers[0], compare);
            if (!setjmp(back))
                dive(10);
            int (*functions[])(int) = {twice, thrice};
            for (int i = 0; i < 10; i++)
                sum += functions[i % 2](i);
            atexit(leave);
            exit(fib(10) + sum == 0);
        }
        """;

    private const string CppProgram = """
        struct Guard { int *count; ~Guard(); };
        [[gnu::noinline]] Guard::~Guard() { ++*count; }
        [[gnu::noinline]] static int leaf(int n) { return n * 3; }
        [[gnu::noinline]] static int risky(int n, int *count) { Guard guard{count}; if (n % 3 == 0) throw n; return leaf(n); }
        [[gnu::noinline]] static int careful(int n, int *count)
        {
            try { return risky(n, count); }
            catch (int caught) { return leaf(caught); }
        }
        int main()
        {
            int count = 0, sum = 0;
            for (int i = 0; i < 9; i++) sum += careful(i, &count) + leaf(i);
            return sum == 0 || count != 9;
        }
        """;

    private const string Coroutines = """
        #include <coroutine>
        struct Numbers
        {
            struct promise_type
            {
                int value;
                Numbers get_return_object() { return {std::coroutine_handle<promise_type>::from_promise(*this)}; }
                std::suspend_always initial_suspend() { return {}; }
                std::suspend_always final_suspend() noexcept { return {}; }
                std::suspend_always yield_value(int v) { value = v; return {}; }
                void return_void() {}
                void unhandled_exception() {}
            };
            std::coroutine_handle<promise_type> handle;
        };
        static int leaf(int n) { return n * 2; }
        static Numbers numbers(int n) { for (int i = 0; i < n; i++) co_yield leaf(i); }
        static int next(Numbers &n) { n.handle.resume(); return n.handle.promise().value; }
        int main()
        {
            Numbers n = numbers(5);
            int sum = 0;
            for (int i = 0; i < 5; i++) sum += next(n);
            n.handle.destroy();
            return sum != 20;
        }
        """;

    private readonly Harness harness = new();

    public MeteringContextTests() => harness.Environment["WEFT_CC"] = "clang-22";

    public void Dispose() => harness.Dispose();

    [Needs("clang-22")]
    public void Functions_lines_and_contexts_of_C_are_the_same_at_every_level_and_in_the_reference() => AreTheSame("cc", "p.c", CProgram);

    [Needs("clang-22")]
    public void Functions_lines_and_contexts_of_Cpp_with_exceptions_are_the_same_at_every_level() => AreTheSame("c++", "p.cc", CppProgram);

    [Needs("clang-22")]
    public void Coroutines_are_below_whoever_resumes_them_at_every_level()
    {
        AreTheSame("c++", "co.cc", Coroutines, "-std=c++20");
        Assert.Contains(harness.Must(Harness.Weft, "metering", "report", "report.json", "--format", "folded").Output.Split('\n'), l => Regex.IsMatch(l, "^main;next.*resume[^;]*;numbers.int. "));
    }

    [Needs("clang-22")]
    public void A_call_that_must_become_a_jump_is_the_callers_callers()
    {
        const string jumps = "static int odd(int n);\nstatic int even(int n) { if (n == 0) return 1; __attribute__((musttail)) return odd(n - 1); }\nstatic int odd(int n) { if (n == 0) return 0; __attribute__((musttail)) return even(n - 1); }\nint main(void) { return !even(1000000); }\n";
        foreach (var level in (string[])["-O0", "-O2"])
            Assert.Equal(["main", "main>even@4", "main>odd@4"], Count("cc", "jumps.c", jumps, "--metering-detail=calls", level).Contexts.Keys);
    }

    [Needs("clang-22")]
    public void Details_add_up_to_the_total_that_a_build_without_them_has()
    {
        var plain = Count("cc", "p.c", CProgram, "--metering-detail=total", "-O2").Total;
        foreach (var detail in (string[])["functions", "lines", "calls"])
        {
            var report = Count("cc", "p.c", CProgram, $"--metering-detail={detail}", "-O2");
            Assert.Equal((detail, plain, plain), (detail, report.Total, Sum(report.Functions.Values)));
            if (detail != "functions") Assert.Equal(plain, Sum(report.Lines.Values));
            if (detail == "calls") Assert.Equal(plain, Sum(report.Contexts.Values.Select(c => c.Units)));
        }
    }

    [Needs("clang-22")]
    public void What_is_called_by_code_that_is_not_woven_is_below_the_woven_function_that_called_that()
    {
        var contexts = Count("cc", "p.c", CProgram, "--metering-detail=calls", "-O3").Contexts;
        Assert.True(contexts["main>compare@30"].Calls > 99);
        Assert.DoesNotContain(contexts.Keys, k => k.StartsWith("main>compare>", StringComparison.Ordinal));
        Assert.Equal(1ul, contexts["main>leave@37>leaf@24"].Calls); // by exit()
    }

    [Needs("clang-22")]
    public void After_a_longjmp_the_tree_goes_on_where_it_was_set()
    {
        var contexts = Count("cc", "p.c", CProgram, "--metering-detail=calls", "-O2").Contexts;
        Assert.Equal(11, contexts.Keys.Count(k => k.EndsWith(">dive", StringComparison.Ordinal) || k.EndsWith(">dive@32", StringComparison.Ordinal)));
        Assert.Equal(5ul, contexts["main>twice@35>leaf@22"].Calls);
        Assert.Equal(5ul, contexts["main>thrice@35>leaf@23"].Calls);
    }

    [Needs("clang-22")]
    public void After_an_exception_the_tree_goes_on_where_it_was_caught()
    {
        var contexts = Count("c++", "p.cc", CppProgram, "--metering-detail=calls", "-O2").Contexts;
        Assert.Equal(3ul, contexts.Single(c => c.Key.EndsWith("careful@13>leaf@8", StringComparison.Ordinal)).Value.Calls);
        Assert.Equal(6ul, contexts.Single(c => c.Key.EndsWith("risky@7>leaf@4", StringComparison.Ordinal)).Value.Calls);
        Assert.Equal(9ul, contexts["main>leaf@13"].Calls);
    }

    [Needs("clang-22")]
    public void Two_lines_that_recurse_do_not_double_the_tree_at_every_level()
    {
        var contexts = Count("cc", "p.c", CProgram, "--metering-detail=calls", "-O2").Contexts;
        Assert.Equal(10, contexts.Keys.Count(k => k.Contains("fib")));
        Assert.Equal(177ul, contexts.Where(c => c.Key.Contains("fib")).Aggregate(0ul, (sum, c) => sum + c.Value.Calls));
    }

    [Needs("clang-22")]
    public void Recursion_without_end_in_sight_goes_into_one_context()
    {
        const string deep = "static int even(int n);\nstatic int odd(int n) { return n == 0 ? 0 : even(n - 1); }\nstatic int even(int n) { return n == 0 ? 1 : odd(n - 1); }\nint main(void) { return !even(20000); }\n";
        var report = Count("cc", "deep.c", deep, "--metering-detail=calls", "-O2");
        Assert.Equal(1001, report.Contexts.Count);
        Assert.Equal(report.Total, Sum(report.Contexts.Values.Select(c => c.Units)));
        var last = report.Contexts.Single(c => c.Key.EndsWith(">(deeper)", StringComparison.Ordinal)).Value;
        Assert.Equal(20002ul - 1000, last.Calls);
    }

    [Needs("clang-22")]
    public void Threads_share_contexts_and_a_forked_child_has_its_own()
    {
        const string program = """
            #include <pthread.h>
            #include <sys/wait.h>
            #include <unistd.h>
            static int leaf(int n) { return n + 1; }
            static void *work(void *n) { for (int i = 0; i < 10; i++) leaf(i); return n; }
            int main(void)
            {
                pthread_t threads[8];
                for (int i = 0; i < 8; i++) pthread_create(&threads[i], 0, work, 0);
                for (int i = 0; i < 8; i++) pthread_join(threads[i], 0);
                work(0);
                if (fork() == 0) { work(0); return 0; }
                wait(0);
                return 0;
            }
            """;
        var contexts = Count("cc", "threads.c", program, "--metering-detail=calls", "-O2", "-pthread").Contexts;
        Assert.Equal(8ul, contexts["work"].Calls);
        Assert.Equal(80ul, contexts["work>leaf@5"].Calls);
        Assert.Equal(1ul, contexts["main>work@11"].Calls);
        Assert.DoesNotContain("main>work@12", contexts.Keys);
        var child = Read(Directory.GetFiles(harness.Folder, "report.json.*").Single(f => !f.EndsWith(".json", StringComparison.Ordinal))).Contexts;
        Assert.Equal(10ul, child["main>work@12>leaf@5"].Calls);
        Assert.Equal(0ul, child["main"].Calls);
        Assert.DoesNotContain("main>work@11", child.Keys);
    }

    [Needs("clang-22", "callgrind_annotate")]
    public void Callgrinds_own_tool_reads_the_same_figures()
    {
        foreach (var (door, name, source) in (ReadOnlySpan<(string, string, string)>)[("cc", "p.c", CProgram), ("c++", "p.cc", CppProgram)])
        {
            var report = Count(door, name, source, "--metering-detail=calls", "-O2");
            harness.Must(Harness.Weft, "metering", "report", "report.json", "--format", "callgrind", "-o", "callgrind.out");
            var inclusive = Json("functions").ToDictionary(f => f.GetProperty("demangled").GetString()!, f => f.GetProperty("inclusive").GetUInt64());
            var self = Json("functions").ToDictionary(f => f.GetProperty("demangled").GetString()!, f => f.GetProperty("units").GetUInt64());
            Assert.Equal(self, Annotated("--inclusive=no", report.Total));
            var annotated = Annotated("--inclusive=yes", report.Total);
            Assert.Equal(inclusive, annotated);
        }
    }

    [Needs("clang-22")]
    public void Folded_stacks_add_up_to_the_total()
    {
        var report = Count("cc", "p.c", CProgram, "--metering-detail=calls", "-O2");
        var lines = harness.Must(Harness.Weft, "metering", "report", "report.json", "--format", "folded").Output.TrimEnd('\n').Split('\n');
        Assert.Equal(report.Total, Sum(lines.Select(l => ulong.Parse(l[(l.LastIndexOf(' ') + 1)..], CultureInfo.InvariantCulture))));
        Assert.Contains(lines, l => l.StartsWith("main;compare ", StringComparison.Ordinal));
        Assert.Single(lines, l => l.StartsWith("main;twice;leaf ", StringComparison.Ordinal));
    }

    [Needs("clang-22")]
    public void A_comparison_finds_an_algorithm_that_has_become_worse()
    {
        static string Sort(string order) => $$"""
            enum { N = 200 };
            static void sort(int *a)
            {
                for (int i = 1; i < N; i++)
                    for (int j = i; j > 0 && a[j - 1] > a[j]; j--) { int t = a[j]; a[j] = a[j - 1]; a[j - 1] = t; }
            }
            int main(void)
            {
                int a[N];
                for (int i = 0; i < N; i++) a[i] = {{order}};
                sort(a);
                return a[0];
            }
            """;
        Count("cc", "s.c", Sort("i"), "--metering-detail=functions", "-O2");
        File.Move(harness.Path("report.json"), harness.Path("sorted.json"));
        Count("cc", "s.c", Sort("N - 1 - i"), "--metering-detail=functions", "-O2");
        harness.Must(Harness.Weft, "metering", "compare", "sorted.json", "sorted.json", "--fail-over", "0");
        harness.Must(Harness.Weft, "metering", "compare", "report.json", "sorted.json", "--fail-over", "0");
        var outcome = harness.RunWeft("metering", "compare", "sorted.json", "report.json", "--fail-over", "2.5");
        Harness.AssertToldWell(outcome, ExitCode.CheckFailed, "--fail-over", "2.5%");
        Assert.StartsWith("sort", outcome.Output.Split('\n')[3].Split(' ', StringSplitOptions.RemoveEmptyEntries)[^1]);
    }

    [Needs("cargo")]
    public void After_a_panic_that_is_caught_the_tree_goes_on_where_it_was()
    {
        harness.Environment.Remove("WEFT_CC");
        harness.Write("Cargo.toml", "[package]\nname = \"p\"\nversion = \"0.1.0\"\nedition = \"2021\"\n");
        harness.Write("src/main.rs", """
            use std::panic;
            #[inline(never)]
            fn leaf(n: u32) -> u32 { n * 3 }
            #[inline(never)]
            fn risky(n: u32) -> u32 { if n % 3 == 0 { panic!("no") } leaf(n) }
            #[inline(never)]
            fn careful(n: u32) -> u32 { panic::catch_unwind(|| risky(n)).unwrap_or_else(|_| leaf(n)) }
            fn main() {
                panic::set_hook(Box::new(|_| {}));
                let sum: u32 = (0..9).map(|n| careful(n) + leaf(n)).sum();
                assert!(sum > 0);
            }
            """);
        var totals = new List<ulong>();
        foreach (var profile in (string[])["dev", "release"])
        {
            harness.Environment["CARGO_PROFILE_DEV_DEBUG_ASSERTIONS"] = harness.Environment["CARGO_PROFILE_DEV_OVERFLOW_CHECKS"] = "false";
            harness.Must(Harness.Weft, "cargo", "build", "--profile", profile, "--with", "metering", "--metering-detail", "calls");
            var program = Directory.GetFiles(harness.Path("target/weft"), "p", SearchOption.AllDirectories).Single(f => f.EndsWith(profile == "dev" ? "/debug/p" : "/release/p", StringComparison.Ordinal));
            harness.Environment["WEFT_METERING_REPORT"] = harness.Path("report.json");
            harness.Must(program);
            var report = Read(harness.Path("report.json"));
            totals.Add(report.Total);
            Assert.Equal(report.Total, Sum(report.Contexts.Values.Select(c => c.Units)));
            var folded = harness.Must(Harness.Weft, "metering", "report", "report.json", "--format", "folded").Output.Split('\n');
            Assert.All(folded.Where(l => l.Contains(";p::risky", StringComparison.Ordinal)), l => Assert.Contains("p::careful;", l));
            Assert.DoesNotContain(folded, l => Regex.Count(l, "p::careful(;| )") > 1); // the next call is not below the one that panicked
            Assert.Contains(folded, l => Regex.IsMatch(l, "p::careful;(.*;)?p::leaf "));
        }
        Assert.Equal(totals[0], totals[1]);
    }

    private void AreTheSame(string door, string name, string source, params string[] flags)
    {
        var expected = Count(door, name, source, ["--metering-detail=calls", "--metering-mode=reference", "-O1", .. flags]);
        foreach (var level in (string[])["-O0", "-O2", "-O3", "-Os"])
        {
            var report = Count(door, name, source, ["--metering-detail=calls", level, .. flags]);
            Assert.Equal((level, expected.Total), (level, report.Total));
            Assert.Equal(expected.Functions, report.Functions);
            Assert.Equal(expected.Lines, report.Lines);
            Assert.Equal(expected.Contexts, report.Contexts);
        }
    }

    private sealed record Counted(ulong Total, Dictionary<string, ulong> Functions, Dictionary<string, ulong> Lines, Dictionary<string, (ulong Calls, ulong Units)> Contexts);

    private Counted Count(string door, string name, string source, params string[] flags)
    {
        harness.Write(name, source);
        harness.Must(Harness.Weft, [door, "--with=metering", .. flags, name, "-o", "program"]);
        harness.Environment["WEFT_METERING_REPORT"] = harness.Path("report.json");
        harness.Must(harness.Path("program"));
        return Read(harness.Path("report.json"));
    }

    private static Counted Read(string path)
    {
        var report = JsonDocument.Parse(File.ReadAllText(path)).RootElement;
        var functions = report.GetProperty("functions").EnumerateArray().ToList();
        string Name(JsonElement e) => e.TryGetProperty("function", out var f) ? Short(functions[f.GetInt32()].GetProperty("name").GetString()!) : "(deeper)";
        var lines = report.GetProperty("lines").EnumerateArray().GroupBy(l => $"{Name(l)} {l.GetProperty("file").GetString()}:{l.GetProperty("line")}").ToDictionary(g => g.Key, g => Sum(g.Select(l => l.GetProperty("units").GetUInt64())));
        var paths = new List<string>();
        var contexts = new Dictionary<string, (ulong Calls, ulong Units)>();
        foreach (var context in report.GetProperty("contexts").EnumerateArray())
        {
            var at = context.TryGetProperty("line", out var line) ? $"@{line}" : "";
            paths.Add(context.TryGetProperty("parent", out var parent) ? $"{paths[parent.GetInt32()]}>{Name(context)}{at}" : Name(context));
            var known = contexts.GetValueOrDefault(paths[^1]);
            contexts[paths[^1]] = (known.Calls + context.GetProperty("calls").GetUInt64(), known.Units + context.GetProperty("units").GetUInt64());
        }
        var units = functions.GroupBy(f => f.GetProperty("name").GetString()!).ToDictionary(g => g.Key, g => Sum(g.Select(f => f.GetProperty("units").GetUInt64())));
        return new(report.GetProperty("total").GetUInt64(), units, lines, contexts);
    }

    // "leaf" of "_ZL4leafi".
    private static string Short(string symbol) => Mangled().Replace(symbol, "${name}");

    private List<JsonElement> Json(string name) => [.. JsonDocument.Parse(harness.Must(Harness.Weft, "metering", "report", "report.json", "--json").Output).RootElement.GetProperty(name).EnumerateArray()];

    /// <summary>What callgrind_annotate says of functions, whose total must be that.</summary>
    private Dictionary<string, ulong> Annotated(string inclusive, ulong total)
    {
        var text = harness.Must("sh", "-c", $"cd / && callgrind_annotate {inclusive} --threshold=100 --auto=no {harness.Path("callgrind.out")}").Output; // it knows files in its own folder by two names
        Assert.Equal(total, Figure(TotalLine().Match(text)));
        return FunctionLine().Matches(text).GroupBy(m => m.Groups["name"].Value).ToDictionary(g => g.Key, g => Sum(g.Select(Figure)));
    }

    private static ulong Figure(Match match) => ulong.Parse(match.Groups["units"].Value, NumberStyles.AllowThousands, CultureInfo.InvariantCulture);

    private static ulong Sum(IEnumerable<ulong> numbers) => numbers.Aggregate(0ul, (sum, n) => sum + n);

    [GeneratedRegex(@"^_ZL?\d+(?<name>careful|risky|leaf).*$", RegexOptions.ExplicitCapture)]
    private static partial Regex Mangled();

    [GeneratedRegex(@"^\s*(?<units>[\d,]+) .*PROGRAM TOTALS", RegexOptions.Multiline | RegexOptions.ExplicitCapture)]
    private static partial Regex TotalLine();

    [GeneratedRegex(@"^\s*(?<units>[\d,]+) \(\s*[\d.]+%\)  [^\s:]+:(?<name>\S.*?)( \[.*\])?$", RegexOptions.Multiline | RegexOptions.ExplicitCapture)]
    private static partial Regex FunctionLine();
}
