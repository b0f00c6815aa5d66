using System.Globalization;
using Weft.Metering.Costs;

namespace Weft.Metering.Export;

/// <summary>A report as tables.</summary>
public static class TextReport
{
    public static void Write(TextWriter output, ReportView view, ReportOptions options)
    {
        var report = view.Report;
        output.Write($"{Printable(report.Program)} (process {report.Pid}): {Number(report.Total)} units\n");
        if (report.Costs != CostModel.CanonicalName) output.Write($"costs: {Printable(report.Costs)}\n");
        if (report.Stopped is { } limit) output.Write(limit.Scope == "program" ? "stopped by the program itself\n" : $"stopped: the {limit.Scope} reached its limit of {Number(limit.Units)} units\n");
        if (options.Threads) WriteThreads(output, report, options.Top);
        if (options.Functions) WriteFunctions(output, view, options.Top);
        if (options.Lines) WriteLines(output, view, options.Top);
    }

    private static void WriteThreads(TextWriter output, MeteringReport report, int top) =>
        Table(output, report.Total, "thread", [], report.Threads.OrderByDescending(t => t.Units).Select(t => new Row(t.Units, $"{t.Index} {Printable(t.Name)}{(t.Ended ? "" : " (running)")}")).ToList(), top);

    private static void WriteFunctions(TextWriter output, ReportView view, int top)
    {
        if (!view.Report.HasFunctions && view.Report.Total > 0) output.Write("\nno functions: build with --metering-detail functions to tell them apart\n");
        else Table(output, view.Report.Total, "function", view.HasCalls ? ["inclusive", "calls"] : [], view.Ranked.Select(f => new Row(f.Self, Named(f), view.HasCalls ? [f.Inclusive, f.Calls] : [])).ToList(), top);
    }

    private static void WriteLines(TextWriter output, ReportView view, int top)
    {
        var sources = new SourceLines();
        var rows = view.RankedLines.Select(l => new Row(l.Units, "", Place: l)).ToList();
        if (rows.Count == 0) output.Write("\nno lines: build with --metering-detail lines to tell them apart, and with -g what is compiled elsewhere\n");
        foreach (ref var row in System.Runtime.InteropServices.CollectionsMarshal.AsSpan(rows)[..Math.Min(top, rows.Count)])
            row = row with { Name = Printable($"{row.Place.File}:{row.Place.Line}  {sources[row.Place.File, row.Place.Line]?.Trim()}").TrimEnd() };
        Table(output, view.Report.Total, "line", [], rows, top);
    }

    private readonly record struct Row(ulong Units, string Name, IReadOnlyList<ulong>? More = null, (string File, int Line, ulong Units) Place = default);

    private static void Table(TextWriter output, ulong total, string title, IReadOnlyList<string> more, List<Row> rows, int top)
    {
        if (rows.Count == 0) return;
        var width = Width("units", rows, r => r.Units);
        var widths = more.Select((name, i) => Width(name, rows, r => r.More![i])).ToArray();
        output.Write($"\n  {"units".PadLeft(width)}   share  {string.Concat(more.Select((name, i) => name.PadLeft(widths[i]) + "  "))}{title}\n");
        foreach (var row in rows.Take(top)) output.Write($"  {Number(row.Units).PadLeft(width)}  {Share(row.Units, total)}  {string.Concat(widths.Select((w, i) => Number(row.More![i]).PadLeft(w) + "  "))}{row.Name}\n");
        if (rows.Count <= top) return;
        var rest = rows.Skip(top).Aggregate(0UL, (sum, r) => sum + r.Units);
        output.Write($"  {Number(rest).PadLeft(width)}  {Share(rest, total)}  {string.Concat(widths.Select(w => new string(' ', w + 2)))}({rows.Count - top} more)\n");
    }

    private static int Width(string title, List<Row> rows, Func<Row, ulong> of) => Math.Max(title.Length, rows.Max(r => Number(of(r)).Length));

    private static string Share(ulong units, ulong total) => $"{(total == 0 ? 0 : 100.0 * units / total).ToString("F1", CultureInfo.InvariantCulture),5}%";

    private static string Named(FunctionFigures function) => Printable(function.Of.Module.Length > 0 ? $"{function.Name}  [{function.Of.Module}]" : function.Name);

    private static string Printable(string text) => string.Concat(text.Select(c => char.IsControl(c) ? '?' : c));

    private static string Number(ulong number) => number.ToString("N0", CultureInfo.InvariantCulture);
}
