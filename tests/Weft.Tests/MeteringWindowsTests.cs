using System.Globalization;
using System.Text.Json;
using System.Text.RegularExpressions;

namespace Weft.Tests;

/// <summary>Metering for Windows: the oracle is the same program on Linux.</summary>
public sealed class MeteringWindowsTests : IDisposable
{
    private static readonly string Kernels = Path.Combine(Harness.Root, "bench/kernels"), Fixtures = Path.Combine(Harness.Root, "tests/fixtures/metering");

    private static readonly string[] Levels = ["-O0", "-O1", "-O2", "-O3", "-Os"];

    private readonly Harness harness = new();

    public MeteringWindowsTests() => harness.Environment["WEFT_CC"] = "clang-22";

    public void Dispose() => harness.Dispose();

    // Not sort: how often qsort() compares is the C library's affair.
    public static TheoryData<string> OtherKernels => ["collatz", "hashing", "interpreter", "list", "matmul", "nbody", "recursion", "saxpy", "sieve"];

    [TheoryNeeds("clang-22", Wine.Program, Wine.Mingw)]
    [InlineData("json")]
    [InlineData("histogram")] // has threads
    public void A_kernel_counts_to_the_unit_what_it_counts_on_Linux(string kernel) => Compare(kernel);

    [TheoryNeeds("clang-22", Wine.Program, Wine.Mingw), Trait("Category", "Slow")]
    [MemberData(nameof(OtherKernels))]
    public void Other_kernels_count_to_the_unit_what_they_count_on_Linux(string kernel) => Compare(kernel);

    [Needs("clang-22", Wine.Program, Wine.Mingw)]
    public void Cpp_with_exceptions_counts_to_the_unit_what_it_counts_on_Linux()
    {
        // clang leaves out sizes for mingw. The program passes no classes by value, and makes no static that is destroyed.
        harness.Write("p.cc", """
            #include <cstdint>
            #include <cstdio>
            #include <memory>
            #include <stdexcept>
            #include <vector>
            struct Shape { virtual ~Shape() = default; virtual int32_t area() const = 0; };
            struct Square : Shape { int32_t side; explicit Square(int32_t s) : side(s) {} int32_t area() const override { return side * side; } };
            struct Rectangle : Shape { int32_t a, b; Rectangle(int32_t x, int32_t y) : a(x), b(y) {} int32_t area() const override { if (a < 0) throw std::runtime_error("negative"); return a * b; } };
            static int32_t live;
            struct Guard { Guard() { live++; } ~Guard() { live--; } };
            static int32_t deep(int32_t n) { Guard g; if (n == 0) throw std::out_of_range("bottom"); return deep(n - 1) + 1; }
            static int32_t risky(int32_t n) { try { return deep(n); } catch (const std::out_of_range &) { return -n; } }
            template <class T> T gcd(T a, T b) { return b == 0 ? a : gcd<T>(b, a % b); }
            int main() {
                std::vector<std::unique_ptr<Shape>> shapes;
                for (int32_t i = 0; i < 40; i++) if (i % 2) shapes.emplace_back(new Square(i)); else shapes.emplace_back(new Rectangle(i % 7 ? i : -1, 3));
                int32_t sum = 0, failed = 0;
                for (auto &s : shapes) try { sum += s->area(); } catch (const std::exception &e) { failed += e.what()[0] == 'n'; }
                std::printf("%d %d\n", (int)sum, (int)failed);
                for (int32_t i = 0; i < 30; i++) sum += risky(i);
                auto add = [&](uint64_t x) { return (uint64_t)sum + gcd<uint64_t>(x, 360); };
                std::printf("%d %d %u\n", (int)sum, (int)live, (unsigned)add(84));
                return 0;
            }
            """);
        CompareLevels("c++", ["p.cc"], [], ["-fsized-deallocation"]);
    }

    [TheoryNeeds("clang-22", Wine.Program, Wine.Mingw)]
    [InlineData("-std=c11")] // mingw's headers then define printf
    [InlineData("-std=gnu11")]
    public void Calls_of_printf_cost_what_they_cost_on_Linux(string standard)
    {
        harness.Write("p.c", """
            #include <stdio.h>
            int main(void) { char text[64]; int n = 0; sscanf("41", "%d", &n); snprintf(text, sizeof text, "%d", n + 1); printf("%s\n", text); fprintf(stdout, "%d\n", n); puts(text); return 0; }
            """);
        CompareLevels("cc", ["p.c"], [standard], []);
    }

