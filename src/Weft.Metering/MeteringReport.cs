using System.Globalization;
using System.Text;
using System.Text.Json;
using Weft.Core;
using Weft.Metering.Costs;

namespace Weft.Metering;

/// <summary>What the runtime wrote when an instrumented program ended.</summary>
public sealed record MeteringReport(string Program, int Pid, ulong Total, ReachedLimit? Stopped, IReadOnlyList<MeteredThread> Threads, IReadOnlyList<MeteredFunction> Functions)
{
    private const string Format = "weft-metering";
    private const int Version = 2;
    private const string Unattributed = "(unattributed)";
    private const string UsualCosts = CostModel.CanonicalName;

    /// <summary>What the units are: a model's name, "mixed" if the program's modules differ, null if nobody says.</summary>
    public string? Costs { get; init; }

    /// <exception cref="WeftException">No such file, cut short, or not a report.</exception>
    public static MeteringReport Read(string path)
    {
        if (!File.Exists(path))
            throw new WeftException($"there is no report '{path}'", "a program writes it when it ends: build it with --with metering and run it with WEFT_METERING_REPORT=FILE");
        try
        {
            using var document = JsonDocument.Parse(AtomicFile.Read(path));
            return Read(document.RootElement, path);
        }
        catch (JsonException e)
        {
            throw new WeftException($"'{path}' is not a whole metering report: it ends or breaks at line {e.LineNumber + 1}", "run the program again", ExitCode.Failure, e);
        }
        catch (Exception e) when (e is KeyNotFoundException or InvalidOperationException or FormatException)
        {
            throw new WeftException($"'{path}' is not a metering report: a field is missing or of another kind", "run the program again", ExitCode.Failure, e);
        }
    }

    public void WriteTable(TextWriter output, ReportOptions options, Func<string, string> demangle)
    {
        output.Write($"{Program} (process {Pid}): {Number(Total)} units\n");
        if (Costs is { } costs && costs != UsualCosts) output.Write($"costs: {Printable(costs)}\n");
        if (Stopped is { } limit) output.Write(limit.Scope == "program" ? "stopped by the program itself\n" : $"stopped: the {limit.Scope} reached its limit of {Number(limit.Units)} units\n");
        if (options.Threads)
            Table(output, "thread", Threads.OrderByDescending(t => t.Units).Select(t => (t.Units, $"{t.Index} {t.Name}{(t.Ended ? "" : " (running)")}")).ToList(), options.Top);
        if (options.Functions && !HasFunctions && Total > 0)
            output.Write("\nno functions: build with --metering-detail functions to tell them apart\n");
        else if (options.Functions)
            Table(output, "function", Functions.OrderByDescending(f => f.Units).ThenBy(f => f.Name, StringComparer.Ordinal).Select(f => (f.Units, Named(f, demangle))).ToList(), options.Top);
    }

    public void WriteCsv(TextWriter output, ReportOptions options, Func<string, string> demangle)
    {
        if (options.Functions)
        {
            output.Write("function,symbol,module,units\n");
            foreach (var function in Functions.OrderByDescending(f => f.Units).ThenBy(f => f.Name, StringComparer.Ordinal).Take(options.Top))
                output.Write(string.Join(',', new[] { demangle(function.Name), function.Name, function.Module, function.Units.ToString(CultureInfo.InvariantCulture) }.Select(Quote)) + "\n");
            return;
        }
        output.Write("thread,name,units,ended\n");
        foreach (var thread in Threads.OrderByDescending(t => t.Units).Take(options.Top))
            output.Write($"{thread.Index},{Quote(thread.Name)},{thread.Units},{(thread.Ended ? "true" : "false")}\n");
    }

    /// <summary>The report again, with names demangled and the most expensive first.</summary>
    public void WriteJson(Stream output, ReportOptions options, Func<string, string> demangle)
    {
        using var json = new Utf8JsonWriter(output, new JsonWriterOptions { Indented = true });
        json.WriteStartObject();
        json.WriteString("format", Format);
        json.WriteNumber("version", Version);
        json.WriteString("program", Program);
        json.WriteNumber("pid", Pid);
        if (Costs != null) json.WriteString("costs", Costs);
        json.WriteNumber("total", Total);
        if (Stopped is { } limit)
        {
            json.WriteStartObject("stopped");
            json.WriteString("scope", limit.Scope);
            json.WriteNumber("limit", limit.Units);
            json.WriteEndObject();
        }
        if (options.Threads)
        {
            json.WriteStartArray("threads");
            foreach (var thread in Threads.OrderByDescending(t => t.Units).Take(options.Top))
            {
                json.WriteStartObject();
                json.WriteNumber("index", thread.Index);
                json.WriteString("name", thread.Name);
                json.WriteNumber("units", thread.Units);
                json.WriteBoolean("ended", thread.Ended);
                json.WriteEndObject();
            }
            json.WriteEndArray();
        }
        if (options.Functions)
        {
            json.WriteStartArray("functions");
            foreach (var function in Functions.OrderByDescending(f => f.Units).ThenBy(f => f.Name, StringComparer.Ordinal).Take(options.Top))
            {
                json.WriteStartObject();
                json.WriteString("name", function.Name);
                json.WriteString("demangled", demangle(function.Name));
                json.WriteString("module", function.Module);
                json.WriteNumber("units", function.Units);
                json.WriteEndObject();
            }
            json.WriteEndArray();
        }
        json.WriteEndObject();
    }

