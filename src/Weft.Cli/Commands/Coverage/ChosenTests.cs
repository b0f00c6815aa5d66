using System.Text.Json;
using Weft.Cli.Commands.Tracing;
using Weft.Core;
using Weft.Coverage.PerTest;

namespace Weft.Cli.Commands.Coverage;

/// <summary>Tests that are the answer to a question, and ways to write them.</summary>
/// <param name="Reach">Who reaches what.</param>
/// <param name="Tests">Indexes.</param>
/// <param name="Question">What they reach; empty if nobody asked for anything in particular.</param>
/// <param name="Name">A path as it is to be shown.</param>
internal sealed record ChosenTests(TestReach Reach, IReadOnlyList<int> Tests, string Question, Func<string, string> Name)
{
    private const int MostReasons = 3;

    /// <summary>If the question was a patch.</summary>
    public PatchNeeds? Needs { get; init; }

    /// <summary>What is to be said on stderr.</summary>
    public IReadOnlyList<string> Remarks { get; init; } = [];

    /// <summary>Which files count for sums.</summary>
    public Predicate<string> IsWanted { get; init; } = _ => true;

    public void WriteText(TextWriter output)
    {
        var total = Reach.Map.Tests.Count;
        if (Needs != null) WritePatch(output, total);
        else if (Question.Length > 0) WriteList(output, $"{Tests.Count} of {total} tests {(Tests.Count == 1 ? "reaches" : "reach")} {Question}");
        else Tables.Write(output, Columns(), Rows());
    }

    /// <summary>A line for each test.</summary>
    public void WriteNames(TextWriter output)
    {
        foreach (var test in Tests) output.Write(Reach.Map.Tests[test].Name + "\n");
    }

    /// <summary>Commands that run these tests, and perhaps others of the same name; nothing if there are none.</summary>
    public void WriteCargo(TextWriter output)
    {
        var chosen = Tests.Select(t => Reach.Map.Tests[t]).ToList();
        var names = chosen.Where(t => t.Kind == TestKind.Single).Select(t => t.Name).Distinct().ToList();
        var added = Needs?.NewTests ?? [];
        // What is not known exactly is looked for by a part of its name, and with it all others.
        var exact = added.Count > 0 ? "" : " --exact";
        if (names.Count + added.Count > 0) output.Write($"cargo test --tests -- {string.Join(' ', names.Concat(added).Select(Terminal.ShellQuote))}{exact}\n");
        foreach (var program in chosen.Where(t => t.Kind == TestKind.Program).Select(t => t.ProgramLabel).Distinct()) output.Write($"cargo test --test {Terminal.ShellQuote(program)}\n");
        if (chosen.Exists(t => t.Kind == TestKind.Documentation)) output.Write("cargo test --doc\n");
        var commands = chosen.Where(t => t.Kind == TestKind.Command).Select(t => t.Name).ToList();
        if (commands.Count > 0) Terminal.Warning($"not of cargo, and left out: {string.Join(", ", commands)}");
    }

    public void WriteJson(Utf8JsonWriter json)
    {
        Tables.WriteJson(json, "tests", Columns(), Rows());
        if (Needs == null) return;
        json.WriteStartArray("newTests");
        foreach (var name in Needs.NewTests) json.WriteStringValue(name);
        json.WriteEndArray();
        json.WriteStartArray("untested");
        foreach (var place in Needs.Untested) json.WriteStringValue(place);
        json.WriteEndArray();
        json.WriteStartArray("remarks");
        foreach (var remark in Remarks) json.WriteStringValue(remark);
        json.WriteEndArray();
    }

    private void WritePatch(TextWriter output, int total)
    {
        WriteList(output, $"The change needs {Tests.Count} of {total} tests");
        if (Needs!.Untested.Count > 0) output.Write($"\nNo test reaches {string.Join(", ", Needs.Untested)}.\n");
    }

    private void WriteList(TextWriter output, string title)
    {
        output.Write(title + (Tests.Count > 0 ? ":\n" : ".\n"));
        foreach (var test in Tests) output.Write($"  {Reach.Map.Tests[test].ProgramLabel} {Reach.Map.Tests[test].Name}{Why(test)}\n".Replace("   ", "  "));
    }

    private string Why(int test)
    {
        if (Needs == null) return "";
        var reasons = Needs.Reasons[test];
        return $"  ({string.Join("; ", reasons.Take(MostReasons))}{(reasons.Count > MostReasons ? $"; {reasons.Count - MostReasons} more" : "")})";
    }

    private static List<Column<Row>> Columns() =>
    [
        new("Program", "program", r => r.Test.ProgramLabel, r => r.Test.Program, IsText: true),
        new("Test", "name", r => r.Test.Name + (r.Test.Passed ? "" : " (failed)"), r => r.Test.Name, IsText: true),
        new("", "kind", _ => "", r => r.Test.Kind.ToString().ToLowerInvariant()),
        new("", "result", _ => "", r => r.Test.Passed ? "passed" : "failed"),
        new("", "why", _ => "", r => r.Why),
        new("Functions", "functions", r => $"{r.Functions}", r => r.Functions),
        new("Lines", "lines", r => $"{r.Lines}", r => r.Lines),
        new("Only it", "onlyLines", r => $"{r.OnlyLines}", r => r.OnlyLines),
    ];

    /// <summary>With what each reaches of the code under test, and what no other test of all reaches.</summary>
    private List<Row> Rows()
    {
        var everyone = new Dictionary<(string, int), int>();
        var reached = Enumerable.Range(0, Reach.Map.Tests.Count).AsParallel().AsOrdered().Select(LinesOf).ToList();
        foreach (var lines in reached)
            foreach (var line in lines) everyone[line] = everyone.GetValueOrDefault(line) + 1;
        return [.. Tests.Select(t => new Row(Reach.Map.Tests[t], FunctionsOf(t), reached[t].Count, reached[t].Count(l => everyone[l] == 1), Needs == null ? null : string.Join("; ", Needs.Reasons[t])))];
    }

    private List<(string Path, int Line)> LinesOf(int test) =>
        [.. Reach.SourcesOf(test).Where(s => IsWanted(s.Path)).SelectMany(s => Reach.Lines(test, s, withTests: false).Select(l => (s.Path, l))).Distinct()];

    private int FunctionsOf(int test) => Reach.Map.Tests[test].Reached
        .Where(r => !Reach.IsTestCode[r.Function] && Reach.Reaches(test, r.Function))
        .Select(r => Reach.Map.Functions[r.Function].Shape)
        .Where(f => f.MainFile >= 0 && IsWanted(f.Files[f.MainFile]))
        .Select(f => (f.Files[f.MainFile], f.Regions.First(r => r.File == f.MainFile).Start)).Distinct().Count();

    private sealed record Row(Test Test, int Functions, int Lines, int OnlyLines, string? Why);
}
