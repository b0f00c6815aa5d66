using System.Text.Json.Nodes;

namespace Weft.Tests;

/// <summary>
/// The front ends' regions with Weft's counts against the front ends' own counts, over programs that use every construct of
/// C, C++ and Rust: what llvm-cov makes of both is the same to the last count.
/// </summary>
public sealed class CoverageAgreementTests : CountedPrograms
{
    // Destructors of static objects run after LLVM's runtime has written its profile; Weft counts them.
    private static readonly HashSet<string> CountedLater = ["statics.cc"];

    [TheoryNeeds("clang-22", "llvm-cov-22", "llvm-profdata-22")]
    [InlineData("*.c", "-O2")]
    [InlineData("*.cc", "-O2")]
    public void Every_count_is_the_one_of_clangs_own_build(string pattern, string level) => CompareAll(pattern, level);

    [TheoryNeeds("clang-22", "llvm-cov-22", "llvm-profdata-22")]
    [InlineData("*.c", "-O0")]
    [InlineData("*.c", "-Os")]
    [InlineData("*.cc", "-O0")]
    [InlineData("*.cc", "-O3")]
    [Trait("Category", "Slow")]
    public void Every_count_is_the_one_of_clangs_own_build_at_other_levels(string pattern, string level) => CompareAll(pattern, level);

    private void CompareAll(string pattern, string level)
    {
        var isC = pattern == "*.c";
        var compared = 0;
        foreach (var source in Directory.GetFiles(Programs, pattern).Where(s => !CountedLater.Contains(Path.GetFileName(s))))
        {
            string[] flags = [level, "-w", isC ? "-std=gnu17" : "-std=c++20", source];
            Harness.Must(isC ? "clang-22" : "clang++-22", [.. flags, "-fprofile-instr-generate", "-fcoverage-mapping", "-o", "theirs"]);
            Build("ours", source, flags[..^1]);
            compared += Compare(source, Harness.Path("theirs"), Harness.Path("ours"));
        }
        Assert.True(compared >= 14, $"only {compared} programs compared");
    }

    [Needs("cargo", "llvm-cov-22", "llvm-profdata-22")]
    public void Every_count_is_the_one_of_rustcs_own_build() => CompareRust([], []);

    [Needs("cargo", "llvm-cov-22", "llvm-profdata-22")]
    [Trait("Category", "Slow")]
    public void Branches_are_those_of_rustcs_own_unstable_ones() => CompareRust(["--coverage-branches", "on"], ["-Z", "coverage-options=condition"]);

    private void CompareRust(string[] options, string[] flags)
    {
        Harness.Write("Cargo.toml", "[package]\nname = \"programs\"\nversion = \"0.1.0\"\nedition = \"2024\"\n[workspace]\n");
        Directory.CreateDirectory(Harness.Path("src/bin"));
        foreach (var source in Directory.GetFiles(Programs, "*.rs")) File.Copy(source, Harness.Path("src/bin/" + Path.GetFileName(source)));
        Harness.Must(Harness.Weft, ["cargo", "build", "--with", "coverage", .. options]);
        Harness.Must(Harness.Weft, ["cargo", "build", "--with", "coverage", .. options, "--release"]);
        if (flags.Length > 0) Harness.Environment["RUSTC_BOOTSTRAP"] = "1";
        Harness.Environment["RUSTFLAGS"] = string.Join(' ', ["-C instrument-coverage", .. flags]);
        Harness.Must("cargo", "build", "--target-dir", "plain");
        // With branches rustc's optimiser tells of more conditions what they always are.
        if (flags.Length > 0) Harness.Must("cargo", "build", "--target-dir", "plain", "--release");
        var compared = 0;
        foreach (var theirs in Directory.GetFiles(Harness.Path("plain/debug")).Where(f => !Path.GetFileName(f).Contains('.')))
            foreach (var profile in (string[])["debug", "release"])
            {
                var ours = Assert.Single(Directory.GetDirectories(Assert.Single(Directory.GetDirectories(Harness.Path("target/weft"), "coverage*")), "*-*")) + $"/{profile}/{Path.GetFileName(theirs)}";
                compared += Compare(ours, flags.Length > 0 ? Harness.Path($"plain/{profile}/{Path.GetFileName(theirs)}") : theirs, ours);
            }
        Assert.True(compared >= 40, $"only {compared} programs compared");
    }

    /// <summary>
    /// Here <c>grown</c> is inlined only when the crates are one module, where its result is for nothing: as an intrinsic that had
    /// lost its memory attribute it outlived its own operand, and LLVM crashed.
    /// </summary>
    [Needs("cargo", "llvm-cov-22", "llvm-profdata-22")]
    public void Every_count_is_the_one_of_rustcs_own_build_under_fat_link_time_optimisation()
    {
        Harness.Write("sizes/src/lib.rs", "pub fn grown(length: usize, wanted: usize) -> usize {\n    std::cmp::max(length.wrapping_mul(3), wanted)\n}\n");
        Harness.Write("program/src/main.rs", "fn main() {\n    let given = std::env::args().count();\n    for i in 0..given {\n        sizes::grown(i, given * 2);\n    }\n    println!(\"{given}\");\n}\n");
        var (theirs, ours) = BuildTwoCrates("lto = \"fat\"");
        Assert.Equal(1, Compare("program", theirs, ours));
    }

    /// <summary>1, or 0 for a program that does not do the same in two runs.</summary>
    private int Compare(string name, string theirs, string ours)
    {
        var (first, expected) = Theirs(theirs);
        var (_, again) = Theirs(theirs);
        if (!JsonNode.DeepEquals(expected, again)) return 0;
        foreach (var profile in Profiles) File.Delete(profile);
        var outcome = Harness.Run(ours);
        Assert.Equal((name, first), (name, outcome));
        Harness.Must("llvm-profdata-22", ["merge", .. Profiles, "-o", "ours.profdata"]);
        Assert.True(JsonNode.DeepEquals(expected, Exported(ours, "ours.profdata")), name);
        return 1;
    }

    private (Outcome Outcome, JsonNode Export) Theirs(string program)
    {
        Harness.Environment["LLVM_PROFILE_FILE"] = "theirs.profraw";
        var outcome = Harness.Run(program);
        Harness.Environment.Remove("LLVM_PROFILE_FILE");
        Harness.Must("llvm-profdata-22", "merge", "theirs.profraw", "-o", "theirs.profdata");
        return (outcome, Exported(program, "theirs.profdata"));
    }
}