    [Needs("clang-22", Wine.Program, Wine.Mingw)]
    public void Hints_and_setjmp_cost_what_they_cost_on_Linux()
    {
        harness.Write("p.c", """
            #include <setjmp.h>
            #include <stdint.h>
            #include <stdio.h>
            static volatile uint64_t wide = 7;
            static volatile int32_t narrow = 3;
            int main(void) {
                jmp_buf here;
                if (__builtin_expect(wide, 1)) puts("wide");
                if (__builtin_expect(narrow > 2, 0)) puts("narrow");
                if (__builtin_expect_with_probability(!!narrow, 1, 0.9)) puts("probably");
                if (setjmp(here) == 0) longjmp(here, 1);
                return 0;
            }
            """);
        CompareLevels("cc", ["p.c"], [], []);
    }

    [Needs("clang-22", Wine.Program, Wine.Mingw)]
    public void What_destructors_of_statics_do_is_in_the_report()
    {
        harness.Write("p.cc", """
            #include <cstdint>
            #include <cstdio>
            #include <cstdlib>
            static volatile uint32_t sink;
            struct Late { ~Late() { for (uint32_t i = 0; i < 1000; i++) sink = sink + i; std::puts("late"); } };
            static Late late;
            __attribute__((destructor)) static void last() { for (uint32_t i = 0; i < 1000; i++) sink = sink + i; }
            int main() { std::atexit([] { sink = sink + 1; }); return 0; }
            """);
        Build("linux", "c++", ["p.cc"], "-O2");
        BuildWindows("windows", "c++", ["p.cc"], "-O2");
        Assert.Equal(RunLinux("linux").Units + 2, RunWindows("windows").Units); // what is registered is a function of its own
    }

    [Needs("clang-22", Wine.Program, Wine.Mingw)]
    public void A_program_stops_at_the_same_point_as_on_Linux() => CompareStops(5, "-O0", "-O2", "-O3");

    [Needs("clang-22", Wine.Program, Wine.Mingw), Trait("Category", "Slow")]
    public void A_program_stops_at_the_same_point_as_on_Linux_at_1000_limits() => CompareStops(1000, "-O2");

    private void CompareStops(int count, params string[] levels)
    {
        var source = File.ReadAllText(Path.Combine(Fixtures, "limits.c")).Replace("unsigned long", "unsigned long long").Replace("qsort(values, 500, sizeof *values, compare)", "sort(values, compare(values, values + 1) > 0 ? 500 : 400)");
        harness.Write("p.c", source.Replace("%zu", "%u").Replace("strlen(text));", "(unsigned)strlen(text));"));
        Build("linux", "cc", ["p.c"], "-O2");
        var total = RunLinux("linux").Units;
        foreach (var level in levels)
        {
            BuildWindows(level, "cc", ["p.c"], level);
            Assert.Equal((level, total), (level, RunWindows(level).Units));
        }
        var random = new Random(20261122);
        foreach (var limit in (ulong[])[0, 1, total - 1, total, .. Enumerable.Range(0, count).Select(_ => (ulong)random.NextInt64((long)total))])
        {
            var expected = RunLinux("linux", limit);
            foreach (var level in levels) Assert.Equal((limit, level, expected), (limit, level, RunWindows(level, limit)));
        }
    }

    [Needs("clang-22", Wine.Program, Wine.Mingw)]
    public void Memory_at_a_limit_is_the_same_as_on_Linux() => CompareMemory("1", "777", "50000", "123456", "399999");

    [Needs("clang-22", Wine.Program, Wine.Mingw), Trait("Category", "Slow")]
    public void Memory_at_1000_limits_is_the_same_as_on_Linux()
    {
        var random = new Random(20261125);
        CompareMemory([.. Enumerable.Range(0, 1000).Select(_ => random.Next(400_000).ToString(CultureInfo.InvariantCulture))]);
    }

    private void CompareMemory(params string[] limits)
    {
        string[] options = ["--metering-limits=exact", Path.Combine(Fixtures, "exact.c")];
        Build("linux", "cc", options, "-O2");
        var expected = harness.Must(harness.Path("linux"), limits).Output;
        foreach (var level in Levels)
        {
            BuildWindows("windows", "cc", options, level);
            Assert.Equal((level, expected), (level, Wine.Run(harness, "windows.exe", limits).Output));
        }
    }

