using System.Text;
using System.Text.Json.Nodes;
using Weft.Coverage.Export;
using Weft.Coverage.Model;
using Weft.Coverage.Profiles;

namespace Weft.Tests;

/// <summary>What is made of maps and profiles, against llvm-cov's exports of the same files, byte for byte.</summary>
public sealed class CoverageExportTests : IDisposable
{
    private readonly Harness harness = new();

    public void Dispose() => harness.Dispose();

    [TheoryNeeds("clang++-22", "llvm-cov-22", "llvm-profdata-22")]
    [InlineData("c 22")]
    [InlineData("c++ 22")]
    [InlineData("single byte 22")]
    [InlineData("decisions 22")]
    [InlineData("library 22")]
    public void Exports_of_clang_22_are_those_of_llvm_cov(string sample) => AssertExports(CoveragePrograms.Get(sample));

    [TheoryNeeds("clang++-19", "llvm-profdata-19", "llvm-cov-22")]
    [InlineData("c 19")]
    [InlineData("c++ 19")]
    [InlineData("decisions 19")]
    public void Exports_of_clang_19_are_those_of_llvm_cov_22(string sample) => AssertExports(CoveragePrograms.Get(sample));

    [Needs("rustc", "llvm-cov-22", "llvm-profdata-22")]
    public void Exports_of_rustc_are_those_of_llvm_cov() => AssertExports(CoveragePrograms.Get("rust"));

    /// <summary>LLVM 19's JSON has other MC/DC records, and only those branches of a file that are of functions defined there and not of macros.</summary>
    [TheoryNeeds("clang++-19", "llvm-profdata-19", "llvm-cov-19")]
    [InlineData("c 19")]
    [InlineData("c++ 19")]
    [InlineData("decisions 19")]
    public void What_llvm_cov_19_says_is_the_same_but_for_branches_of_files_and_vectors(string name)
    {
        var sample = CoveragePrograms.Get(name);
        JsonNode theirs = JsonNode.Parse(Theirs(sample, "19", "text"))!["data"]![0]!, ours = JsonNode.Parse(Json(Load(sample), new ExportOptions()))!["data"]![0]!;
        foreach (var (part, functions) in (IEnumerable<(JsonNode, JsonArray)>)[(theirs, theirs["files"]!.AsArray()), (ours, ours["files"]!.AsArray()), (theirs, theirs["functions"]!.AsArray()), (ours, ours["functions"]!.AsArray())])
            foreach (var element in functions)
            {
                if (element!["filename"] != null) element.AsObject().Remove("branches");
                foreach (var record in element["mcdc_records"]!.AsArray()) KeepPlaceAndPairs(record!.AsArray());
            }
        Assert.Equal(theirs.ToJsonString(), ours.ToJsonString());
    }

    [Needs("clang-22", "llvm-cov-22", "llvm-profdata-22")]
    public void An_archive_of_objects_is_as_the_program_made_of_them()
    {
        var sample = CoveragePrograms.Get("c 22");
        AssertExports(sample with { Binaries = [CoveragePrograms.Archive()] });
    }

    [TheoryNeeds("clang-22", "llvm-cov-22", "llvm-profdata-22")]
    [InlineData("aarch64-linux-gnu")]
    [InlineData("i686-linux-gnu")]
    [InlineData("powerpc64-linux-gnu")]
    [InlineData("powerpc-linux-gnu")]
    public void Maps_of_32_bits_and_of_the_other_byte_order_are_read(string target)
    {
        var sample = CoveragePrograms.Get("c 22");
        foreach (var part in (string[])["part", "main"])
            harness.Must("clang-22", $"--target={target}", "-ffreestanding", "-fprofile-instr-generate", "-fcoverage-mapping", CoveragePrograms.Mcdc, "-c", Path.Combine(CoveragePrograms.Folder, part + ".c"), "-o", part);
        AssertExports(sample with { Binaries = [harness.Path("part"), harness.Path("main")] });
    }

