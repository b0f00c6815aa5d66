using System.Text;
using Weft.Coverage.Model;

namespace Weft.Coverage.Export;

/// <summary>
/// A comment for a pull request: totals, a table of files, and their missing lines folded away. GitHub takes 65,536 characters:
/// when there are more, files with the fewest missing lines are left out, and the comment says how many.
/// </summary>
public static class Markdown
{
    public const int MostCharacters = 65_536;

    private const int ForEnding = 200;

    private sealed record Entry(string Name, CoverageSummary Summary, string Missing, int MissingCount);

    public static void Write(Stream output, CoverageData data, IReadOnlyList<string> files, ExportOptions options)
    {
        using var writer = new StreamWriter(output, new UTF8Encoding(false), 1 << 16, leaveOpen: true);
        writer.Write(Render(data, files, options));
    }

    public static string Render(CoverageData data, IReadOnlyList<string> files, ExportOptions options)
    {
        var entries = files.AsParallel().AsOrdered().Select(f => Read(data, f, options)).Where(e => e.Summary.Functions.Count > 0).ToList();
        var total = entries.Aggregate(default(CoverageSummary), (sum, e) => sum + e.Summary);
        var text = new StringBuilder($"### Coverage: {Counts.Percent(total.Lines)} of lines\n\n`{Bar(total.Lines)}` {total.Lines.Covered:N0} of {total.Lines.Count:N0} lines\n\n");
        WriteTable(text, entries, total);
        if (!options.SummaryOnly) WriteMissing(text, entries);
        return text.ToString();
    }

    /// <summary>Twenty signs, for places that show no colour; full only if all ran.</summary>
    public static string Bar(Ratio ratio)
    {
        const int width = 20;
        var full = ratio.Count == 0 ? 0 : (int)(ratio.Covered * width / ratio.Count);
        return new string('#', full) + new string('.', width - full);
    }

    /// <summary>Text as it is, whatever it has of Markdown's signs.</summary>
    public static string Escape(string text) => string.Concat(SourcePaths.Printable(text).Select(c => "\\`*_{}[]<>|#~&".Contains(c) ? $"\\{c}" : $"{c}"));

    private static Entry Read(CoverageData data, string path, ExportOptions options)
    {
        var missing = MissingLines.Of(data.File(path));
        return new Entry(SourcePaths.Relative(options.Root, path), data.Summary(path), missing.ToString(), missing.Count);
    }

    private static void WriteTable(StringBuilder text, List<Entry> entries, CoverageSummary total)
    {
        var hasBranches = total.Branches.Count > 0;
        var rows = new Rows(text, MostCharacters * 2 / 3);
        text.Append("| File | Lines | Functions | Regions |").Append(hasBranches ? " Branches |\n" : "\n").Append("|:--|--:|--:|--:|").Append(hasBranches ? "--:|\n" : "\n");
        text.Append(Row("**Total**", total, hasBranches));
        rows.Add(entries, e => Row(Escape(e.Name), e.Summary, hasBranches), left => $"\n{left:N0} files with the fewest missing lines are not in this table.\n");
    }

    private static string Row(string name, CoverageSummary summary, bool hasBranches) =>
        $"| {name} | {Counts.Percent(summary.Lines)} | {Counts.Percent(summary.Functions)} | {Counts.Percent(summary.Regions)} |" + (hasBranches ? $" {Counts.Percent(summary.Branches)} |\n" : "\n");

    private static void WriteMissing(StringBuilder text, List<Entry> entries)
    {
        var incomplete = entries.Where(e => e.MissingCount > 0).ToList();
        if (incomplete.Count == 0) return;
        text.Append("\n<details><summary>Missing lines</summary>\n\n");
        new Rows(text, MostCharacters - ForEnding).Add(incomplete, e => $"- {Escape(e.Name)}: {e.Missing}\n", left => $"\n{left:N0} files with the fewest missing lines are left out: a comment has {MostCharacters:N0} characters at most.\n");
        text.Append("\n</details>\n");
    }

    /// <summary>As many as there is room for, those with the most missing lines, in the order they came.</summary>
    private readonly struct Rows(StringBuilder text, int most)
    {
        public void Add(List<Entry> entries, Func<Entry, string> render, Func<int, string> rest)
        {
            var room = most - text.Length - ForEnding;
            var chosen = new HashSet<Entry>(ReferenceEqualityComparer.Instance);
            foreach (var entry in entries.OrderByDescending(e => e.MissingCount))
            {
                room -= render(entry).Length;
                if (room < 0) break;
                chosen.Add(entry);
            }
            foreach (var entry in entries)
                if (chosen.Contains(entry)) text.Append(render(entry));
            if (chosen.Count < entries.Count) text.Append(rest(entries.Count - chosen.Count));
        }
    }
}