    [Needs("clang-22", Wine.Program, Wine.Mingw)]
    public void An_exception_from_a_limit_runs_the_same_destructors_at_every_level()
    {
        var outputs = Levels.Select(level =>
        {
            BuildWindows("windows", "c++", ["--metering-limits=exact", Path.Combine(Fixtures, "unwinding.cpp")], level);
            var outcome = Wine.Run(harness, "windows.exe", "2000");
            Assert.True(outcome.ExitCode == 0, outcome.ToString());
            return outcome.Output;
        }).ToList();
        Assert.Equal(5, outputs[0].Split("live 0").Length - 1);
        Assert.Single(outputs.Distinct());
    }

    [TheoryNeeds("clang-22", Wine.Program, Wine.Mingw)]
    [InlineData(1000, 3)]
    public void Random_programs_cost_and_stop_as_on_Linux(int seed, int count) => CompareRandom(seed, count);

    [TheoryNeeds("clang-22", Wine.Program, Wine.Mingw), Trait("Category", "Slow")]
    [InlineData(5000, 25)]
    [InlineData(5050, 25)]
    [InlineData(5100, 25)]
    [InlineData(5150, 25)]
    public void Random_programs_100_of_them_cost_and_stop_as_on_Linux(int seed, int count) => CompareRandom(seed, count);

    [Needs("clang-22", Wine.Program, Wine.Mingw)]
    public void A_report_says_the_same_of_functions_lines_and_calls_as_on_Linux()
    {
        harness.Write("p.c", """
            #include <stdint.h>
            #include <stdio.h>
            static uint32_t fib(uint32_t n) { return n < 2 ? n : fib(n - 1) + fib(n - 2); }
            __attribute__((noinline)) static uint32_t twice(uint32_t n)
            {
                uint32_t sum = 0;
                for (uint32_t i = 0; i < n; i++)
                    sum += fib(i);
                return sum * 2;
            }
            int main(void)
            {
                printf("%u\n", (unsigned)(twice(12) + twice(9)));
                return 0;
            }
            """);
        Build("linux", "cc", ["--metering-detail=calls", "p.c"], "-O2");
        BuildWindows("windows", "cc", ["--metering-detail=calls", "p.c"], "-O2");
        RunLinux("linux");
        var expected = Details();
        RunWindows("windows");
        Assert.Equal(expected, Details());
        Assert.EndsWith("windows.exe", Report().GetProperty("program").GetString(), StringComparison.Ordinal);
        Assert.Equal("canonical", Report().GetProperty("costs").GetString());
    }

    [Needs("clang-22", Wine.Program, Wine.Mingw)]
    public void Threads_of_Windows_are_told_apart_and_a_limit_ends_one_alone()
    {
        harness.Write("p.c", """
            #include <stdint.h>
            #include <stdio.h>
            #include <weft/metering.h>
            #include <windows.h>
            HRESULT WINAPI SetThreadDescription(HANDLE thread, PCWSTR description);
            static volatile uint32_t sink;
            static void stop(void *unused) { (void)unused; ExitThread(7); }
            static void work(uint32_t n) { for (uint32_t i = 0; i < n; i++) sink += i; }
            static DWORD WINAPI run(void *n)
            {
                SetThreadDescription(GetCurrentThread(), L"worker");
                work((uint32_t)(uintptr_t)n);
                return 0;
            }
            static DWORD WINAPI endless(void *unused)
            {
                (void)unused;
                weft_metering_set_limit(5000, stop, 0);
                for (;;) sink++;
            }
            int main(void)
            {
                HANDLE threads[3] = {CreateThread(0, 0, run, (void *)1000, 0, 0), CreateThread(0, 0, run, (void *)1000, 0, 0), CreateThread(0, 0, endless, 0, 0, 0)};
                DWORD code = 0;
                WaitForMultipleObjects(3, threads, TRUE, INFINITE);
                GetExitCodeThread(threads[2], &code);
                SetLastError(1234);
                work(1000000);
                printf("%lu %lu\n", code, GetLastError());
                return 0;
            }
            """);
        BuildWindows("windows", "cc", ["p.c"], "-O2");
        Assert.Equal("7 1234\n", RunWindows("windows").Output);
        var threads = Report().GetProperty("threads").EnumerateArray().Skip(1).Select(t => (Name: t.GetProperty("name").GetString(), Units: t.GetProperty("units").GetUInt64(), Ended: t.GetProperty("ended").GetBoolean())).ToList();
        Assert.Equal(3, threads.Count);
        Assert.All(threads, t => Assert.True(t.Ended));
        var workers = threads.Where(t => t.Name == "worker").ToList();
        Assert.Equal(2, workers.Count);
        Assert.Equal(workers[0].Units, workers[1].Units);
        Assert.InRange(threads.Single(t => t.Name != "worker").Units, 5000ul, 5100ul);
    }

