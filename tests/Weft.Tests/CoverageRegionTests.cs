using Xunit.Abstractions;

namespace Weft.Tests;

/// <summary>
/// Programs woven with regions and counters of Weft's own (<c>--coverage-regions own</c>) against the same programs built for
/// coverage by clang and rustc: what LLVM's tools say of both. The bounds are what is reached: they may only rise.
/// </summary>
public sealed class CoverageRegionTests(ITestOutputHelper output) : CountedPrograms
{
    // Destructors of static objects run after LLVM's runtime has written its profile; Weft counts them.
    private static readonly HashSet<string> CountedLater = ["statics.cc"];

    [TheoryNeeds("npm", "cc", "clang-22", "llvm-cov-22", "llvm-profdata-22")]
    [InlineData("macros_nested.c")]
    [InlineData("state_machine.c")]
    [InlineData("exceptions.cc")]
    public void Own_regions_and_counts_are_those_of_clang(string program)
    {
        var score = Clang(Path.Combine(Programs, program), "-O2");
        Assert.True(score.Differences.Length == 0, $"{score}\n{score.Differences}");
    }

    [TheoryNeeds("npm", "cc", "clang-22", "llvm-cov-22", "llvm-profdata-22")]
    [InlineData("*.c", 0.992, 0.992)]
    [InlineData("*.cc", 1.0, 1.0)]
    [Trait("Category", "Slow")]
    public void Own_regions_of_all_programs_are_those_of_clang(string pattern, double leastRegions, double leastLines)
    {
        var programs = Directory.GetFiles(Programs, pattern).Where(p => !CountedLater.Contains(Path.GetFileName(p))).Order(StringComparer.Ordinal);
        Check(programs.Select(p => (p, Clang(p, "-O0"))), leastRegions, leastLines);
    }

    [Needs("npm", "cc", "cargo", "llvm-cov-22", "llvm-profdata-22")]
    public void Own_regions_and_counts_are_those_of_rustc()
    {
        foreach (var (program, score) in Rust(["closures.rs", "question.rs"])) Assert.True(score.Differences.Length == 0, $"{program}: {score}\n{score.Differences}");
    }

    [Needs("npm", "cc", "cargo", "llvm-cov-22", "llvm-profdata-22")]
    [Trait("Category", "Slow")]
    public void Own_regions_of_all_programs_are_those_of_rustc() =>
        Check(Rust(Directory.GetFiles(Programs, "*.rs").Select(p => Path.GetFileName(p)).Order(StringComparer.Ordinal)), leastRegions: 0.99, leastLines: 0.99);

    private void Check(IEnumerable<(string Program, CoverageScore Score)> scores, double leastRegions, double leastLines)
    {
        var total = new CoverageScore();
        foreach (var (program, score) in scores)
        {
            output.WriteLine($"{Path.GetFileName(program)}: {score}");
            total.Add(score);
        }
        output.WriteLine($"all: {total}\n{total.Differences}");
        Assert.True(total.EqualRegions >= leastRegions * total.Regions, $"{total}\n{total.Differences}");
        Assert.True(total.EqualLines >= leastLines * total.Lines, $"{total}\n{total.Differences}");
        Assert.True(total.Extra <= 0.06 * total.Regions, $"{total}\n{total.Differences}");
    }

    private CoverageScore Clang(string program, string level)
    {
        var isC = program.EndsWith(".c", StringComparison.Ordinal);
        string[] flags = ["-w", level, isC ? "-std=gnu17" : "-std=c++20"];
        Harness.Must(isC ? "clang-22" : "clang++-22", [.. flags, "-fprofile-instr-generate", "-fcoverage-mapping", program, "-o", "theirs"]);
        Build("ours", program, [.. flags, "--coverage-regions=own"]);
        return Score(CoverageReference.OfFrontEnd(Harness, Harness.Path("theirs")), CoverageReference.OfWeft(Harness, Harness.Path("ours")));
    }

    private IEnumerable<(string Program, CoverageScore Score)> Rust(IEnumerable<string> programs)
    {
        Harness.Write("Cargo.toml", "[package]\nname = \"programs\"\nversion = \"0.1.0\"\nedition = \"2024\"\n[workspace]\n");
        Directory.CreateDirectory(Harness.Path("src/bin"));
        var all = programs.ToList();
        foreach (var program in all) File.Copy(Path.Combine(Programs, program), Harness.Path("src/bin/" + program));
        Harness.Must(Harness.Weft, "cargo", "build", "--with", "coverage", "--coverage-regions", "own");
        Harness.Environment["RUSTFLAGS"] = "-C instrument-coverage";
        Harness.Must("cargo", "build", "--target-dir", "plain");
        Harness.Environment.Remove("RUSTFLAGS");
        var ours = Directory.GetDirectories(Assert.Single(Directory.GetDirectories(Harness.Path("target/weft"))), "*-*").Single() + "/debug/";
        foreach (var name in all.Select(p => Path.GetFileNameWithoutExtension(p)))
            yield return (name, Score(CoverageReference.OfFrontEnd(Harness, Harness.Path("plain/debug/" + name)), CoverageReference.OfWeft(Harness, ours + name)));
    }

    /// <summary>Of two functions with the same regions, the one with the same counts is meant: names of Rust's instantiations hold a number that depends on flags.</summary>
    private static CoverageScore Score(List<ReferenceFunction> theirs, List<ReferenceFunction> ours)
    {
        var score = new CoverageScore();
        var left = ours.ToList();
        foreach (var function in theirs)
        {
            var match = left.Where(o => o.Files[0] == function.Files[0]).MaxBy(o => Likeness(function, o));
            if (match != null && Likeness(function, match) <= 0) match = null;
            score.Compare(function.Name, CoverageScore.Counted(function), match == null ? [] : CoverageScore.Counted(match));
            if (match != null) left.Remove(match);
        }
        return score;
    }

    private static long Likeness(ReferenceFunction theirs, ReferenceFunction ours)
    {
        var places = theirs.Regions.Where(r => r.File == 0).Select(r => (r.Line, r.Column, r.EndLine, r.EndColumn)).ToHashSet();
        var counts = theirs.Regions.ToHashSet();
        var common = ours.Regions.Count(r => r.File == 0 && places.Contains((r.Line, r.Column, r.EndLine, r.EndColumn)));
        if (theirs.Name == ours.Name) return long.MaxValue;
        return common == 0 ? 0 : 1_000_000L * common - 1000L * ours.Regions.Count + ours.Regions.Count(counts.Contains);
    }
}
