using System.Text.Json;

namespace Weft.Tests;

/// <summary>A region as <c>llvm-cov export</c> prints it; kind 4 is a branch.</summary>
internal sealed record ReferenceRegion(int Line, int Column, int EndLine, int EndColumn, long Count, long FalseCount, int File, int ExpandedFile, int Kind);

/// <summary>A function of the front end's own coverage, with the values of its counters.</summary>
internal sealed record ReferenceFunction(string Name, IReadOnlyList<string> Files, IReadOnlyList<ReferenceRegion> Regions, IReadOnlyList<long>? Counters);

/// <summary>What the front end's own coverage says of a program: built with its flags, run once, exported by LLVM's tools.</summary>
internal static class CoverageReference
{
    public static List<ReferenceFunction> Of(Harness harness, string compiler, string[] flags, string source)
    {
        Succeed(harness.Run(compiler, [.. flags, source, "-o", harness.Path("program")], null));
        harness.Environment["LLVM_PROFILE_FILE"] = harness.Path("raw.profraw");
        Succeed(harness.Run(harness.Path("program")));
        Succeed(harness.Run("llvm-profdata-22", "merge", "raw.profraw", "-o", "merged.profdata"));
        var export = Succeed(harness.Run("llvm-cov-22", "export", "program", "-instr-profile=merged.profdata"));
        var counters = Counters(Succeed(harness.Run("llvm-profdata-22", "show", "--all-functions", "--counts", "merged.profdata")));
        using var document = JsonDocument.Parse(export);
        return [.. document.RootElement.GetProperty("data")[0].GetProperty("functions").EnumerateArray().Select(f => Function(f, counters))];
    }

    private static ReferenceFunction Function(JsonElement function, Dictionary<string, List<long>> counters)
    {
        var name = function.GetProperty("name").GetString()!;
        var regions = function.GetProperty("regions").EnumerateArray().Select(r => Region(r, isBranch: false))
            .Concat(function.GetProperty("branches").EnumerateArray().Select(r => Region(r, isBranch: true)));
        return new ReferenceFunction(name, [.. function.GetProperty("filenames").EnumerateArray().Select(f => f.GetString()!)], [.. regions], counters.GetValueOrDefault(name));
    }

    private static ReferenceRegion Region(JsonElement r, bool isBranch)
    {
        var next = isBranch ? 6 : 5;
        return new ReferenceRegion(r[0].GetInt32(), r[1].GetInt32(), r[2].GetInt32(), r[3].GetInt32(), r[4].GetInt64(), isBranch ? r[5].GetInt64() : 0,
            r[next].GetInt32(), r[next + 1].GetInt32(), isBranch ? 4 : r[next + 2].GetInt32());
    }

    private static Dictionary<string, List<long>> Counters(string text)
    {
        var counters = new Dictionary<string, List<long>>(StringComparer.Ordinal);
        List<long> current = [];
        foreach (var line in text.Split('\n'))
        {
            if (line.StartsWith("  ", StringComparison.Ordinal) && line[2] != ' ' && line.EndsWith(':')) counters[line.Trim()[..^1]] = current = [];
            else if (line.Contains("Function count: ")) current.Add(long.Parse(line[(line.LastIndexOf(' ') + 1)..]));
            else if (line.Contains("Block counts: ")) current.AddRange(line[(line.IndexOf('[') + 1)..line.IndexOf(']')].Split(", ", StringSplitOptions.RemoveEmptyEntries).Select(long.Parse));
        }
        return counters;
    }

    private static string Succeed(Outcome outcome)
    {
        Assert.True(outcome.ExitCode is 0 or 1, outcome.ToString());
        return outcome.Output;
    }
}
