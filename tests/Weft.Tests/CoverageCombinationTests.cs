using System.Text.Json;
using System.Text.Json.Nodes;

namespace Weft.Tests;

/// <summary>Coverage woven together with other instruments: none changes what another says.</summary>
public sealed class CoverageCombinationTests : CountedPrograms
{
    // What else is counted, traced or interrupted makes other code of the same regions.
    private static readonly string[] Together = ["metering,coverage", "interrupts,coverage", "tracing,coverage", "interrupts,metering,tracing,coverage"];

    // Hashes with random seeds.
    private static readonly HashSet<string> LeftOut = ["words.rs"];

    [Needs("clang-22", "llvm-cov-22", "llvm-profdata-22")]
    public void Regions_are_counted_the_same_whatever_else_is_woven() => CompareRegions("logical.c");

    [Needs("clang-22")]
    public void Units_are_those_of_metering_alone() => CompareUnits("logical.c");

    [Needs("clang-22", "llvm-cov-22", "llvm-profdata-22")]
    [Trait("Category", "Slow")]
    public void Every_program_in_C_and_Cxx_is_counted_and_charged_the_same()
    {
        foreach (var source in Directory.GetFiles(Programs, "*.c").Concat(Directory.GetFiles(Programs, "*.cc")).Select(f => Path.GetFileName(f)!))
        {
            CompareRegions(source);
            CompareUnits(source);
        }
    }

    // rustc's own optimiser does a few things otherwise between coverage's statements; not in this one.
    [Needs("cargo", "llvm-cov-22", "llvm-profdata-22")]
    public void A_program_in_Rust_is_counted_and_charged_the_same() => CompareRust(["machine.rs"], ["metering,coverage", "interrupts,metering,tracing,coverage"], tolerance: 0);

    [Needs("cargo", "llvm-cov-22", "llvm-profdata-22")]
    [Trait("Category", "Slow")]
    public void Every_program_in_Rust_is_counted_the_same_and_charged_the_same_but_for_a_twentieth() =>
        CompareRust([.. Directory.GetFiles(Programs, "*.rs").Select(f => Path.GetFileName(f)!).Except(LeftOut)], Together, tolerance: 0.05);

    private void CompareRegions(string source)
    {
        var alone = Regions(Compile(source, "coverage"));
        foreach (var instruments in Together) AssertSame(source, instruments, alone, Regions(Compile(source, instruments)));
    }

    private void CompareUnits(string source) => Assert.Equal(Units(Compile(source, "metering")), Units(Compile(source, "metering,coverage")));

    private void CompareRust(string[] sources, string[] together, double tolerance)
    {
        Harness.Write("Cargo.toml", "[package]\nname = \"programs\"\nversion = \"0.1.0\"\nedition = \"2024\"\n[workspace]\n");
        foreach (var source in sources) Harness.Write("src/bin/" + source, File.ReadAllText(Path.Combine(Programs, source)));
        foreach (var instruments in (string[])["metering", "coverage", .. together]) Harness.Must(Harness.Weft, "cargo", "build", "--release", "--with", instruments, "--target-dir", instruments);
        foreach (var program in sources.Select(s => Path.GetFileNameWithoutExtension(s)!))
        {
            var alone = Regions(Built("coverage", program));
            foreach (var instruments in together) AssertSame(program, instruments, alone, Regions(Built(instruments, program)));
            var units = Units(Built("metering", program));
            Assert.InRange(Units(Built("metering,coverage", program)), units * (1 - tolerance), units * (1 + tolerance));
        }
    }

    private static void AssertSame(string program, string instruments, JsonNode expected, JsonNode actual) => Assert.True(JsonNode.DeepEquals(expected, actual), $"{program} with {instruments}");

    private string Compile(string source, string instruments)
    {
        var isC = source.EndsWith(".c", StringComparison.Ordinal);
        Harness.Must(Harness.Weft, isC ? "cc" : "c++", $"--with={instruments}", isC ? "-std=gnu17" : "-std=c++20", "-O2", "-w", Path.Combine(Programs, source), "-o", instruments);
        return Harness.Path(instruments);
    }

    private string Built(string instruments, string program) =>
        Directory.GetFiles(Harness.Path(instruments), program, SearchOption.AllDirectories).First(f => f.EndsWith($"/release/{program}", StringComparison.Ordinal));

    private JsonNode Regions(string program)
    {
        foreach (var profile in Profiles) File.Delete(profile);
        Harness.Run(program);
        Harness.Must("llvm-profdata-22", ["merge", .. Profiles, "-o", "ours.profdata"]);
        return Exported(program, "ours.profdata");
    }

    private long Units(string program)
    {
        Harness.Environment["WEFT_METERING_REPORT"] = Harness.Path("units.json");
        Harness.Run(program);
        Harness.Environment.Remove("WEFT_METERING_REPORT");
        using var report = JsonDocument.Parse(File.ReadAllText(Harness.Path("units.json")));
        return report.RootElement.GetProperty("total").GetInt64();
    }
}
