namespace Weft.Tests;

/// <summary>Interrupts on metering's count: where they come is a property of the program, not of how it was compiled.</summary>
public sealed class InterruptsOnMeteringTests : IDisposable
{
    // Prints how often the handler was called, a hash of all counts at which it was, and the program's own result.
    private const string Program = """
        #include <weft/interrupts.h>
        #include <weft/metering.h>
        #include <stdio.h>
        #include <stdlib.h>
        static uint64_t hash = 14695981039346656037ull;
        static unsigned calls;
        static void handler(uint64_t count, void *unused) { (void)unused; calls++; hash = (hash ^ count) * 1099511628211ull; }
        static unsigned fib(unsigned n) { return n < 2 ? n : fib(n - 1) + fib(n - 2); }
        static int values[2000];
        static void sort(int *v, int n) { for (int i = 1; i < n; i++) { int k = v[i], j = i - 1; while (j >= 0 && v[j] > k) { v[j + 1] = v[j]; j--; } v[j + 1] = k; } }
        int main(void) {
            if (weft_interrupts_register(WEFT_INTERRUPTS_DEFAULT, 10007, handler, 0)) return 1;
            unsigned x = 1;
            for (int i = 0; i < 2000; i++) { x = x * 1664525u + 1013904223u; values[i] = (int)(x >> 8); }
            sort(values, 2000);
            unsigned f = fib(18);
            double sum = 0;
            for (int i = 0; i < 50000; i++) sum += values[i % 2000] * 0.5;
            weft_metering_reset();
            for (int i = 0; i < 50000; i++) { sum += values[i % 2000]; if (i % 1000 == 0) weft_metering_reset(); }
            weft_interrupts_deregister();
            printf("%u %016llx %u %.1f\n", calls, (unsigned long long)hash, f, sum);
            return weft_interrupts_register(WEFT_INTERRUPTS_CYCLES, 5000, handler, 0) == 0;
        }
        """;

    private readonly Harness harness = new();

    public InterruptsOnMeteringTests()
    {
        harness.Environment["WEFT_CC"] = "clang-22";
        harness.Write("p.c", Program);
    }

    public void Dispose() => harness.Dispose();

    [Needs("clang-22")]
    public void They_come_at_the_same_points_at_every_level()
    {
        var reference = Run("-O2");
        Assert.True(int.Parse(reference.Split(' ')[0]) > 1000, reference);
        foreach (var level in (string[])["-O0", "-O1", "-O3", "-Os", "-Oz"]) Assert.Equal((level, reference), (level, Run(level)));
        Assert.Equal(reference, Run("-O2", "-g"));
    }

    [Needs("clang-22")]
    public void They_come_at_the_same_points_on_every_run()
    {
        Build("-O2");
        Assert.Single(Enumerable.Range(0, 20).Select(_ => harness.Must(harness.Path("p")).Output).Distinct());
    }

    [Needs("clang-22", "qemu-aarch64", "aarch64-linux-gnu-gcc")]
    public void They_come_at_the_same_points_on_aarch64()
    {
        var reference = Run("-O2");
        Build("-O2", "--target=aarch64-linux-gnu");
        Assert.Equal(reference, harness.Must("qemu-aarch64", "-L", "/usr/aarch64-linux-gnu", harness.Path("p")).Output);
    }

    [Needs("clang-19")]
    public void They_come_at_the_same_points_with_clang_19_at_every_level()
    {
        harness.Environment["WEFT_CC"] = "clang-19";
        var reference = Run("-O2");
        foreach (var level in (string[])["-O0", "-O3"]) Assert.Equal((level, reference), (level, Run(level)));
    }

    [Needs("clang-22")]
    public void Metering_counts_what_it_counts_without_interrupts()
    {
        harness.Write("m.c", Program.Replace("if (weft_interrupts_register(WEFT_INTERRUPTS_DEFAULT, 10007, handler, 0)) return 1;", "", StringComparison.Ordinal)
            .Replace("weft_metering_reset();", ";", StringComparison.Ordinal).Replace("weft_interrupts_deregister();", "", StringComparison.Ordinal).Replace("return weft_interrupts_register(WEFT_INTERRUPTS_CYCLES, 5000, handler, 0) == 0;", """fprintf(stderr, "%llu", (unsigned long long)weft_metering_count()); return 0;""", StringComparison.Ordinal));
        harness.Must(Harness.Weft, "cc", "--with=metering", "-O2", "m.c", "-o", "alone");
        harness.Must(Harness.Weft, "cc", "--with=metering,interrupts", "--interrupts-clock=instructions", "-O2", "m.c", "-o", "together");
        Assert.Equal(harness.Must(harness.Path("alone")).Errors, harness.Must(harness.Path("together")).Errors);
    }

    private string Run(params string[] options)
    {
        Build(options);
        return harness.Must(harness.Path("p")).Output;
    }

    private void Build(params string[] options) =>
        harness.Must(Harness.Weft, ["cc", "--with=metering,interrupts", "--interrupts-clock=instructions", .. options, "p.c", "-o", "p"]);
}
