using System.Text.Json;

namespace Weft.Tests;

/// <summary>The oracle: the mode that charges memory at every block, before anything is optimised, counts the same to the unit.</summary>
public sealed class MeteringOracleTests : IDisposable
{
    private static readonly string Kernels = Path.Combine(Harness.Root, "bench/kernels");

    private static readonly string Fixtures = Path.Combine(Harness.Root, "tests/fixtures/coverage");

    private readonly Harness harness = new();

    public MeteringOracleTests() => harness.Environment["WEFT_CC"] = "clang-22";

    public void Dispose() => harness.Dispose();

    public static TheoryData<string> Names => [.. Directory.EnumerateFiles(Kernels, "*.c").Select(f => Path.GetFileNameWithoutExtension(f)!).Where(n => n != "main").Order(StringComparer.Ordinal)];

    [TheoryNeeds("clang-22")]
    [MemberData(nameof(Names))]
    public void A_kernel_counts_to_the_unit_what_the_reference_counts(string kernel)
    {
        var source = File.ReadAllText(Path.Combine(Kernels, kernel + ".c")); // one of its equal passes is enough
        harness.Write("kernel.c", System.Text.RegularExpressions.Regex.Replace(source, "kernel_passes = [0-9]+;", "kernel_passes = 1;"));
        harness.Must("clang-22", "-std=c11", "-O2", "-I", Path.Combine(Harness.Root, "runtime/include"), "-c", Path.Combine(Kernels, "main.c"), "-o", "main.o");
        var expected = Count("-O2", "--metering-mode=reference");
        Assert.True(expected > 1_000_000, $"only {expected} units");
        foreach (var level in (string[])["-O1", "-O2", "-O3", "-Os"]) Assert.Equal((level, expected), (level, Count(level)));
        Assert.Equal(expected, Count("-O2", "--metering-limits=off"));
    }

    [Needs("clang++-22")]
    public void A_shared_library_does_not_call_the_inline_functions_that_only_a_debug_build_has() => SameCount("containers.cc", "-O0", "-O2", "-Os");

    [Needs("clang++-22"), Trait("Category", "Slow")]
    public void C_plus_plus_counts_to_the_unit_what_the_reference_counts()
    {
        foreach (var source in Directory.EnumerateFiles(Fixtures, "*.cc")) SameCount(Path.GetFileName(source), "-O0", "-O1", "-O2", "-O3", "-Os", "-Oz");
    }

    private void SameCount(string source, params string[] levels)
    {
        harness.Environment["WEFT_CC"] = "clang++-22";
        string[] arguments = ["-std=c++20", Path.Combine(Fixtures, source), "-lstdc++"];
        var expected = CountOf(["--metering-mode=reference", "-O2", .. arguments]);
        foreach (var level in levels) Assert.Equal((source, level, expected), (source, level, CountOf([level, .. arguments])));
    }

    private ulong Count(params string[] flags) => CountOf(["-std=c11", "-I", Kernels, .. flags, "kernel.c", "main.o", "-lpthread", "-lm"]);

    private ulong CountOf(string[] arguments)
    {
        harness.Must(Harness.Weft, ["cc", "--with=metering", .. arguments, "-o", "kernel"]);
        harness.Environment["WEFT_METERING_REPORT"] = harness.Path("report");
        harness.Must(harness.Path("kernel"));
        return JsonDocument.Parse(File.ReadAllText(harness.Path("report"))).RootElement.GetProperty("total").GetUInt64();
    }
}