    [Needs("clang-22", Wine.Program, Wine.Mingw)]
    public void A_report_replaces_its_file_and_names_the_process()
    {
        harness.Write("p.c", "int main(void) { return 0; }");
        BuildWindows("windows", "cc", ["p.c"], "-O2");
        Directory.CreateDirectory(harness.Path("ä"));
        harness.Write("ä/old.json", "old");
        foreach (var name in (string[])["ä/old.json", "ä/%p.json"])
        {
            harness.Environment["WEFT_METERING_REPORT"] = name;
            Assert.Equal(0, Wine.Run(harness, "windows.exe").ExitCode);
        }
        var reports = Directory.GetFiles(harness.Path("ä")).Select(f => JsonDocument.Parse(File.ReadAllText(f)).RootElement).ToList();
        Assert.Equal(2, reports.Count);
        Assert.Contains(Directory.GetFiles(harness.Path("ä")), f => reports.Any(r => Path.GetFileName(f) == $"{r.GetProperty("pid").GetInt32()}.json"));
        harness.Environment["WEFT_METERING_REPORT"] = "-";
        Assert.StartsWith("{\"format\":\"weft-metering\"", Wine.Run(harness, "windows.exe").Errors, StringComparison.Ordinal);
        harness.Environment["WEFT_METERING_REPORT"] = "nowhere/r.json";
        Assert.Equal("weft: metering: cannot write report '", Wine.Run(harness, "windows.exe").Errors[..37]);
        harness.Environment["WEFT_METERING_LIMIT"] = "a few";
        Assert.Equal(125, Wine.Run(harness, "windows.exe").ExitCode);
    }

    [TheoryNeeds("clang-22")]
    [InlineData("x86_64-w64-mingw32", "tracing", "tracing is not there for Windows")]
    [InlineData("x86_64-w64-mingw32", "metering,interrupts", "interrupts is not there for Windows")]
    [InlineData("x86_64-pc-windows-msvc", "metering", "not supported")]
    [InlineData("aarch64-w64-mingw32", "metering", "not supported")]
    public void What_is_not_there_for_Windows_is_said(string target, string instruments, string message)
    {
        harness.Write("p.c", "int main(void) { return 0; }");
        Harness.AssertToldWell(harness.RunWeft("cc", $"--with={instruments}", $"--target={target}", "-c", "p.c"), Core.ExitCode.Failure, message, "WEFT_DISABLE=1");
    }

    [Needs("clang-22", Wine.Mingw)]
    public void A_library_for_Windows_is_declined()
    {
        harness.Write("p.c", "int f(void) { return 0; }");
        Harness.AssertToldWell(harness.RunWeft("cc", "--with=metering", Wine.Options[0], "-shared", "p.c", "-o", "p.dll"), Core.ExitCode.Failure, "links a DLL");
    }

    private void Compare(string kernel)
    {
        harness.Write("kernel.c", Regex.Replace(File.ReadAllText(Path.Combine(Kernels, kernel + ".c")), "kernel_passes = [0-9]+;", "kernel_passes = 1;"));
        harness.Write("main.c", """
            #include "kernel.h"
            #include <stdio.h>
            void kernel_thread_begin(void) {}
            void kernel_thread_end(void) {}
            int main(void) { uint64_t sum = kernel(); printf("%08x%08x\n", (unsigned)(sum >> 32), (unsigned)sum); return 0; }
            """);
        CompareLevels("cc", ["-std=c11", "-I", Kernels, "kernel.c", "main.c", "-lpthread"], ["-lm"], []);
    }

    /// <summary>Output and units at every level.</summary>
    private void CompareLevels(string door, string[] sources, string[] options, string[] windows)
    {
        Build("linux", door, [.. sources, .. options], "-O2");
        var expected = RunLinux("linux");
        foreach (var level in Levels)
        {
            BuildWindows("windows", door, [.. sources, .. options, .. windows], level);
            Assert.Equal((level, expected), (level, RunWindows("windows")));
        }
    }

