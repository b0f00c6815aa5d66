using System.Globalization;
using System.Text.Json;

namespace Weft.Tests;

/// <summary>
/// Random programs cost to the unit what the reference says, say the same and end the same way: at every level, on both targets, and
/// when a limit stops them. Half are csmith's, which is good at expressions, half <see cref="MeteredPrograms"/>.
/// </summary>
public sealed class MeteringRandomProgramTests : IDisposable
{
    private const string Csmith = "/usr/include/csmith";

    // Random programs need not end. This is how long one may take.
    private const ulong MostUnits = 2_000_000;

    private static readonly string[] Levels = ["-O0", "-O1", "-O2", "-O3", "-Os", "-Oz"];

    // Sizes that compile in a fraction of a second; the third says a checksum of everything before each statement.
    private static readonly string[] CsmithSizes =
    [
        "--max-funcs 4 --max-block-depth 4 --max-block-size 3 --max-expr-complexity 5",
        "--max-funcs 4 --max-block-depth 3 --max-block-size 3 --max-expr-complexity 4 --inline-function --no-math64",
        "--max-funcs 3 --max-block-depth 3 --max-block-size 3 --max-expr-complexity 4 --step-hash-by-stmt",
        "--max-funcs 5 --max-block-depth 4 --max-block-size 3 --max-expr-complexity 3",
    ];

    private readonly Harness harness = new();

    public MeteringRandomProgramTests() => harness.Environment["WEFT_CC"] = "clang-22";

    public void Dispose() => harness.Dispose();

    public static TheoryData<int> Batches(int first, int count, int size) => [.. Enumerable.Range(0, count).Select(i => first + i * size)];

    [TheoryNeeds("clang-22", "qemu-aarch64", "aarch64-linux-gnu-gcc")]
    [MemberData(nameof(Batches), 1000, 1, 4)]
    public void Recursion_jumps_and_calls_back_cost_what_they_cost_in_the_reference(int seed) => CompareOwn(seed, 4);

    [TheoryNeeds("clang-22", "csmith", Csmith, "qemu-aarch64", "aarch64-linux-gnu-gcc")]
    [MemberData(nameof(Batches), 1000, 1, 2)]
    public void What_csmith_writes_costs_what_it_costs_in_the_reference(int seed) => CompareCsmith(seed, 2);

    [TheoryNeeds("clang-22", "qemu-aarch64", "aarch64-linux-gnu-gcc"), Trait("Category", "Slow")]
    [MemberData(nameof(Batches), 2000, 10, 25)]
    public void Recursion_jumps_and_calls_back_of_250_programs_cost_what_they_cost_in_the_reference(int seed) => CompareOwn(seed, 25);

    [TheoryNeeds("clang-22", "csmith", Csmith, "qemu-aarch64", "aarch64-linux-gnu-gcc"), Trait("Category", "Slow")]
    [MemberData(nameof(Batches), 2000, 25, 10)]
    public void What_csmith_writes_in_250_programs_costs_what_it_costs_in_the_reference(int seed) => CompareCsmith(seed, 10);

    // One file for all is compiled in a third of the time.
    private void CompareOwn(int first, int count)
    {
        var programs = Enumerable.Range(0, count).Select(i => MeteredPrograms.Generate(first + i, $"program_{i}", IsPortable(first + i)));
        Compare(first, count, [harness.Write("programs.c", MeteredPrograms.Prologue + string.Concat(programs))]);
    }

    private void CompareCsmith(int first, int count) => Compare(first, count, [.. Enumerable.Range(0, count).Select(i => harness.Write($"program_{i}.c", OfCsmith(first + i, $"program_{i}")))]);

    /// <summary>
    /// Without what the target's calling convention lowers where aarch64 is compared. As part of a larger program: nothing global but its entry.
    /// </summary>
    private string OfCsmith(int seed, string entry)
    {
        string[] options = ["--quiet", "--concise", "--no-argc", "--seed", seed.ToString(CultureInfo.InvariantCulture), .. CsmithSizes[seed / 2 % 4].Split(' ')];
        string[] portable = IsPortable(seed) ? ["--no-arg-structs", "--no-return-structs", "--no-unions", "--no-bitfields"] : [];
        var text = harness.Must("csmith", [.. options, .. portable]).Output;
        Assert.Contains("int main (void)", text, StringComparison.Ordinal);
        var isLong = text.Contains("step_hash", StringComparison.Ordinal);
        return $"""
            #define step_hash step_hash_{entry}
            #define csmith_compute_hash compute_{entry}
            #define print_hash_value {(isLong ? 0 : 1)}
            {text.Replace("int main (void)", $"int {entry}(void)").Replace("int print_hash_value = 0;", "")}
            """;
    }

