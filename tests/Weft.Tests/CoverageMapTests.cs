using Weft.Core;
using Weft.Coverage;
using Weft.Coverage.Maps;
using Weft.Coverage.Model;
using Weft.Coverage.Profiles;

namespace Weft.Tests;

/// <summary>Binaries of all kinds, and those that have no map, or a damaged one.</summary>
public sealed class CoverageMapTests : IDisposable
{
    private readonly Harness harness = new();

    public void Dispose() => harness.Dispose();

    [Needs("clang-22", "llvm-profdata-22", "ar")]
    public void Members_of_an_archive_that_have_no_coverage_do_no_harm()
    {
        var sample = CoveragePrograms.Get("c 22");
        File.WriteAllText(Path.Combine(CoveragePrograms.Folder, "a note with a long name"), "hello");
        var archive = CoveragePrograms.Archive("a note with a long name");
        Assert.Equal(Names([sample.Binaries[0]]), Names([archive]));
    }

    [Needs("rustc")]
    public void An_rlib_is_read_with_its_metadata_beside_the_objects()
    {
        harness.Write("lib.rs", "pub fn double(x: i32) -> i32 { if x > 0 { x * 2 } else { 0 } }\npub fn other() {}\n");
        harness.Must("rustc", "-C", "instrument-coverage", "--crate-type=rlib", "--crate-name=sample", "lib.rs");
        Assert.Equal(2, CoverageData.Load([harness.Path("libsample.rlib")], new Profile()).Functions.Count);
    }

    [Needs("clang-22", "llvm-profdata-22", "llvm-strip-22")]
    public void A_stripped_program_is_refused_with_the_reason()
    {
        var sample = CoveragePrograms.Get("c 22");
        harness.Must("llvm-strip-22", sample.Binaries[0], "-o", "stripped");
        var refused = Assert.Throws<WeftException>(() => CoverageData.Load([harness.Path("stripped")], new Profile()));
        Assert.Contains("stripped", refused.Message, StringComparison.Ordinal);
        Assert.Contains("strip", refused.Help, StringComparison.Ordinal);
        // Beside one that has coverage it does no harm.
        Assert.NotEmpty(CoverageData.Load([harness.Path("stripped"), sample.Binaries[0]], new Profile()).Functions);
    }

    [Needs("clang-22", "llvm-profdata-22")]
    public void A_function_in_several_binaries_counts_once()
    {
        var sample = CoveragePrograms.Get("c 22");
        Assert.Equal(Names(sample.Binaries), Names([sample.Binaries[0], sample.Binaries[0], CoveragePrograms.Archive()]));
    }

    /// <summary>A function that one file only declares inline has a record without counters there, which must not hide the other.</summary>
    [Needs("clang++-22", "llvm-cov-22")]
    public void A_function_that_is_used_in_one_file_only_is_known_by_its_regions()
    {
        harness.Write("f.h", "inline int f(int x) {\n  if (x) return 1;\n  return 2;\n}\n");
        harness.Write("unused.cc", "#include \"f.h\"\nint g() { return 1; }\n");
        harness.Write("used.cc", "#include \"f.h\"\nint g();\nint main() { return f(0) + g(); }\n");
        harness.Must("clang++-22", "-fprofile-instr-generate", "-fcoverage-mapping", "unused.cc", "used.cc", "-o", "program");
        var data = CoverageData.Load([harness.Path("program")], new Profile());
        Assert.True(data.Functions.Single(f => f.Name == "_Z1fi").Regions.Length > 1);
    }

    [Theory]
    [InlineData("")]
    [InlineData("text")]
    [InlineData("!<thin>\nx")]
    [InlineData("!<arch>\nshort")]
    [InlineData("\u007FELF")]
    public void What_is_no_binary_is_refused_with_a_sentence(string content)
    {
        var path = harness.Write("binary", content);
        var refused = Assert.Throws<WeftException>(() => CoverageData.Load([path], new Profile()));
        Assert.Contains(path, refused.Message, StringComparison.Ordinal);
        Assert.NotNull(refused.Help);
        Assert.Throws<WeftException>(() => CoverageMapFile.Read(harness.Path("absent")));
    }

    /// <summary>LLVM walks through an expression anew for every part of it; this one would take it 2^60 steps.</summary>
    [Fact]
    public void Expressions_that_share_their_parts_take_no_time()
    {
        const int depth = 60;
        var expressions = new CounterExpression[depth];
        for (var i = 0; i < depth; i++)
        {
            var part = i + 1 < depth ? new Counter(CounterKind.Expression, i + 1) : new Counter(CounterKind.Reference, 0);
            expressions[i] = new CounterExpression(IsSum: true, part, part);
        }
        var evaluator = new CounterEvaluator(expressions, [3], []);
        Assert.True(evaluator.TryEvaluate(new Counter(CounterKind.Expression, 0), out var value));
        Assert.Equal(3UL << depth, value);
    }

    [Fact]
    public void Expressions_within_themselves_and_counters_that_are_not_there_have_no_value()
    {
        Counter first = new(CounterKind.Reference, 0), expression = new(CounterKind.Expression, 0), other = new(CounterKind.Expression, 1);
        CounterExpression[] cyclic = [new(true, other, first), new(false, first, expression), new(true, first, first)];
        var evaluator = new CounterEvaluator(cyclic, [5], []);
        Assert.False(evaluator.TryEvaluate(expression, out _));
        Assert.False(evaluator.TryEvaluate(other, out _));
        Assert.False(evaluator.TryEvaluate(new Counter(CounterKind.Reference, 1), out _));
        Assert.True(evaluator.TryEvaluate(new Counter(CounterKind.Expression, 2), out var value));
        Assert.Equal(10UL, value);
        Assert.True(evaluator.TryEvaluate(Counter.Zero, out value) && value == 0);
    }

    [Theory]
    [InlineData("c 22")]
    [InlineData("c 19")]
    [InlineData("c++ 22")]
    [InlineData("decisions 22")]
    [InlineData("rust")]
    public void Records_written_anew_are_the_compilers_byte_for_byte(string sample)
    {
        using var map = CoverageMapFile.Read(CoveragePrograms.Get(sample).Binaries[0]);
        Assert.NotEmpty(map.Records);
        foreach (var record in map.Records)
        {
            var function = map.Decode(record);
            int[] files = [.. function.Files.Select(f => Array.IndexOf(record.SourceFiles, f))];
            Assert.Equal(Convert.ToHexString(record.Encoded.Span), Convert.ToHexString(RegionEncoder.Encode(files, function.Expressions, function.Regions)));
        }
    }

    private static IEnumerable<string> Names(IReadOnlyList<string> binaries) => CoverageData.Load(binaries, new Profile()).Functions.Select(f => f.Name).Order(StringComparer.Ordinal);
}
