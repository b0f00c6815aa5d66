using Weft.Coverage.Regions;
using Weft.Coverage.Regions.C;
using Weft.Coverage.Regions.Rust;
using Weft.Syntax;
using Xunit.Abstractions;

namespace Weft.Tests;

/// <summary>
/// Regions read from source against the front end's own, over the programs in tests/fixtures/coverage. The bounds are
/// what is reached: they may only rise.
/// </summary>
public sealed class CoverageRegionTests(ITestOutputHelper output)
{
    private static readonly string Programs = Path.Combine(Harness.Root, "tests/fixtures/coverage");

    [Needs("npm", "cc", "clang-22", "rustc")]
    public void Regions_of_C_are_those_of_clang() => Check("*.c", ScoreClang, leastRegions: 0.993, leastLines: 0.994);

    [Needs("npm", "cc", "clang-22", "rustc")]
    public void Regions_of_Cpp_are_those_of_clang() => Check("*.cc", ScoreClang, leastRegions: 0.96, leastLines: 0.998);

    [Needs("npm", "cc", "clang-22", "rustc")]
    public void Regions_of_Rust_are_those_of_rustc() => Check("*.rs", ScoreRust, leastRegions: 0.97, leastLines: 0.98);

    private void Check(string pattern, Func<string, CoverageScore> score, double leastRegions, double leastLines)
    {
        var total = new CoverageScore();
        foreach (var program in Directory.GetFiles(Programs, pattern).Order(StringComparer.Ordinal))
        {
            var one = score(program);
            output.WriteLine($"{Path.GetFileName(program)}: {one}");
            total.Add(one);
        }
        output.WriteLine($"all: {total}\n{total.Differences}");
        Assert.True(total.EqualRegions >= leastRegions * total.Regions, $"{total}\n{total.Differences}");
        Assert.True(total.EqualLines >= leastLines * total.Lines, $"{total}\n{total.Differences}");
        Assert.True(total.Extra <= 0.03 * total.Regions, $"{total}\n{total.Differences}");
    }

    /// <summary>clang's counters are numbered as our points are, so their values can be set in.</summary>
    private static CoverageScore ScoreClang(string program)
    {
        using var harness = new Harness();
        var isC = program.EndsWith(".c", StringComparison.Ordinal);
        var compiler = isC ? "clang-22" : "clang++-22";
        string[] flags = isC ? ["-w"] : ["-w", "-std=c++20"];
        var reference = CoverageReference.Of(harness, compiler, [.. flags, "-fprofile-instr-generate", "-fcoverage-mapping"], program);
        var preprocessed = harness.Run(compiler, [.. flags, "-E", "-dD", program], null).Output;
        var reader = new CRegionReader(Parsers.Of(isC ? Grammar.C : Grammar.Cpp), preprocessed, program, path => new SourceFile(Path.GetFullPath(path, Programs), File.ReadAllBytes(Path.GetFullPath(path, Programs))));
        var ours = reader.Read((file, line) => IsEmitted(reference, file, line));
        var score = new CoverageScore();
        foreach (var function in reference)
        {
            var match = Best(function, ours);
            var counters = function.Counters ?? [];
            score.Compare(function.Name, CoverageScore.Counted(function), match == null ? [] : CoverageScore.Counted(match, point => point < counters.Count ? counters[point] : 0));
        }
        return score;
    }

    /// <summary>What rustc counts is not known by our points: the blocks are checked by giving each the count that most of its regions have.</summary>
    private static CoverageScore ScoreRust(string program)
    {
        using var harness = new Harness();
        var reference = CoverageReference.Of(harness, "rustc", ["--edition", "2024", "-A", "warnings", "-C", "instrument-coverage"], program);
        var ours = new RustRegionReader(Parsers.Of(Grammar.Rust), new SourceFile(program, File.ReadAllBytes(program))).Read();
        var score = new CoverageScore();
        foreach (var function in reference)
        {
            var match = Best(function, ours);
            var counts = match == null ? [] : BlockCounts(function, match);
            score.Compare(function.Name, CoverageScore.Counted(function), match == null ? [] : CoverageScore.Counted(match, block => counts.GetValueOrDefault(block, -1)));
        }
        return score;
    }

    private static Dictionary<int, long> BlockCounts(ReferenceFunction function, FunctionRegions ours)
    {
        var places = function.Regions.ToLookup(r => (r.Line, r.Column, r.EndLine, r.EndColumn), r => r.Count);
        return ours.Regions.SelectMany(r => places[(r.StartLine, r.StartColumn, r.EndLine, r.EndColumn)].Select(count => (Block: r.Count.Factors.Keys.First(), count)))
            .GroupBy(p => p.Block).ToDictionary(g => g.Key, g => g.GroupBy(p => p.count).MaxBy(c => c.Count())!.Key);
    }

    private static bool IsEmitted(List<ReferenceFunction> reference, string file, int line)
    {
        var there = reference.Where(f => f.Regions.Any(r => f.Files[r.File] == file && r.Line == line && r.Kind is 0 or 1)).ToList();
        return there.Count == 0 || there.Exists(f => f.Counters != null);
    }

    private static FunctionRegions? Best(ReferenceFunction function, IReadOnlyList<FunctionRegions> ours)
    {
        // Not by what is in macros, which functions share.
        var places = function.Regions.Where(r => r.File == 0).Select(r => (r.Line, r.Column, r.EndLine, r.EndColumn)).ToHashSet();
        int Common(FunctionRegions f) => f.Files[0] != function.Files[0] ? 0 : f.Regions.Count(r => r.File == 0 && places.Contains((r.StartLine, r.StartColumn, r.EndLine, r.EndColumn)));
        return ours.MaxBy(f => Common(f) * 1000 - f.Regions.Count) is { } best && Common(best) > 0 ? best : null;
    }
}
