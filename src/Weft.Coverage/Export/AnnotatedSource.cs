using System.Globalization;
using Weft.Coverage.Model;
using Weft.Coverage.Sources;

namespace Weft.Coverage.Export;

/// <summary>
/// Source with counts beside it, as <c>llvm-cov show -show-line-counts-or-regions -show-branches=count</c> prints it: where regions
/// of a line ran more or less often than the line, a line below has their counts, <c>^0</c> for what did not run.
/// </summary>
public sealed class AnnotatedSource(CoverageData data, SourceTexts sources)
{
    private const string Divider = "  ------------------\n", Margin = "              "; // as wide as both columns

    /// <summary>Puts what did not run in colour.</summary>
    public bool Colour { get; init; }

    /// <summary>Also shows functions with several instantiations once for each.</summary>
    public bool Instantiations { get; init; }

    public void Write(TextWriter output, string path)
    {
        if (sources.Find(path) is not { } text)
        {
            output.Write("  the source is not there to be shown\n");
            return;
        }
        var groups = Instantiations ? data.Groups(path).Where(g => g.Functions.Count > 1).ToLookup(LastLine) : null;
        WriteLines(output, new View(data.File(path)), text, 1, text.LineCount, "", groups);
    }

    private void WriteLines(TextWriter output, View view, SourceText text, int first, int last, string prefix, ILookup<int, InstantiationGroup>? groups)
    {
        for (var line = first; line <= last; line++)
        {
            var count = view.Counts.TryGetValue(line, out var known) ? Counts.Short(known) : "";
            output.Write($"{prefix}{line,5}|{count,7}|");
            WriteText(output, view, text.Line(line), line);
            WriteMarks(output, view, line, prefix);
            WriteBranches(output, view, line, prefix);
            if (groups != null) foreach (var group in groups[line]) WriteInstantiations(output, group, text);
        }
    }

    private void WriteText(TextWriter output, View view, string text, int line)
    {
        var missed = Colour && view.Counts.TryGetValue(line, out var count) && count == 0;
        output.Write(missed && text.Length > 0 ? $"\u001b[31m{text}\u001b[0m\n" : text + "\n");
    }

    private void WriteMarks(TextWriter output, View view, int line, string prefix)
    {
        if (!view.Segments.TryGetValue(line, out var segments)) return;
        var most = view.MostOf(line);
        // What the last one says goes on in the next line.
        var marked = segments.SkipLast(1).Where(s => s is { IsRegionEntry: true, HasCount: true } && s.Count != most).ToList();
        if (marked.Count == 0) return;
        output.Write(prefix + Margin);
        var column = 1;
        foreach (var segment in marked)
        {
            if (segment.Column > column) output.Write(new string(' ', segment.Column - column));
            var mark = "^" + Counts.Short(segment.Count);
            output.Write(Colour && segment.Count == 0 ? $"\u001b[31m{mark}\u001b[0m" : mark);
            column = segment.Column + mark.Length;
        }
        output.Write('\n');
    }

    private static void WriteBranches(TextWriter output, View view, int line, string prefix)
    {
        if (!view.Branches.TryGetValue(line, out var branches)) return;
        output.Write(prefix + Divider);
        foreach (var branch in branches)
            output.Write($"{prefix}  |  Branch ({line}:{branch.StartColumn}): [{(branch.IsFolded ? "Folded - Ignored" : $"{Outcome("True", branch.Count, branch.IsNeverTrue)}, {Outcome("False", branch.FalseCount, branch.IsNeverFalse)}")}]\n");
        output.Write(prefix + Divider);
    }

    private static string Outcome(string name, ulong count, bool isNever) => isNever ? "Folded" : $"{name}: {Counts.Short(count)}";

    private void WriteInstantiations(TextWriter output, InstantiationGroup group, SourceText text)
    {
        foreach (var function in group.Functions)
        {
            output.Write($"{Divider}  | {data.Demangled(function)}:\n");
            if (function.Count == 0) output.Write("  | Unexecuted instantiation\n");
            else WriteLines(output, new View(FileBuilder.Build(function.Files[function.MainFile], [function])), text, group.Line, LastLine(group), "  |", null);
        }
        output.Write(Divider);
    }

    private static int LastLine(InstantiationGroup group) => group.Functions.Max(f => f.Regions.Where(r => r.File == f.MainFile).Max(r => r.EndLine));

    /// <summary>A file's coverage by line.</summary>
    private sealed class View(FileCoverage file)
    {
        public Dictionary<int, ulong> Counts { get; } = file.Lines.ToDictionary(l => l.Line, l => l.Count);

        public Dictionary<int, List<Segment>> Segments { get; } = file.Segments.GroupBy(s => s.Line).ToDictionary(g => g.Key, g => g.ToList());

        /// <summary>Those of one place, in several instantiations, are added up.</summary>
        public Dictionary<int, List<CountedRegion>> Branches { get; } = file.Branches
            .GroupBy(b => (b.Start, b.End, b.IsFolded)).Select(g => g.Aggregate((a, b) => a with { Count = a.Count + b.Count, FalseCount = a.FalseCount + b.FalseCount, IsNeverTrue = a.IsNeverTrue && b.IsNeverTrue, IsNeverFalse = a.IsNeverFalse && b.IsNeverFalse }))
            .GroupBy(b => b.StartLine).ToDictionary(g => g.Key, g => g.ToList());

        public ulong MostOf(int line) => Counts.GetValueOrDefault(line);
    }
}

/// <summary>Numbers as LLVM's reports print them.</summary>
public static class Counts
{
    /// <summary>Three digits and a unit: 1.23k, 45.6M.</summary>
    public static string Short(ulong count)
    {
        var digits = count.ToString(CultureInfo.InvariantCulture);
        if (digits.Length <= 3) return digits;
        var whole = digits.Length % 3 == 0 ? 3 : digits.Length % 3;
        return digits[..whole] + (whole == 3 ? "" : "." + digits[whole..3]) + " kMGTPEZY"[(digits.Length - 1) / 3];
    }

    /// <summary>With two digits; but 100.00% is all.</summary>
    public static string Percent(Ratio ratio)
    {
        if (ratio.Count == 0) return "-";
        var shown = ratio.Percent.ToString("0.00", CultureInfo.InvariantCulture);
        return (ratio.NotCovered > 0 && shown == "100.00" ? "99.99" : shown) + "%";
    }
}