    // A front end lowers structures passed by value, variadic arguments and volatile bit-fields by the target's rules.
    private static bool IsPortable(int seed) => seed % 2 == 0;

    /// <summary>One executable per build holds all programs of a batch.</summary>
    private void Compare(int first, int count, string[] sources)
    {
        harness.Write("main.c", $$"""
            #include <stdlib.h>
            {{string.Concat(Enumerable.Range(0, count).Select(i => $"int program_{i}(void);\n"))}}
            int main(int argc, char **argv)
            {
                switch (atoi(argv[1])) {
            {{string.Concat(Enumerable.Range(0, count).Select(i => $"    case {i}: return program_{i}();\n"))}}
                }
                return argc;
            }
            """);
        (string Name, string[] Flags)[] builds = [("reference", ["-O2", "--metering-mode=reference"]), .. Levels.Select(l => (l, (string[])[l])), ("aarch64", ["-O2", "--target=aarch64-linux-gnu"])];
        Parallel.ForEach(builds, new ParallelOptions { MaxDegreeOfParallelism = 2 }, b =>
            harness.Must(Harness.Weft, ["cc", "--with=metering", "-w", "-I", Csmith, .. b.Flags, "main.c", .. sources, "-o", $"build{b.Name}", "-lm"]));
        for (var i = 0; i < count; i++) CompareBuilds(first + i, i, sources.Length == 1 ? sources[0] : sources[i]);
    }

    private void CompareBuilds(int seed, int number, string source)
    {
        var whole = Run("reference", number, MostUnits);
        var random = new Random(seed);
        foreach (var limit in (ulong[])[MostUnits, .. Enumerable.Range(0, 2).Select(_ => (ulong)random.NextInt64(1, (long)whole.Units))])
        {
            var expected = Run("reference", number, limit);
            foreach (var build in IsPortable(seed) ? Levels.Append("aarch64") : Levels)
                if (Run(build, number, limit) is var actual && actual != expected)
                    Assert.Fail($"seed {seed}, {build}, limit {limit}: {Difference(expected, actual)}\nThe program is program_{number} in {Keep(source, seed)}");
        }
    }

    private readonly record struct Result(int ExitCode, ulong Units, string Output);

    private Result Run(string build, int number, ulong limit)
    {
        harness.Environment["WEFT_METERING_REPORT"] = harness.Path("report");
        harness.Environment["WEFT_METERING_LIMIT"] = limit.ToString(CultureInfo.InvariantCulture);
        File.Delete(harness.Path("report"));
        string[] command = [.. build == "aarch64" ? (string[])["qemu-aarch64", "-L", "/usr/aarch64-linux-gnu"] : [], harness.Path($"build{build}"), number.ToString(CultureInfo.InvariantCulture)];
        var outcome = harness.Run(command[0], command[1..]);
        Assert.True(File.Exists(harness.Path("report")), $"{build}: no report: {outcome}");
        return new(outcome.ExitCode, JsonDocument.Parse(File.ReadAllText(harness.Path("report"))).RootElement.GetProperty("total").GetUInt64(), outcome.Output);
    }

    private static string Difference(Result expected, Result actual)
    {
        var same = expected.Output.Zip(actual.Output).TakeWhile(p => p.First == p.Second).Count();
        var output = expected.Output == actual.Output ? "output is the same" : $"output differs after {same} characters";
        return $"exit code {expected.ExitCode} and {expected.Units} units in the reference, {actual.ExitCode} and {actual.Units} here, {output}";
    }

    private static string Keep(string source, int seed)
    {
        var kept = Path.Combine(Path.GetTempPath(), $"weft-random-{seed}.c");
        File.Copy(source, kept, overwrite: true);
        return kept;
    }
}