    [TheoryNeeds("clang-22", "llvm-cov-22")]
    [InlineData("/build/./deep/..", "../src/sub/.././program.c")]
    [InlineData("relative/folder", "src/program.c")]
    [InlineData(".", "./src/program.c")]
    public void Paths_are_made_absolute_and_short_as_llvm_cov_makes_them(string folder, string file)
    {
        Directory.CreateDirectory(harness.Path("src/sub"));
        Directory.CreateDirectory(harness.Path("at"));
        harness.Write("src/program.c", "int main(void) { return 0; }\n");
        var at = file.StartsWith("..", StringComparison.Ordinal) ? "at" : ".";
        harness.Must("sh", "-c", $"cd {at} && clang-22 -fprofile-instr-generate -fcoverage-mapping -fcoverage-compilation-dir={folder} -c {file} -o {harness.Path("program.o")}");
        AssertExports(CoveragePrograms.Get("c 22") with { Binaries = [harness.Path("program.o")] });
    }

    [Needs("clang-22", "llvm-cov-22", "llvm-profdata-22")]
    public void Sums_of_a_function_are_part_of_those_of_its_file()
    {
        var data = Load(CoveragePrograms.Get("c++ 22"));
        foreach (var file in data.Files)
            Assert.Equal(data.Summary(file), data.Groups(file).Select(CoverageData.Summary).Aggregate(new CoverageSummary(), (a, b) => a + b));
        Assert.Contains(data.Files.SelectMany(data.Groups), g => g.Functions.Count == 3 && CoverageData.Summary(g).Instantiations == new Ratio(3, 3));
    }

    [Needs("clang-22", "llvm-cov-22", "llvm-profdata-22")]
    public void Counts_of_another_build_are_left_out_and_named()
    {
        var sample = CoveragePrograms.Get("c 22");
        harness.Write("main.c", "int part(int); static int more(int x) { return x; }\nint main(void) { return more(part(1) && part(2)); }\n");
        harness.Must("clang-22", "-fprofile-instr-generate", "-fcoverage-mapping", CoveragePrograms.Mcdc, "main.c", Path.Combine(CoveragePrograms.Folder, "part.c"), "-o", "changed");
        var changed = sample with { Binaries = [harness.Path("changed")] };
        AssertExports(changed);
        Assert.Equal(["main"], Load(changed).Mismatches.Select(m => m.Name));
    }

    [Needs("clang-22", "llvm-cov-22", "llvm-profdata-22")]
    public void A_profile_of_another_program_leaves_everything_uncovered()
    {
        var sample = CoveragePrograms.Get("decisions 22") with { Indexed = CoveragePrograms.Get("c++ 22").Indexed };
        AssertExports(sample);
        Assert.All(Load(sample).Functions.Where(f => f.Name != "main"), f => Assert.Equal(0UL, f.Count));
    }

    /// <summary>Differences of counts that were torn, or have stopped at the largest, wrap around.</summary>
    [Needs("clang-22", "llvm-cov-22", "llvm-profdata-22")]
    public void Counts_too_large_for_arithmetic_wrap_around_as_in_llvm_cov()
    {
        var sample = CoveragePrograms.Get("c 22");
        var text = new StringWriter();
        TextProfile.Write(ProfileFile.Read(sample.Indexed), text);
        var lines = text.ToString().Split('\n');
        var isCount = false;
        for (var i = 0; i < lines.Length; i++)
        {
            if (lines[i].StartsWith('#') || lines[i].Length == 0) isCount = lines[i] == "# Counter Values:";
            else if (isCount) lines[i] = (ulong.Parse(lines[i]) * 7_000_000_000_000_000_123).ToString();
        }
        harness.Write("large.proftext", string.Join('\n', lines));
        harness.Must("llvm-profdata-22", "merge", "large.proftext", "-o", "large.profdata");
        var large = sample with { Indexed = harness.Path("large.profdata") };
        Assert.Equal(Theirs(large, "22", "text"), Json(Load(large), new ExportOptions()));
        // Its trace files cut counts of branches down to 32 bits; ours do not.
        Assert.Equal(WithoutBranches(Theirs(large, "22", "lcov")), WithoutBranches(Trace(Load(large), new ExportOptions())));
    }

