namespace Weft.Tests;

/// <summary>What counting costs in instructions, which valgrind counts: the same on every run. How long it takes is in bench/.</summary>
public sealed class CoverageCostTests : CountedPrograms
{
    private static readonly string Kernels = Path.Combine(Harness.Root, "bench/coverage");
    private static readonly string[] All = ["parse", "matmul", "sieve", "sort", "iterate", "hash"];

    public CoverageCostTests() => Harness.Environment["LLVM_PROFILE_FILE"] = Harness.Path("kernels.profraw");

    [TheoryNeeds("clang-22", "valgrind")]
    [InlineData("exact", 1.45, "parse", "sort")]
    [InlineData("binary", 1.32, "parse", "sort")]
    [InlineData("binary", 1.08, "matmul", "iterate")]
    public void Kernels_in_C_take_few_more_instructions_when_they_are_counted(string counters, double most, params string[] kernels)
    {
        CompileC(counters);
        Assert.InRange(Ratio("ours", "plain", kernels), 1, most);
    }

    [TheoryNeeds("clang-22", "valgrind"), Trait("Category", "Slow")]
    [InlineData("exact", 1.2)]
    [InlineData("binary", 1.2)]
    public void All_kernels_in_C_take_fewer_more_than_with_clangs_coverage(string counters, double most)
    {
        CompileC(counters);
        Harness.Must("clang-22", "-O2", "-fprofile-instr-generate", "-fcoverage-mapping", Path.Combine(Kernels, "kernels.c"), "-o", "clang", "-lpthread", "-lm");
        var ours = Ratio("ours", "plain", All);
        Assert.InRange(ours, 1, most);
        Assert.True(ours < Ratio("clang", "plain", All));
    }

    [TheoryNeeds("cargo", "valgrind"), Trait("Category", "Slow")]
    [InlineData("exact", 1.32)]
    [InlineData("binary", 1.27)]
    public void All_kernels_in_Rust_take_few_more(string counters, double most)
    {
        Harness.Write("Cargo.toml", "[package]\nname = \"kernels\"\nversion = \"0.1.0\"\nedition = \"2021\"\n[workspace]\n");
        Directory.CreateDirectory(Harness.Path("src"));
        File.Copy(Path.Combine(Kernels, "kernels.rs"), Harness.Path("src/main.rs"));
        Harness.Must("cargo", "build", "--release");
        File.Copy(Harness.Path("target/release/kernels"), Harness.Path("plain"));
        Harness.Must(Harness.Weft, "cargo", "build", "--release", "--with", "coverage", "--coverage-counters", counters);
        File.Copy(Directory.GetFiles(Harness.Path("target/weft"), "kernels", SearchOption.AllDirectories).Single(f => f.EndsWith("/release/kernels", StringComparison.Ordinal)), Harness.Path("ours"));
        Assert.InRange(Ratio("ours", "plain", All), 1, most);
    }

    private void CompileC(string counters)
    {
        var source = Path.Combine(Kernels, "kernels.c");
        Harness.Must("clang-22", "-O2", source, "-o", "plain", "-lpthread", "-lm");
        Harness.Must(Harness.Weft, "cc", "--with=coverage", $"--coverage-counters={counters}", "-O2", source, "-o", "ours", "-lpthread", "-lm");
    }

    /// <summary>The geometric mean over kernels.</summary>
    private double Ratio(string program, string plain, string[] kernels) => Math.Exp(kernels.Average(k => Math.Log(Instructions(program, k) / Instructions(plain, k))));

    private double Instructions(string program, string kernel) => Harness.Instructions([], program, kernel, "1", "1");
}
