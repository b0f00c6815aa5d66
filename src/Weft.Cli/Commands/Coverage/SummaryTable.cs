using Weft.Cli.Commands.Tracing;
using Weft.Coverage.Export;
using Weft.Coverage.Model;

namespace Weft.Cli.Commands.Coverage;

/// <summary>The table of <c>weft coverage report</c>: the columns of llvm-cov report, without those that there is nothing for.</summary>
internal sealed class SummaryTable
{
    private const string Reset = "\u001b[0m";

    private static readonly (string Title, Func<CoverageSummary, Ratio> Value, bool IsOptional)[] Columns =
    [
        ("Regions", s => s.Regions, false),
        ("Functions", s => s.Functions, false),
        ("Lines", s => s.Lines, false),
        ("Branches", s => s.Branches, true),
        ("MC/DC", s => s.Mcdc, true),
    ];

    /// <summary>What rows can be sorted by, beside their names.</summary>
    public static IReadOnlyDictionary<string, Func<CoverageSummary, Ratio>> Keys { get; } = Columns.ToDictionary(c => c.Title.ToLowerInvariant().Replace("/", ""), c => c.Value);

    private readonly List<(string Name, CoverageSummary Summary)> rows;
    private readonly List<string> withoutFunctions;
    private readonly (string Title, Func<CoverageSummary, Ratio> Value, bool IsOptional)[] columns;

    /// <param name="input">What ran.</param>
    /// <param name="sort">One of <see cref="Keys"/>, most missing first; null for names.</param>
    public SummaryTable(CoverageInput input, string? sort)
    {
        var all = input.Files.AsParallel().AsOrdered().Select(f => (Name: input.Name(f), Summary: input.Data.Summary(f))).ToList();
        rows = all.Where(r => r.Summary.Functions.Count > 0).ToList();
        if (sort != null) rows = [.. rows.OrderByDescending(r => Keys[sort](r.Summary).NotCovered)];
        withoutFunctions = all.Where(r => r.Summary.Functions.Count == 0).Select(r => r.Name).ToList();
        Total = rows.Aggregate(default(CoverageSummary), (sum, r) => sum + r.Summary);
        columns = Array.FindAll(Columns, c => !c.IsOptional || c.Value(Total).Count > 0);
    }

    public CoverageSummary Total { get; }

    /// <summary>Files that have functions, and their sums.</summary>
    public IReadOnlyList<(string Name, CoverageSummary Summary)> Rows => rows;

    public void Write(TextWriter output)
    {
        var lines = rows.Append(("TOTAL", Total)).Select(r => Cells(r.Item1, r.Item2)).ToList();
        string[] titles = ["Filename", .. columns.SelectMany(c => (string[])[c.Title, "Missed", "Cover"])];
        var widths = titles.Select((title, i) => lines.Max(l => Math.Max(title.Length, l[i].Length))).ToArray();
        var rule = new string('-', widths.Sum() + 2 * (widths.Length - 1));
        WriteLine(output, titles, widths, null);
        output.Write(rule + "\n");
        for (var i = 0; i < rows.Count; i++) WriteLine(output, lines[i], widths, rows[i].Summary);
        output.Write(rule + "\n");
        WriteLine(output, lines[^1], widths, Total);
        if (withoutFunctions.Count > 0) output.Write($"\nFiles which contain no functions:\n{string.Concat(withoutFunctions.Select(f => f + "\n"))}");
    }

    private string[] Cells(string name, CoverageSummary summary) =>
        [name, .. columns.SelectMany(c => (string[])[$"{c.Value(summary).Count}", $"{c.Value(summary).NotCovered}", Counts.Percent(c.Value(summary))])];

    private void WriteLine(TextWriter output, string[] cells, int[] widths, CoverageSummary? summary)
    {
        output.Write(cells[0].PadRight(widths[0]));
        for (var i = 1; i < cells.Length; i++)
        {
            var isPercent = i % 3 == 0;
            output.Write("  " + Paint(cells[i].PadLeft(widths[i]), isPercent && summary is { } s ? columns[i / 3 - 1].Value(s) : null));
        }
        output.Write('\n');
    }

    /// <summary>Green if all ran, yellow from 80 % on, else red: as llvm-cov has it.</summary>
    private static string Paint(string cell, Ratio? ratio) => !StandardOutput.Colour || ratio is not { Count: > 0 } r
        ? cell
        : (r.NotCovered == 0 ? "\u001b[32m" : r.Percent >= 80 ? "\u001b[33m" : "\u001b[31m") + cell + Reset;
}
