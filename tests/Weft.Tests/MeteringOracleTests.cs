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

    [TheoryNeeds("clang-22")]
    [InlineData("on")]
    [InlineData("off")]
    [InlineData("exact")]
    public void What_functions_leave_to_their_callers_is_charged_to_the_unit_and_once(string limits)
    {
        string[] arguments = [$"--metering-limits={limits}", Path.Combine(Harness.Root, "tests/fixtures/metering/residue.c")];
        var expected = CountOf(["-O2", "--metering-mode=reference", .. arguments]);
        foreach (var level in (string[])["-O0", "-O1", "-O2", "-O3", "-Os", "-Oz"]) Assert.Equal((level, expected), (level, CountOf([level, .. arguments])));
    }

    [Needs("clang-22", "llvm-objdump-22")]
    public void A_leaf_that_always_costs_the_same_does_not_touch_the_meter()
    {
        harness.Must(Harness.Weft, ["cc", "--with=metering", "-O2", "-c", Path.Combine(Harness.Root, "tests/fixtures/metering/residue.c"), "-o", "residue.o"]);
        string CodeOf(string function) => harness.Must("llvm-objdump-22", ["-d", $"--disassemble-symbols={function}", harness.Path("residue.o")]).Output;
        Assert.Contains("retq", CodeOf("leaf"), StringComparison.Ordinal);
        Assert.DoesNotContain("%fs:", CodeOf("leaf"), StringComparison.Ordinal);
        Assert.Contains("%fs:", CodeOf("main"), StringComparison.Ordinal);
    }

    [Needs("clang++-22")]
    public void A_shared_library_does_not_call_the_inline_functions_that_only_a_debug_build_has() => SameCount("containers.cc", "-O0", "-O2", "-Os");

    [Needs("clang++-22"), Trait("Category", "Slow")]
    public void C_plus_plus_counts_to_the_unit_what_the_reference_counts()
    {
        foreach (var source in Directory.EnumerateFiles(Fixtures, "*.cc")) SameCount(Path.GetFileName(source), "-O0", "-O1", "-O2", "-O3", "-Os", "-Oz");
    }

    [Needs("cargo"), Trait("Category", "Slow")]
    public void A_kernel_in_Rust_counts_to_the_unit_at_every_level_what_the_reference_counts()
    {
        CopyRustKernels();
        var expected = CountRust("3", "--metering-mode", "reference");
        Assert.Equal(8, expected.Count);
        Assert.All(expected, kernel => Assert.True(kernel.Value > 1_000_000, $"{kernel.Key}: only {kernel.Value} units"));
        foreach (var level in (string[])["0", "1", "2", "3", "\"s\"", "\"z\""]) Assert.Equal((level, Said(expected)), (level, Said(CountRust(level))));
        Assert.Equal(Said(expected), Said(CountRust("3", "--metering-limits", "exact")));
    }

    // With a harness that makes one pass and looks at no clock: it is woven, too.
    private void CopyRustKernels()
    {
        var (source, marker) = (Path.Combine(Kernels, "rust"), "// ---- For kernels");
        foreach (var file in (string[])["Cargo.toml", "Cargo.lock"]) File.Copy(Path.Combine(source, file), harness.Path(file));
        Directory.CreateDirectory(harness.Path("src/bin"));
        foreach (var file in Directory.EnumerateFiles(Path.Combine(source, "src/bin"))) File.Copy(file, harness.Path($"src/bin/{Path.GetFileName(file)}"));
        var ownHarness = File.ReadAllText(Path.Combine(source, "src/harness.rs"));
        harness.Write("src/harness.rs", $$"""
            pub fn run(_: &str, _: u32, kernel: extern "C" fn() -> u64) { println!("{:016x}", kernel()); }
            pub fn thread_begin() {}
            pub fn thread_end() {}
            {{ownHarness[ownHarness.IndexOf(marker, StringComparison.Ordinal)..]}}
            """);
    }

    private SortedDictionary<string, ulong> CountRust(string level, params string[] options)
    {
        var target = $"target-{Guid.NewGuid():N}";
        var outcome = harness.RunWeft(["cargo", "build", "-q", "--release", "--offline", "--with", "metering", "--target-dir", target, "--config", $"profile.release.opt-level={level}", .. options]);
        Assert.True(outcome.ExitCode == 0, outcome.ToString());
        var release = Directory.GetDirectories(harness.Path(target), "release", SearchOption.AllDirectories).Single(d => File.Exists(Path.Combine(d, "fft")));
        return new(Directory.EnumerateFiles(harness.Path("src/bin")).Select(f => Path.GetFileNameWithoutExtension(f)).ToDictionary(k => k, k => UnitsOf(Path.Combine(release, k))), StringComparer.Ordinal);
    }

    private static string Said(SortedDictionary<string, ulong> counts) => string.Join(' ', counts.Select(c => $"{c.Key} {c.Value}"));

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
        return UnitsOf(harness.Path("kernel"));
    }

    private ulong UnitsOf(string program)
    {
        harness.Environment["WEFT_METERING_REPORT"] = harness.Path("report");
        harness.Must(program);
        return JsonDocument.Parse(File.ReadAllText(harness.Path("report"))).RootElement.GetProperty("total").GetUInt64();
    }
}
