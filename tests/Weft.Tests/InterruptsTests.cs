using System.Globalization;
using Weft.Core;

namespace Weft.Tests;

/// <summary>Programs woven with <c>interrupts</c>; the oracles are the contract in weft/interrupts.h, and plain clang.</summary>
public sealed class InterruptsTests : IDisposable
{
    private static readonly string Fixtures = Path.Combine(Harness.Root, "tests/fixtures/interrupts");

    private readonly Harness harness = new();

    public InterruptsTests() => harness.Environment["WEFT_CC"] = "clang-22";

    public void Dispose() => harness.Dispose();

    [TheoryNeeds("clang-22")]
    [MemberData(nameof(Seeds), 0, 60)]
    public void Loops_of_every_form_compute_what_they_computed(int seed) => CompareLoops(seed, 1);

    [TheoryNeeds("clang-22"), Trait("Category", "Slow")]
    [MemberData(nameof(Seeds), 1000, 60)]
    public void More_loops_of_every_form_compute_what_they_computed(int seed) => CompareLoops(seed, 10);

    public static TheoryData<int> Seeds(int first, int count) => [.. Enumerable.Range(first, count)];

    private void CompareLoops(int first, int count)
    {
        for (var seed = first * count; seed < (first + 1) * count; seed++)
        {
            var program = LoopPrograms.Generate(seed);
            harness.Write("loops.c", program);
            harness.Must("clang-22", "-O1", "-I", Path.Combine(Harness.Root, "runtime/include"), "loops.c", "-o", "plain");
            var expected = harness.Must("timeout", "20", harness.Path("plain")).Output;
            foreach (var level in (string[])["-O1", "-O2", "-O3"])
            {
                harness.Must(Harness.Weft, "cc", "--with=interrupts", level, "loops.c", "-o", "woven");
                var outcome = harness.Run("timeout", "60", harness.Path("woven"));
                Assert.True(outcome.ExitCode == 0 && outcome.Output == expected, $"seed {seed} at {level}: expected {expected}, {outcome}\n{program}");
            }
        }
    }
}
