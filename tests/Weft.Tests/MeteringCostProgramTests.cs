using System.Globalization;
using System.Text.Json;
using Weft.Core;

namespace Weft.Tests;

/// <summary>Programs under costs of their own: the totals and the stops are the reference's, and the report says what the units were.</summary>
public sealed class MeteringCostProgramTests : IDisposable
{
    private static readonly string Fixtures = Path.Combine(Harness.Root, "tests/fixtures/metering"), Kernels = Path.Combine(Harness.Root, "bench/kernels");

    private readonly Harness harness = new();

    public MeteringCostProgramTests()
    {
        harness.Environment["WEFT_CC"] = "clang-22";
        File.Copy(Path.Combine(Fixtures, "costs.json"), harness.Path("costs.json"));
        File.Copy(Path.Combine(Fixtures, "costs.c"), harness.Path("costs.c"));
    }

    public void Dispose() => harness.Dispose();

    public static TheoryData<string> Names => MeteringOracleTests.Names;

    [TheoryNeeds("clang-22")]
    [MemberData(nameof(Names))]
    public void A_kernel_counts_to_the_unit_what_the_reference_counts(string kernel)
    {
        var source = File.ReadAllText(Path.Combine(Kernels, kernel + ".c")); // one of its equal passes is enough
        harness.Write("kernel.c", System.Text.RegularExpressions.Regex.Replace(source, "kernel_passes = [0-9]+;", "kernel_passes = 1;"));
        harness.Must("clang-22", "-std=c11", "-O2", "-I", Path.Combine(Harness.Root, "runtime/include"), "-c", Path.Combine(Kernels, "main.c"), "-o", "main.o");
        foreach (var costs in (string[])["costs.json", "instructions"])
        {
            var reference = Kernel(costs, "-O2", "--metering-mode=reference");
            Assert.Equal((costs, reference), (costs, Kernel(costs, "-O0")));
            Assert.Equal((costs, reference), (costs, Kernel(costs, "-O2")));
        }
        Assert.NotEqual(Kernel("canonical", "-O2"), Kernel("instructions", "-O2"));
    }

    private ulong Kernel(string costs, params string[] flags)
    {
        Build("kernel", costs, ["-std=c11", "-I", Kernels, .. flags, "kernel.c", "main.o", "-lpthread", "-lm"]);
        return Total("kernel");
    }

    [Needs("clang-22")]
    public void A_program_stops_where_the_reference_stops_at_every_level()
    {
        string[] levels = ["-O0", "-O1", "-O2", "-O3", "-Os"];
        foreach (var level in levels) Build(level, "costs.json", level, "costs.c");
        Build("reference", "costs.json", "-O2", "--metering-mode=reference", "costs.c");
        Build("everywhere", "costs.json", "-O2", "--metering-limits=off", "costs.c");
        var total = Total("reference");
        Assert.All([.. levels, "everywhere"], p => Assert.Equal((p, total), (p, Total(p))));
        var random = new Random(20261123);
        foreach (var limit in Enumerable.Range(0, 20).Select(_ => (ulong)random.NextInt64((long)total + 1000)))
        {
            var expected = Stop("reference", limit);
            foreach (var level in levels) Assert.Equal((limit, level, expected), (limit, level, Stop(level, limit)));
        }
    }

    [Needs("clang-22")]
    public void Functions_add_up_to_the_total_and_a_free_one_has_nothing()
    {
        Build("p", "costs.json", "-O2", "--metering-detail=functions", "costs.c");
        Build("reference", "costs.json", "-O2", "--metering-detail=functions", "--metering-mode=reference", "costs.c");
        Assert.Equal(Functions("reference"), Functions("p"));
        Assert.DoesNotContain(Functions("p"), f => f.Name == "note");
        Assert.Equal(Total("p"), Functions("p").Aggregate(0ul, (sum, f) => sum + f.Units));
    }

