using System.Text.Json;
using Weft.Core;
using Weft.Metering.Costs;

namespace Weft.Metering;

/// <summary>What the runtime wrote when an instrumented program ended.</summary>
public sealed record MeteringReport(string Program, int Pid, ulong Total, ReachedLimit? Stopped, IReadOnlyList<MeteredThread> Threads, IReadOnlyList<MeteredFunction> Functions)
{
    internal const string Format = "weft-metering";
    internal const int Version = 2;
    private const string Unattributed = "(unattributed)";

    // The runtime writes no deeper ones; a stack is written with all of its callers.
    private const int Deepest = 1100;

    private const int LastLine = 1 << 28;

    /// <summary>What a unit is: a model's name, or "mixed" if the program's modules differ.</summary>
    public string Costs { get; private init; } = CostModel.CanonicalName;

    /// <summary>Units of lines that have any, as far as lines are known; empty unless the build told them apart.</summary>
    public IReadOnlyList<MeteredLine> Lines { get; private init; } = [];

    /// <summary>Who called whom, callers first; empty unless the build told calls apart.</summary>
    public IReadOnlyList<MeteredContext> Contexts { get; private init; } = [];

    internal bool HasFunctions => Functions.Any(f => f.Name != Unattributed);

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

    private static MeteringReport Read(JsonElement root, string path)
    {
        if (root.ValueKind != JsonValueKind.Object || !root.TryGetProperty("format", out var format) || format.ValueKind != JsonValueKind.String || format.GetString() != Format)
            throw new WeftException($"'{path}' is JSON, but not a metering report", "give the file that a program built with --with metering wrote");
        if (root.GetProperty("version").GetInt32() is var version && version != Version)
            throw new WeftException($"'{path}' is a metering report of version {version}; this Weft reads version {Version}", "use the Weft that the program was built with");
        var functions = root.GetProperty("functions").EnumerateArray().Select(ReadFunction).ToList();
        return new MeteringReport(
            Text(root, "program"), root.GetProperty("pid").GetInt32(), root.GetProperty("total").GetUInt64(),
            root.TryGetProperty("stopped", out var stopped) ? new ReachedLimit(Text(stopped, "scope"), stopped.GetProperty("limit").GetUInt64()) : null,
            [.. root.GetProperty("threads").EnumerateArray().Select(t => new MeteredThread(t.GetProperty("index").GetInt32(), Text(t, "name"), t.GetProperty("units").GetUInt64(), t.GetProperty("ended").GetBoolean()))],
            functions)
        {
            Costs = root.TryGetProperty("costs", out _) ? Text(root, "costs") : CostModel.CanonicalName,
            Lines = ReadLines(root, functions),
            Contexts = ReadContexts(root, functions.Count),
        };
    }

    private static MeteredFunction ReadFunction(JsonElement function) => new(Text(function, "name"), Text(function, "module"), function.GetProperty("units").GetUInt64())
    {
        File = function.TryGetProperty("file", out _) ? Text(function, "file") : "",
        Line = Number(function, "line", 0, LastLine),
    };

    // What a function did beside its lines is on the line that it begins on.
    private static List<MeteredLine> ReadLines(JsonElement root, List<MeteredFunction> functions)
    {
        if (!root.TryGetProperty("lines", out var array)) return [];
        var lines = array.EnumerateArray().Select(l => new MeteredLine(Number(l.GetProperty("function"), functions.Count - 1), Text(l, "file"), Number(l, "line", 0, LastLine), l.GetProperty("units").GetUInt64())).ToList();
        var rest = functions.Select(f => f.Units).ToArray();
        foreach (var line in lines) rest[line.Function] -= Math.Min(line.Units, rest[line.Function]);
        for (var i = 0; i < functions.Count; i++)
            if (rest[i] > 0 && functions[i].File.Length > 0) lines.Add(new(i, functions[i].File, functions[i].Line, rest[i]));
        return lines;
    }

    // Callers come first, so there are no circles.
    private static List<MeteredContext> ReadContexts(JsonElement root, int functions)
    {
        var contexts = new List<MeteredContext>();
        if (!root.TryGetProperty("contexts", out var array)) return contexts;
        foreach (var element in array.EnumerateArray())
        {
            var parent = Number(element, "parent", -1, contexts.Count - 1);
            var depth = parent < 0 ? 0 : contexts[parent].Depth + 1;
            if (depth > Deepest) throw new FormatException("contexts are too deep");
            contexts.Add(new(Number(element, "function", -1, functions - 1), parent, Number(element, "line", 0, LastLine), element.GetProperty("calls").GetUInt64(), element.GetProperty("units").GetUInt64(), depth));
        }
        return contexts;
    }

    private static int Number(JsonElement element, string name, int absent, int most) => element.TryGetProperty(name, out var value) ? Number(value, most) : absent;

    private static int Number(JsonElement value, int most) => value.GetInt32() is var number && number >= 0 && number <= most ? number : throw new FormatException("out of range");

    // A name may hold bytes that are not UTF-8 or half a surrogate pair: the report stays readable all the same.
    private static string Text(JsonElement element, string name)
    {
        var value = element.GetProperty(name);
        try { return value.GetString() ?? ""; }
        catch (InvalidOperationException) when (value.ValueKind == JsonValueKind.String) { return "(unreadable)"; }
    }
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
public sealed record MeteredFunction(string Name, string Module, ulong Units)
{
    /// <summary>Where it begins; empty if nobody knows.</summary>
    public string File { get; init; } = "";

    public int Line { get; init; }
}

/// <param name="Function">Its index.</param>
/// <param name="File">Where the line is: another file than the function's if code was inlined by the front end.</param>
/// <param name="Line">From 1; 0 if nobody knows.</param>
/// <param name="Units">Work that the function did there.</param>
public sealed record MeteredLine(int Function, string File, int Line, ulong Units);

/// <summary>A function called by the functions above it.</summary>
/// <param name="Function">Its index; less than 0 for all that is called below here, because there was no room to tell it apart.</param>
/// <param name="Parent">Index of the caller's context; less than 0 for the outermost.</param>
/// <param name="Line">Of the call, in the caller; 0 if nobody knows.</param>
/// <param name="Calls">How often it was called here.</param>
/// <param name="Units">Work done in it, without what it calls.</param>
/// <param name="Depth">0 for the outermost.</param>
public sealed record MeteredContext(int Function, int Parent, int Line, ulong Calls, ulong Units, int Depth);
