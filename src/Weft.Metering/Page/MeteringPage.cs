using System.Globalization;
using System.IO.Compression;
using System.Text.Encodings.Web;
using System.Text.Json;
using Weft.Core;

namespace Weft.Metering.Page;

/// <summary>
/// A report as one HTML file that needs nothing beside it: functions, a flame graph of who called whom, and source lines. What comes
/// from the report is in the page only as compressed JSON, which its script shows as text and nothing else.
/// </summary>
public static class MeteringPage
{
    // In the order in which the one script of the page has them; they share a scope.
    private static readonly string[] Scripts = ["model.js", "page.js"];

    // What JavaScript's numbers can tell apart; larger ones are text.
    private const ulong MostExact = (1UL << 53) - 1;

    // Nobody sees more boxes, nor reads more lines.
    private const int MostStacks = 50_000, MostLines = 50_000;

    // Lines around one with units.
    private const int Around = 3;

    public static void Write(Stream output, ReportView view) =>
        new HtmlPage(typeof(MeteringPage).Assembly, Scripts).Write(output, new Dictionary<string, Action<Stream>> { ["data"] = data => WriteData(data, view) });

    private static void WriteData(Stream output, ReportView view)
    {
        using var text = new Base64Stream(output);
        using var packed = new DeflateStream(text, CompressionLevel.Optimal);
        // Base64 keeps all of it apart from HTML.
        using var json = new Utf8JsonWriter(packed, new JsonWriterOptions { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping, SkipValidation = true });
        json.WriteStartObject();
        WriteHead(json, view.Report);
        Array(json, "functions", view.Ranked, f => Row(json, f.Name, f.Of.Name, f.Of.Module, f.Of.File, f.Of.Line, f.Self, f.Inclusive, f.Calls));
        if (view.HasCalls) WriteStacks(json, view);
        Array(json, "files", Files(view.Report), file => WriteFile(json, file));
        json.WriteEndObject();
    }

    private static void WriteHead(Utf8JsonWriter json, MeteringReport report)
    {
        json.WriteString("program", HtmlPage.Printable(report.Program));
        json.WriteNumber("pid", report.Pid);
        json.WritePropertyName("total");
        Value(json, report.Total);
        if (report.Stopped is { } limit) Array(json, "stopped", [limit], l => Row(json, l.Scope, l.Units));
        Array(json, "threads", report.Threads.OrderByDescending(t => t.Units).Take(1000), t => Row(json, t.Index, t.Name, t.Units, t.Ended ? 1 : 0));
    }

    /// <summary>Parent (0: none) and name, calls, self of each stack; those that cost least are part of their callers.</summary>
    private static void WriteStacks(Utf8JsonWriter json, ReportView view)
    {
        var stacks = view.Stacks.Contexts;
        var least = stacks.Count <= MostStacks ? 0 : stacks.Select(s => s.Total).OrderDescending().ElementAt(MostStacks - 1) + 1;
        var places = new int[stacks.Count];
        var kept = new List<(int Parent, CallForest.Context Stack, ulong Self)>();
        foreach (var (i, stack) in stacks.Index())
        {
            var parent = stack.Parent < 0 ? 0 : places[stack.Parent];
            places[i] = stack.Total >= least ? kept.Count + 1 : parent;
            if (stack.Total >= least) kept.Add((parent, stack, stack.Self));
            else if (parent > 0) kept[parent - 1] = kept[parent - 1] with { Self = kept[parent - 1].Self + stack.Self };
        }
        Array(json, "stacks", kept, s => Row(json, s.Parent, view.Name(s.Stack.Function), s.Stack.Calls, s.Self));
    }

    private readonly record struct SourceFile(string Path, List<(int Line, ulong Units)> Lines);

    /// <summary>The files that cost most first, with the lines that do.</summary>
    private static IEnumerable<SourceFile> Files(MeteringReport report) =>
        report.Lines.GroupBy(l => (l.File, l.Line)).Select(g => (g.Key.File, g.Key.Line, Units: g.Aggregate(0ul, (sum, l) => sum + l.Units)))
            .OrderByDescending(l => l.Units).Take(MostLines).GroupBy(l => l.File)
            .OrderByDescending(g => g.Aggregate(0.0, (sum, l) => sum + l.Units)).Select(g => new SourceFile(g.Key, [.. g.OrderBy(l => l.Line).Select(l => (l.Line, l.Units))]));

    private static void WriteFile(Utf8JsonWriter json, SourceFile file)
    {
        var sources = new SourceLines();
        var units = file.Lines.ToDictionary(l => l.Line, l => l.Units);
        var shown = file.Lines.SelectMany(l => Enumerable.Range(Math.Max(l.Line - Around, 0), 2 * Around + 1)).Where(l => units.ContainsKey(l) || sources[file.Path, l] != null).Distinct().Order();
        json.WriteStartArray();
        json.WriteStringValue(HtmlPage.Printable(file.Path));
        json.WriteStartArray();
        foreach (var line in shown) Row(json, line, units.GetValueOrDefault(line), (sources[file.Path, line] ?? "").Replace('\t', ' '));
        json.WriteEndArray();
        json.WriteEndArray();
    }

    private static void Array<T>(Utf8JsonWriter json, string name, IEnumerable<T> items, Action<T> write)
    {
        json.WriteStartArray(name);
        foreach (var item in items) write(item);
        json.WriteEndArray();
    }

    private static void Row(Utf8JsonWriter json, params IEnumerable<object> cells)
    {
        json.WriteStartArray();
        foreach (var cell in cells) Value(json, cell);
        json.WriteEndArray();
    }

    private static void Value(Utf8JsonWriter json, object value)
    {
        if (value is int small) json.WriteNumberValue(small);
        else if (value is ulong and <= MostExact) json.WriteNumberValue((ulong)value);
        else json.WriteStringValue(HtmlPage.Printable(Convert.ToString(value, CultureInfo.InvariantCulture)!));
    }
}