    [TheoryNeeds("clang-22")]
    [InlineData("0x8000000000000000")]
    [InlineData("-1")]
    [InlineData("1000000000000")]
    public void A_limit_stops_a_program_before_it_fills_memory_that_is_not_there(string size)
    {
        harness.Write("p.c", """
            #include <stdlib.h>
            #include <string.h>
            int main(int argc, char **argv) { memset((void *)16, argc, strtoul(argv[1], NULL, 0)); return 0; }
            """);
        harness.Write("dear.json", """{ "format": "weft-costs", "version": 1, "functions": { "memset": { "cost": 0, "argument": 2, "units": 1000 } } }""");
        foreach (var level in (string[])["-O0", "-O2"])
        {
            Build("p", "dear.json", level, "p.c");
            Assert.Equal("124 9000000000000 ", Stop("p", 9_000_000_000_000, size));
        }
    }

    [Needs("clang-22")]
    public void A_charge_that_is_too_large_does_not_wrap_around()
    {
        harness.Write("p.c", """
            #include <stdlib.h>
            int main(int argc, char **argv) { volatile size_t huge = -1; for (int i = 0; i < (argc > 1 ? 70000 : 1000); i++) free(malloc(huge)); return argc == 0 || argv == 0; }
            """);
        harness.Write("dear.json", """{ "format": "weft-costs", "version": 1, "functions": { "malloc": { "cost": 0, "argument": 0, "units": 1000000 } } }""");
        Build("p", "dear.json", "-O2", "p.c");
        var once = (1ul << 48) / 1_000_000 * 1_000_000;
        Assert.InRange(Total("p"), 1000 * once, 1000 * once + 20_000);
        Assert.Equal($"124 {once * 500} ", Stop("p", once * 500));
        // One charge leads from below this limit to a small number.
        Assert.Equal($"124 {ulong.MaxValue - 1} ", Stop("p", ulong.MaxValue - 1, "more"));
    }

    [TheoryNeeds("clang-22")]
    [InlineData("canonical")]
    [InlineData("instructions")]
    public void Debug_information_costs_nothing(string costs)
    {
        File.Copy(Path.Combine(Harness.Root, "tests/fixtures/coverage/exceptions.cc"), harness.Path("p.cc"));
        File.Copy(Path.Combine(Harness.Root, "tests/fixtures/coverage/gotos.c"), harness.Path("gotos.c"));
        foreach (var source in (string[])["costs.c", "p.cc", "gotos.c"])
        {
            Build("plain", costs, "-O2", source);
            Build("debug", costs, "-O0", "-g", source);
            Assert.Equal((source, Total("plain")), (source, Total("debug")));
        }
    }

    [Needs("clang-22")]
    public void The_report_says_what_the_units_are_and_when_they_are_not_one_kind()
    {
        var digest = Convert.ToHexStringLower(System.Security.Cryptography.SHA256.HashData(File.ReadAllBytes(harness.Path("costs.json"))))[..16];
        harness.Write("main.c", "int half(int); int main(void) { return half(0); }");
        harness.Write("half.c", "int half(int n) { return n / 2; }");
        string Costs(string main, string half)
        {
            Build("main.o", main, "-c", "main.c");
            Build("half.o", half, "-c", "half.c");
            harness.Must(Harness.Weft, "cc", "--with=metering", "main.o", "half.o", "-Wl,--gc-sections", "-o", "p");
            Total("p");
            return Report().GetProperty("costs").GetString()!;
        }
        Assert.Equal("canonical", Costs("canonical", "canonical"));
        Assert.Equal("instructions", Costs("instructions", "instructions"));
        Assert.Equal($"costs.json sha256:{digest}", Costs("costs.json", "costs.json"));
        Assert.Contains($"costs: costs.json sha256:{digest}\n", harness.Must(Harness.Weft, "metering", "report", "report").Output, StringComparison.Ordinal);
        Assert.Equal("mixed", Costs("canonical", "costs.json"));
        Assert.Contains("\"costs\": \"mixed\"", harness.Must(Harness.Weft, "metering", "report", "--json", "report").Output, StringComparison.Ordinal);
    }