    [Needs("clang-22", "llvm-cov-22", "llvm-profdata-22")]
    public void Independence_pairs_are_those_that_llvm_cov_shows()
    {
        var sample = CoveragePrograms.Get("decisions 22");
        var shown = harness.Must("llvm-cov-22", "show", sample.Binaries[0], "-instr-profile", sample.Indexed, "-show-mcdc").Output
            .Split('\n').Where(l => l.Contains("-Pair: ", StringComparison.Ordinal)).Select(l => l.Split("-Pair: ")[1]).ToList();
        var data = Load(sample);
        var ours = data.Files.SelectMany(f => data.File(f).Decisions).OrderBy(d => d.Region.StartLine).SelectMany(d => d.Conditions)
            .Select(c => c.IsFolded ? "constant folded" : c.Pair is { } pair ? $"covered: ({pair.False + 1},{pair.True + 1})" : "not covered").ToList();
        Assert.Contains(shown, pair => pair.StartsWith("covered", StringComparison.Ordinal));
        Assert.Equal(shown, ours);
    }

    [Needs("rustc", "clang++-22", "llvm-cov-22")]
    public void Names_are_for_people_only_where_asked()
    {
        var sample = CoveragePrograms.Get("c 22");
        var data = CoverageData.Load(sample.Binaries, ProfileFile.Read(sample.Indexed), symbol => $"<{symbol}>");
        Assert.Contains(data.Functions, f => f.Name == "main.c:decide" && data.Demangled(f) == "<decide>");
        Assert.Contains(data.Functions, f => f.Name == "main" && data.Demangled(f) == "<main>");
    }

    private void AssertExports(CoverageSample sample)
    {
        var data = Load(sample);
        Assert.Equal(Theirs(sample, "22", "text"), Json(data, new ExportOptions()));
        Assert.Equal(Theirs(sample, "22", "text", "-summary-only"), Json(data, new ExportOptions(SummaryOnly: true)));
        Assert.Equal(Theirs(sample, "22", "text", "-skip-functions"), Json(data, new ExportOptions(SkipFunctions: true)));
        Assert.Equal(Theirs(sample, "22", "text", "-skip-expansions"), Json(data, new ExportOptions(SkipExpansions: true)));
        Assert.Equal(Theirs(sample, "22", "lcov"), Trace(data, new ExportOptions()));
        Assert.Equal(Theirs(sample, "22", "lcov", "-summary-only"), Trace(data, new ExportOptions(SummaryOnly: true)));
        Assert.Equal(Theirs(sample, "22", "lcov", "-skip-functions"), Trace(data, new ExportOptions(SkipFunctions: true)));
    }

    private string Theirs(CoverageSample sample, string version, string format, params string[] options) => harness.Must($"llvm-cov-{version}",
        ["export", $"-format={format}", $"-instr-profile={sample.Indexed}", .. options, sample.Binaries[0], .. sample.Binaries.Skip(1).SelectMany(b => (string[])["-object", b])]).Output;

    private static CoverageData Load(CoverageSample sample) => CoverageData.Load(sample.Binaries, ProfileFile.Read(sample.Indexed));

    private static string Json(CoverageData data, ExportOptions options)
    {
        using var output = new MemoryStream();
        LlvmJson.Write(output, data, data.Files, options);
        return Encoding.UTF8.GetString(output.ToArray());
    }

    private static string Trace(CoverageData data, ExportOptions options)
    {
        var output = new StringWriter();
        Lcov.Write(output, data, data.Files, options);
        return output.ToString();
    }

    private static string WithoutBranches(string trace) => string.Join('\n', trace.Split('\n').Where(l => !l.StartsWith("BRDA:", StringComparison.Ordinal)));

    /// <summary>What both versions tell of a decision: where it is and which of its conditions are covered.</summary>
    private static void KeepPlaceAndPairs(JsonArray record)
    {
        while (record[^1] is not JsonArray { Count: > 0 } last || last[0] is not JsonValue) record.RemoveAt(record.Count - 1);
        while (record.Count > 5) record.RemoveAt(4);
    }
}