    // Signals are not Windows': the handler is just called. How often qsort() compares is the C library's affair.
    private const string Replaced = """
        #define signal(s, h) ((void)(s))
        #define raise(s) handler(s)
        #undef SIGUSR1
        #define SIGUSR1 10
        static void insertion(uint32_t *v, uint64_t n, int (*compare)(const void *, const void *))
        {
            for (uint64_t i = 1; i < n; i++)
                for (uint64_t k = i; k > 0 && compare(&v[k - 1], &v[k]) > 0; k--) { uint32_t x = v[k]; v[k] = v[k - 1]; v[k - 1] = x; }
        }
        #define qsort(v, n, size, compare) insertion(v, n, compare)
        #define NOINLINE
        """;

    private void CompareRandom(int first, int count)
    {
        var programs = Enumerable.Range(0, count).Select(i => MeteredPrograms.Generate(first + 2 * i, $"program_{i}", portable: true));
        var prologue = MeteredPrograms.Prologue.Replace("#define NOINLINE", Replaced);
        harness.Write("p.c", prologue.Replace("(int signal)", "(int number)").Replace("(uint64_t)signal", "(uint64_t)number") + string.Concat(programs) +
            $"int main(int argc, char **argv) {{ switch (argc > 1 ? atoi(argv[1]) : 0) {{ {string.Concat(Enumerable.Range(0, count).Select(i => $"case {i}: return program_{i}(); "))} }} return 1; }}");
        string[] options = ["-w", "p.c"];
        Build("linux", "cc", options, "-O2");
        foreach (var level in Levels) BuildWindows(level, "cc", options, level);
        for (var i = 0; i < count; i++)
        {
            var random = new Random(first + 2 * i);
            var whole = RunLinux("linux", 2_000_000, Invariant(i));
            foreach (var limit in (ulong[])[2_000_000, (ulong)random.NextInt64(1, (long)whole.Units + 1)])
            {
                var expected = RunLinux("linux", limit, Invariant(i));
                foreach (var level in Levels) Assert.Equal((first + 2 * i, limit, level, expected), (first + 2 * i, limit, level, RunWindows(level, limit, Invariant(i))));
            }
        }
    }

    private readonly record struct Result(int ExitCode, ulong Units, string Output);

    private void Build(string name, string door, string[] options, string level) =>
        harness.Must(Harness.Weft, [door, "--with=metering", level, .. options, "-o", harness.Path(name)]);

    private void BuildWindows(string name, string door, string[] options, string level) =>
        harness.Must(Harness.Weft, [door, "--with=metering", .. Wine.Options, level, .. options, "-o", harness.Path(name + ".exe")]);

    private Result RunLinux(string name, ulong? limit = null, params string[] arguments) => Run(limit, () => harness.Run(harness.Path(name), arguments));

    private Result RunWindows(string name, ulong? limit = null, params string[] arguments) => Run(limit, () => Wine.Run(harness, name + ".exe", arguments));

    private Result Run(ulong? limit, Func<Outcome> run)
    {
        File.Delete(harness.Path("report"));
        harness.Environment["WEFT_METERING_REPORT"] = harness.Path("report");
        harness.Environment["WEFT_METERING_LIMIT"] = limit is { } units ? units.ToString(CultureInfo.InvariantCulture) : null;
        var outcome = run();
        Assert.True(File.Exists(harness.Path("report")), outcome.ToString());
        return new(outcome.ExitCode, Report().GetProperty("total").GetUInt64(), outcome.Output);
    }

    private JsonElement Report() => JsonDocument.Parse(File.ReadAllText(harness.Path("report"))).RootElement;

    /// <summary>Functions by name, lines and contexts.</summary>
    private string Details()
    {
        var report = Report();
        var names = report.GetProperty("functions").EnumerateArray().Select(f => f.GetProperty("name").GetString()).ToList();
        var functions = report.GetProperty("functions").EnumerateArray().Select(f => $"{f.GetProperty("name")} {f.GetProperty("units")}");
        var lines = report.GetProperty("lines").EnumerateArray().Select(l => $"{names[l.GetProperty("function").GetInt32()]}:{l.GetProperty("line")} {l.GetProperty("units")}");
        var contexts = report.GetProperty("contexts").EnumerateArray().Select(c => c.GetRawText());
        Assert.NotEmpty(contexts);
        return string.Join('\n', [.. functions, .. lines, .. contexts]);
    }

    private static string Invariant(int number) => number.ToString(CultureInfo.InvariantCulture);
}
