namespace Weft.Metering.Export;

/// <summary>
/// Callgrind's format (https://valgrind.org/docs/manual/cl-format.html), for callgrind_annotate and KCachegrind. As those add up the
/// calls of a function for its inclusive cost, a call within a call of the same function costs nothing here.
/// </summary>
public static class CallgrindReport
{
    private const string Unknown = "???", Outside = "(below main)";

    /// <summary>Calls of a function from a line.</summary>
    private record struct Arc(ulong Calls, ulong Total);

    public static void Write(TextWriter output, ReportView view, string creator)
    {
        var report = view.Report;
        output.Write($"# callgrind format\nversion: 1\ncreator: {creator}\npid: {report.Pid}\ncmd: {Printable(report.Program)}\n\npositions: line\nevents: Units\nsummary: {report.Total}\n");
        var lines = report.Lines.ToLookup(l => l.Function);
        var arcs = Arcs(view.Calls);
        foreach (var function in view.Functions)
        {
            var file = File(function);
            output.Write($"\nfl={file}\nfn={Printable(function.Name)}\n");
            WriteSelf(output, function, file, lines[function.Index]);
            WriteArcs(output, view, file, arcs.GetValueOrDefault(function.Index));
        }
        if (arcs.TryGetValue(CallForest.Unattributed, out var outermost))
        {
            output.Write($"\nfl={Unknown}\nfn={Outside}\n");
            WriteArcs(output, view, Unknown, outermost);
        }
        output.Write($"\ntotals: {report.Total}\n");
    }

    // Code that the front end inlined is in another file.
    private static void WriteSelf(TextWriter output, FunctionFigures function, string file, IEnumerable<MeteredLine> lines)
    {
        var rest = function.Self;
        foreach (var inFile in lines.GroupBy(l => l.File).OrderBy(g => g.Key, StringComparer.Ordinal))
        {
            var other = Printable(inFile.Key) is var name && name != file;
            if (other) output.Write($"fi={name}\n");
            foreach (var line in inFile.OrderBy(l => l.Line))
            {
                output.Write($"{line.Line} {line.Units}\n");
                rest -= Math.Min(line.Units, rest);
            }
            if (other) output.Write($"fe={file}\n");
        }
        if (rest > 0) output.Write($"{function.Of.Line} {rest}\n");
    }

    private static Dictionary<int, SortedDictionary<(int Line, int Callee), Arc>> Arcs(CallForest calls)
    {
        var arcs = new Dictionary<int, SortedDictionary<(int Line, int Callee), Arc>>();
        foreach (var context in calls.Contexts)
        {
            var caller = context.Parent < 0 ? CallForest.Unattributed : calls.Contexts[context.Parent].Function;
            if (!arcs.TryGetValue(caller, out var from)) arcs[caller] = from = [];
            var arc = from.GetValueOrDefault((context.Line, context.Function));
            from[(context.Line, context.Function)] = new(arc.Calls + context.Calls, arc.Total + (context.IsOutermost ? context.Total : 0));
        }
        DropOnlyCallers(arcs);
        return arcs;
    }

    // The inclusive cost of a function that nobody calls is its own and that of its calls: it needs no caller from outside.
    private static void DropOnlyCallers(Dictionary<int, SortedDictionary<(int Line, int Callee), Arc>> arcs)
    {
        if (!arcs.TryGetValue(CallForest.Unattributed, out var outermost)) return;
        var called = arcs.Where(a => a.Key != CallForest.Unattributed).SelectMany(a => a.Value.Keys).Select(k => k.Callee).ToHashSet();
        foreach (var key in outermost.Keys.Where(k => !called.Contains(k.Callee)).ToList()) outermost.Remove(key);
        if (outermost.Count == 0) arcs.Remove(CallForest.Unattributed);
    }

    private static void WriteArcs(TextWriter output, ReportView view, string own, SortedDictionary<(int Line, int Callee), Arc>? arcs)
    {
        foreach (var ((line, callee), arc) in arcs ?? [])
        {
            var (file, begins) = callee < 0 ? (Unknown, 0) : (File(view.Functions[callee]), view.Functions[callee].Of.Line);
            if (file != own) output.Write($"cfi={file}\n");
            output.Write($"cfn={Printable(view.Name(callee))}\ncalls={arc.Calls} {begins}\n{line} {arc.Total}\n");
        }
    }

    private static string File(FunctionFigures function) =>
        function.Of.File.Length > 0 ? Printable(function.Of.File) : function.Of.Module.Length > 0 ? Printable(function.Of.Module) : Unknown;

    private static string Printable(string text) => string.Concat(text.Select(c => char.IsControl(c) ? '?' : c));
}
