using System.Globalization;
using System.Text.Json;

namespace Weft.Tests;

/// <summary>Where a program stops at its limit is a property of the program: not of the level, the target or how charges are placed.</summary>
public sealed class MeteringLimitTests : IDisposable
{
    private static readonly string Source = Path.Combine(Harness.Root, "tests/fixtures/metering/limits.c");

    private readonly Harness harness = new();

    public MeteringLimitTests() => harness.Environment["WEFT_CC"] = "clang-22";

    public void Dispose() => harness.Dispose();

    [Needs("clang-22")]
    public void A_program_stops_at_the_same_point_at_every_level_and_in_the_reference_mode()
    {
        string[] levels = ["-O0", "-O1", "-O2", "-O3", "-Os", "-Oz"];
        foreach (var level in levels) Build(level, level);
        Build("reference", "-O2", "--metering-mode=reference");
        Build("everywhere", "-O2", "--metering-limits=off");
        var total = Total("-O0");
        Assert.All([.. levels, "reference", "everywhere"], p => Assert.Equal((p, total), (p, Total(p))));
        foreach (var limit in Limits(total, 25))
        {
            var expected = Stop("reference", limit);
            foreach (var level in levels) Assert.Equal((limit, level, expected), (limit, level, Stop(level, limit)));
        }
    }

    [Needs("clang-22", "qemu-aarch64", "aarch64-linux-gnu-gcc"), Trait("Category", "Slow")]
    public void A_program_stops_at_the_same_point_at_1000_limits()
    {
        string[] levels = ["-O0", "-O1", "-O2", "-O3", "-Os", "-Oz"];
        foreach (var level in levels) Build(level, level);
        Build("there", "-O2", "--target=aarch64-linux-gnu");
        foreach (var limit in Limits(Total("-O0"), 1000))
        {
            var expected = Stop("there", limit, "qemu-aarch64", "-L", "/usr/aarch64-linux-gnu");
            foreach (var level in levels) Assert.Equal((limit, level, expected), (limit, level, Stop(level, limit)));
        }
    }

    [Needs("clang-22", "qemu-aarch64", "aarch64-linux-gnu-gcc")]
    public void A_program_stops_at_the_same_point_on_aarch64()
    {
        Build("here", "-O2");
        Build("there", "-O2", "--target=aarch64-linux-gnu");
        var total = Total("here");
        foreach (var limit in Limits(total, 12)) Assert.Equal((limit, Stop("here", limit)), (limit, Stop("there", limit, "qemu-aarch64", "-L", "/usr/aarch64-linux-gnu")));
    }

    [Needs("clang-22")]
    public void What_a_program_may_do_to_the_unit_it_does_and_one_less_stops_it()
    {
        Build("p", "-O2");
        var total = Total("p");
        Assert.StartsWith("0 ", Stop("p", total), StringComparison.Ordinal);
        Assert.StartsWith($"124 {total - 1} ", Stop("p", total - 1), StringComparison.Ordinal);
    }

    [TheoryNeeds("clang-22")]
    [InlineData("while (x != 1) x = x % 2 ? x * 3 + 1 : x / 2;")] // ends, but nobody knows when
    [InlineData("while (x) x += 2;")]
    [InlineData("for (;;) x = x * 5 + 1;")]
    [InlineData("for (unsigned long i = 0; i < 1ul << 62; i++) x = x * 5 + i;")]
    [InlineData("for (unsigned long i = 0; i < (unsigned long)argc << 62; i++) x += i;")]
    [InlineData("x = fib(90);")]
    [InlineData("x = even(1ul << 62);")]
    public void What_never_ends_is_stopped_at_every_level(string code)
    {
        harness.Write("p.c", $$"""
            #include <stdio.h>
            static unsigned long fib(unsigned n) { return n < 2 ? n : fib(n - 1) + fib(n - 2); }
            static int odd(unsigned long n);
            static int even(unsigned long n) { return n == 0 || odd(n - 1); }
            static int odd(unsigned long n) { return n != 0 && even(n - 1); }
            int main(int argc, char **argv) { volatile unsigned long seed = 27; unsigned long x = seed; {{code}} printf("%lu\n", x); return argv == 0; }
            """);
        foreach (var level in (string[])["-O1", "-O2", "-O3", "-Os"])
        {
            Compile("p", level, "p.c");
            if (code.StartsWith("while (x != 1)", StringComparison.Ordinal)) Assert.StartsWith("0 ", Stop("p", 100_000_000), StringComparison.Ordinal);
            else Assert.Equal("124 50000 ", Stop("p", 50_000)); // not more: the last one would run out of stack
        }
    }

