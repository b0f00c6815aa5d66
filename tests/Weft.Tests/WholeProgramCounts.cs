using System.Text;
using System.Text.RegularExpressions;

namespace Weft.Tests;

/// <summary>What LLVM's tools say of a whole program that has run, as the front end built it or as Weft did.</summary>
internal sealed partial class WholeProgramCounts
{
    private WholeProgramCounts(IEnumerable<ReferenceFunction> functions, IEnumerable<string> hashes)
    {
        Functions = functions.GroupBy(Identity).ToDictionary(g => g.Key, g => g.Select(Counts).Order(StringComparer.Ordinal).SelectMany(c => c.Split(' ')).ToArray());
        Hashes = [.. hashes.Order(StringComparer.Ordinal)];
    }

    /// <summary>Of each function, known by its name and by where all of its regions and branches are, their counts; "true/false" for a branch.</summary>
    public IReadOnlyDictionary<string, string[]> Functions { get; }

    /// <summary>Name, hash and number of counters of each function that the profile has.</summary>
    public IReadOnlyList<string> Hashes { get; }

    /// <summary>Runs a program and reads its profile. What a load prints is part of what must be equal.</summary>
    public static (string Printed, WholeProgramCounts Counts) Of(Harness harness, string program, Func<string, string> load)
    {
        var profiles = Directory.CreateDirectory(harness.Path("profiles"));
        harness.Environment["LLVM_PROFILE_FILE"] = Path.Combine(profiles.FullName, "%p.profraw"); // Weft's runtime reads it too
        var printed = load(program);
        harness.Environment.Remove("LLVM_PROFILE_FILE");
        harness.Must("llvm-profdata-22", ["merge", "-failure-mode=any", .. profiles.GetFiles().Select(f => f.FullName), "-o", "whole.profdata"]);
        profiles.Delete(recursive: true);
        return (printed, new(Exported(harness, program), Shown(harness)));
    }

    private static IEnumerable<ReferenceFunction> Exported(Harness harness, string program)
    {
        var outcome = harness.Must("llvm-cov-22", "export", "-skip-expansions", program, "-instr-profile=whole.profdata");
        Assert.Empty(outcome.Errors); // "functions have mismatched data"
        var functions = CoverageReference.Parse(OwnFolder().Replace(outcome.Output, ""));
        var names = Demangled(harness, functions.Select(f => f.Name));
        return functions.Zip(names, (f, name) => f with { Name = name });
    }

    private static IEnumerable<string> Shown(Harness harness)
    {
        var shown = ShownFunction().Matches(harness.Must("llvm-profdata-22", "show", "--all-functions", "whole.profdata").Output);
        var names = Demangled(harness, shown.Select(m => m.Groups["name"].Value));
        return shown.Zip(names, (m, name) => $"{name} {m.Groups["hash"]} {m.Groups["counters"]}");
    }

    // Symbols of Rust hold a number for each crate that depends on flags; readable names do not.
    private static string[] Demangled(Harness harness, IEnumerable<string> names) =>
        harness.Run("llvm-cxxfilt-22", [], Encoding.UTF8.GetBytes(string.Join('\n', names) + "\n")).Output.TrimEnd('\n').Split('\n');

    /// <summary>The name of a function of <see cref="Functions"/>.</summary>
    public static string Name(string function) => function[..function.IndexOf('\n')];

    private static string Identity(ReferenceFunction function) =>
        $"{function.Name}\n{string.Join(' ', function.Files)} {string.Join(' ', function.Regions.Select(r => $"{r.Kind}@{r.File}:{r.Line}:{r.Column}-{r.EndLine}:{r.EndColumn}>{r.ExpandedFile}"))}";

    private static string Counts(ReferenceFunction function) => string.Join(' ', function.Regions.Select(r => r.Kind == 4 ? $"{r.Count}/{r.FalseCount}" : $"{r.Count}"));

    // Each build is in a folder of its own, and what cargo's build scripts write in one that has a number.
    [GeneratedRegex(@"(?<=/)counts-[a-z]+/(weft/[^/]+/)?|-[0-9a-f]{16}(?=/out/)", RegexOptions.ExplicitCapture)]
    private static partial Regex OwnFolder();

    [GeneratedRegex(@"^  (?<name>\S.*):\n    Hash: (?<hash>\w+)\n    Counters: (?<counters>\d+)", RegexOptions.Multiline | RegexOptions.ExplicitCapture)]
    private static partial Regex ShownFunction();
}
