using System.Text.Json;

namespace Weft.Tests;

/// <summary>A region as <c>llvm-cov export</c> prints it; kind 4 is a branch.</summary>
internal sealed record ReferenceRegion(int Line, int Column, int EndLine, int EndColumn, long Count, long FalseCount, int File, int ExpandedFile, int Kind);

/// <summary>A function of a coverage map with its counts.</summary>
internal sealed record ReferenceFunction(string Name, IReadOnlyList<string> Files, IReadOnlyList<ReferenceRegion> Regions);

/// <summary>What LLVM's tools say of a program that has run: of the front end's own coverage, or of Weft's.</summary>
internal static class CoverageReference
{
    /// <summary>Runs a program that the front end built for coverage.</summary>
    public static List<ReferenceFunction> OfFrontEnd(Harness harness, string program)
    {
        harness.Environment["LLVM_PROFILE_FILE"] = harness.Path("theirs.profraw");
        Run(harness, program);
        harness.Environment.Remove("LLVM_PROFILE_FILE");
        return Read(harness, program, [harness.Path("theirs.profraw")]);
    }

    /// <summary>Runs a program that Weft built for coverage.</summary>
    public static List<ReferenceFunction> OfWeft(Harness harness, string program)
    {
        var profiles = harness.Path("weft-out");
        if (Directory.Exists(profiles)) Directory.Delete(profiles, recursive: true);
        harness.Environment["WEFT_OUT"] = profiles;
        Run(harness, program);
        harness.Environment.Remove("WEFT_OUT");
        return Read(harness, program, Directory.GetFiles(profiles, "*", SearchOption.AllDirectories));
    }

    private static void Run(Harness harness, string program)
    {
        var outcome = harness.Run(program);
        Assert.True(outcome.ExitCode is 0 or 1, outcome.ToString());
    }

    private static List<ReferenceFunction> Read(Harness harness, string program, string[] profiles)
    {
        harness.Must("llvm-profdata-22", ["merge", "-failure-mode=any", .. profiles, "-o", "merged.profdata"]);
        return Parse(harness.Must("llvm-cov-22", "export", program, "-instr-profile=merged.profdata").Output);
    }

    /// <summary>Of what <c>llvm-cov export</c> or <c>weft coverage export --format json</c> wrote.</summary>
    public static List<ReferenceFunction> Parse(string json)
    {
        using var document = JsonDocument.Parse(json);
        return [.. document.RootElement.GetProperty("data")[0].GetProperty("functions").EnumerateArray().Select(Function)];
    }

    private static ReferenceFunction Function(JsonElement function)
    {
        var name = function.GetProperty("name").GetString()!;
        var regions = function.GetProperty("regions").EnumerateArray().Select(r => Region(r, isBranch: false))
            .Concat(function.GetProperty("branches").EnumerateArray().Select(r => Region(r, isBranch: true)));
        return new ReferenceFunction(name, [.. function.GetProperty("filenames").EnumerateArray().Select(f => f.GetString()!)], [.. regions]);
    }

    private static ReferenceRegion Region(JsonElement r, bool isBranch)
    {
        var next = isBranch ? 6 : 5;
        return new ReferenceRegion(r[0].GetInt32(), r[1].GetInt32(), r[2].GetInt32(), r[3].GetInt32(), r[4].GetInt64(), isBranch ? r[5].GetInt64() : 0,
            r[next].GetInt32(), r[next + 1].GetInt32(), isBranch ? 4 : r[next + 2].GetInt32());
    }
}