    [Needs("clang-22")]
    public void A_changed_file_builds_again()
    {
        harness.Write("own.json", """{ "format": "weft-costs", "version": 1, "opcodes": { "mul": 3 } }""");
        Build("p", "own.json", "-O2", "costs.c");
        var cheap = Total("p");
        harness.Write("own.json", """{ "format": "weft-costs", "version": 1, "opcodes": { "mul": 300 } }""");
        Build("p", "own.json", "-O2", "costs.c");
        Assert.True(Total("p") > cheap + 100_000);
    }

    [Needs("cargo")]
    public void Cargo_builds_again_and_finds_Rust_functions_by_their_paths()
    {
        harness.Write("Cargo.toml", "[package]\nname = \"game\"\nversion = \"0.1.0\"\nedition = \"2021\"\n");
        harness.Write("src/main.rs", """
            mod rules { #[inline(never)] pub fn tick(n: usize) -> usize { n ^ 1 } }
            fn main() { let n = std::env::args().count(); assert_eq!(rules::tick(n), n ^ 1); }
            """);
        harness.Write("sub/costs.json", """{ "format": "weft-costs", "version": 1, "functions": { "game::rules::tick": 1000 } }""");
        Assert.InRange(Cargo(), 1000ul, 1999ul);
        harness.Write("sub/costs.json", """{ "format": "weft-costs", "version": 1, "functions": { "game::rules::*": { "cost": 5000, "argument": 0, "units": 3000 } } }""");
        Assert.InRange(Cargo(), 8000ul, 8999ul);
    }

    private ulong Cargo()
    {
        harness.Environment["WEFT_METERING_REPORT"] = harness.Path("report");
        harness.Must(Harness.Weft, "cargo", "run", "--release", "--with", "metering", "--metering-costs", "sub/costs.json");
        return Report().GetProperty("total").GetUInt64();
    }

    [TheoryNeeds("clang-22")]
    [InlineData("cannonical", null, "--metering-costs: 'cannonical' is not one of canonical, instructions, nor a file")]
    [InlineData("own.json", "{", "own.json: it is not JSON at line 1")]
    [InlineData("own.json", """{ "format": "weft-costs", "version": 1, "functions": { "malloc": { "cost": 1, "argument": 1 } } }""", "own.json: functions.malloc: 'malloc' is called with 1 arguments in 'costs.c'")]
    public void A_mistake_is_told_before_anything_is_built(string costs, string? text, string mention)
    {
        if (text != null) harness.Write(costs, text);
        Harness.AssertToldWell(harness.RunWeft("cc", "--with=metering", $"--metering-costs={costs}", "-c", "costs.c"), ExitCode.Usage, mention);
        Assert.False(File.Exists(harness.Path("costs.o")));
    }

    private void Build(string output, string costs, params string[] arguments) =>
        harness.Must(Harness.Weft, [arguments.Any(a => a.EndsWith(".cc", StringComparison.Ordinal)) ? "c++" : "cc", "--with=metering", $"--metering-costs={costs}", .. arguments, "-o", output]);

    private ulong Total(string program)
    {
        harness.Environment["WEFT_METERING_REPORT"] = harness.Path("report");
        harness.Must(harness.Path(program));
        return Report().GetProperty("total").GetUInt64();
    }

    private List<(string Name, ulong Units)> Functions(string program)
    {
        Total(program);
        return [.. Report().GetProperty("functions").EnumerateArray().Select(f => (f.GetProperty("name").GetString()!, f.GetProperty("units").GetUInt64())).Order()];
    }

    /// <summary>Exit code, units and output.</summary>
    private string Stop(string program, ulong limit, params string[] arguments)
    {
        harness.Environment["WEFT_METERING_REPORT"] = harness.Path("report");
        harness.Environment["WEFT_METERING_LIMIT"] = limit.ToString(CultureInfo.InvariantCulture);
        var outcome = harness.Run(harness.Path(program), arguments);
        harness.Environment.Remove("WEFT_METERING_LIMIT");
        return $"{outcome.ExitCode} {Report().GetProperty("total").GetUInt64()} {outcome.Output}";
    }

    private JsonElement Report() => JsonDocument.Parse(File.ReadAllText(harness.Path("report"))).RootElement;
}