    private bool HasFunctions => Functions.Any(f => f.Name != Unattributed);

    private static MeteringReport Read(JsonElement root, string path)
    {
        if (root.ValueKind != JsonValueKind.Object || !root.TryGetProperty("format", out var format) || format.ValueKind != JsonValueKind.String || format.GetString() != Format)
            throw new WeftException($"'{path}' is JSON, but not a metering report", "give the file that a program built with --with metering wrote");
        if (root.GetProperty("version").GetInt32() is var version && version != Version)
            throw new WeftException($"'{path}' is a metering report of version {version}; this Weft reads version {Version}", "use the Weft that the program was built with");
        return new MeteringReport(
            Text(root, "program"), root.GetProperty("pid").GetInt32(), root.GetProperty("total").GetUInt64(),
            root.TryGetProperty("stopped", out var stopped) ? new ReachedLimit(Text(stopped, "scope"), stopped.GetProperty("limit").GetUInt64()) : null,
            [.. root.GetProperty("threads").EnumerateArray().Select(t => new MeteredThread(t.GetProperty("index").GetInt32(), Text(t, "name"), t.GetProperty("units").GetUInt64(), t.GetProperty("ended").GetBoolean()))],
            [.. root.GetProperty("functions").EnumerateArray().Select(f => new MeteredFunction(Text(f, "name"), Text(f, "module"), f.GetProperty("units").GetUInt64()))])
        {
            Costs = root.TryGetProperty("costs", out _) ? Text(root, "costs") : null,
        };
    }

    // A name may hold bytes that are not UTF-8 or half a surrogate pair: the report stays readable all the same.
    private static string Text(JsonElement element, string name)
    {
        var value = element.GetProperty(name);
        try { return value.GetString() ?? ""; }
        catch (InvalidOperationException) when (value.ValueKind == JsonValueKind.String) { return "(unreadable)"; }
    }

    private void Table(TextWriter output, string title, List<(ulong Units, string Name)> rows, int top)
    {
        if (rows.Count == 0) return;
        var width = Math.Max("units".Length, rows.Max(r => Number(r.Units).Length));
        output.Write($"\n  {"units".PadLeft(width)}   share  {title}\n");
        foreach (var (units, name) in rows.Take(top)) output.Write($"  {Number(units).PadLeft(width)}  {Share(units)}  {name}\n");
        if (rows.Count <= top) return;
        var rest = rows.Skip(top).Aggregate(0UL, (sum, r) => sum + r.Units);
        output.Write($"  {Number(rest).PadLeft(width)}  {Share(rest)}  ({rows.Count - top} more)\n");
    }

    private string Share(ulong units) => $"{(Total == 0 ? 0 : 100.0 * units / Total).ToString("F1", CultureInfo.InvariantCulture),5}%";

    private static string Named(MeteredFunction function, Func<string, string> demangle) =>
        Printable(function.Module.Length > 0 ? $"{demangle(function.Name)}  [{function.Module}]" : demangle(function.Name));

    private static string Printable(string text) => string.Concat(text.Select(c => char.IsControl(c) ? '?' : c));

    private static string Number(ulong number) => number.ToString("N0", CultureInfo.InvariantCulture);

    private static string Quote(string text) => text.AsSpan().IndexOfAny(",\"\r\n") < 0 ? text : new StringBuilder("\"").Append(text.Replace("\"", "\"\"")).Append('"').ToString();
}

/// <param name="Scope">"process", "thread", or "program" if it stopped itself.</param>
/// <param name="Units">The limit.</param>
public sealed record ReachedLimit(string Scope, ulong Units);

/// <param name="Index">In order of first appearance.</param>
/// <param name="Name">As the kernel has it.</param>
/// <param name="Units">Work done on it.</param>
/// <param name="Ended">False: the thread was running when the report was written.</param>
public sealed record MeteredThread(int Index, string Name, ulong Units, bool Ended);

/// <param name="Name">The symbol, mangled.</param>
/// <param name="Module">The source file of its module.</param>
/// <param name="Units">Work done in it, without what it calls.</param>
public sealed record MeteredFunction(string Name, string Module, ulong Units);

/// <summary>Which parts of a report are wanted, and how many lines of each.</summary>
public sealed record ReportOptions(bool Threads, bool Functions, int Top);