    [Needs("clang-22")]
    public void A_callback_that_refuels_is_called_as_often_at_every_level()
    {
        harness.Write("p.c", """
            #include <weft/metering.h>
            #include <stdio.h>
            static volatile unsigned calls;
            static void refuel(void *more) { calls++; weft_metering_refuel(*(unsigned *)more); }
            static int values[3000];
            int main(void) {
                unsigned more = 777, x = 1;
                weft_metering_set_limit(1000, refuel, &more);
                for (int round = 0; round < 20; round++) {
                    for (int i = 0; i < 3000; i++) values[i] = (int)((x = x * 1664525u + 1013904223u) >> 8);
                    for (int i = 1; i < 100; i++) { int k = values[i], j = i - 1; while (j >= 0 && values[j] > k) { values[j + 1] = values[j]; j--; } values[j + 1] = k; }
                    printf("%d %u %llu\n", values[9], calls, (unsigned long long)weft_metering_count());
                }
                return 0;
            }
            """);
        var outputs = new[] { "-O0", "-O1", "-O2", "-O3", "-Oz" }.Select(level =>
        {
            Compile("p", level, "p.c");
            return harness.Must(harness.Path("p")).Output;
        }).ToList();
        Assert.Single(outputs.Distinct());
        Assert.True(int.Parse(outputs[0].Split('\n')[19].Split(' ')[1], CultureInfo.InvariantCulture) > 1000);
    }

    [TheoryNeeds("clang-22")]
    [InlineData("-O0")]
    [InlineData("-O2")]
    [InlineData("-O2", "--metering-limits=exact")]
    [InlineData("-O0", "--metering-mode=reference")]
    public void A_callback_that_leaves_by_longjmp_is_called_once(string level, params string[] more)
    {
        harness.Write("p.c", """
            #include <weft/metering.h>
            #include <setjmp.h>
            #include <stdio.h>
            static jmp_buf here;
            static volatile unsigned calls, x;
            static void stop(void *unused) { (void)unused; if (++calls < 100) longjmp(here, 1); }
            int main(void) {
                volatile int number = 0;
                if (setjmp(here) == 0) { number = weft_metering_begin(1000, stop, 0); for (;;) x++; }
                printf("%llu left, ", (unsigned long long)weft_metering_end(number));
                printf("%u calls\n", calls);
                return 0;
            }
            """);
        Compile("p", level, "p.c", more);
        Assert.Equal("0 left, 1 calls\n", harness.Must(harness.Path("p")).Output);
    }

    [Needs("clang-22")]
    public void A_loop_that_dead_code_leads_into_is_woven_without_optimisation()
    {
        harness.Write("p.c", """
            #include <stdio.h>
            static int f(int n, int s) {
                int k;
                for (int i = 1; i < n; i++)
                    for (int j = 0; j < s; j++) {
                        int v = i * j;
                        if (v & 1) continue;
                        for (k = 0; k < v; k++) return s;
                        s++;
                    }
                return s;
            }
            int main(void) { printf("%d\n", f(5, 7)); return 0; }
            """);
        Compile("unoptimised", "-O0", "p.c");
        Compile("optimised", "-O2", "p.c");
        Assert.Equal(Total("optimised"), Total("unoptimised"));
    }

    private void Build(string name, string level, params string[] more) => Compile(name, level, Source, more);

    private void Compile(string name, string level, string source, params string[] more) =>
        harness.Must(Harness.Weft, ["cc", "--with=metering", level, .. more, source, "-o", name]);

    private ulong Total(string program)
    {
        harness.Environment["WEFT_METERING_REPORT"] = harness.Path("report");
        harness.Must(harness.Path(program));
        return Report().GetProperty("total").GetUInt64();
    }

    /// <summary>Exit code, units and output.</summary>
    private string Stop(string program, ulong limit, params string[] runner)
    {
        harness.Environment["WEFT_METERING_REPORT"] = harness.Path("report");
        harness.Environment["WEFT_METERING_LIMIT"] = limit.ToString(CultureInfo.InvariantCulture);
        string[] command = [.. runner, harness.Path(program)];
        var outcome = harness.Run(command[0], command[1..]);
        harness.Environment.Remove("WEFT_METERING_LIMIT");
        Assert.Equal(outcome.ExitCode != 0, Report().TryGetProperty("stopped", out _));
        return $"{outcome.ExitCode} {Report().GetProperty("total").GetUInt64()} {outcome.Output}";
    }

    private JsonElement Report() => JsonDocument.Parse(File.ReadAllText(harness.Path("report"))).RootElement;

    private static IEnumerable<ulong> Limits(ulong total, int count)
    {
        var random = new Random(20261122);
        return Enumerable.Range(0, count).Select(_ => (ulong)random.NextInt64((long)total + 1000));
    }
}
