using System.Globalization;
using System.Text.Json;
using Weft.Cli.Commands.Tracing;
using Weft.Hotpatch.Check;

namespace Weft.Cli.Commands.Hotpatch;

/// <summary>What <c>weft hotpatch check</c> prints.</summary>
/// <param name="paths">What was checked.</param>
/// <param name="all">Print functions that are replaceable, too.</param>
/// <param name="top">How many rows of a table.</param>
internal sealed class CheckReport(List<CheckedPath> paths, bool all, int top)
{
    private sealed record Row(CheckedFunction Function, Violation? Violation);

    private static readonly Condition[] Conditions = [Condition.Instruction, Condition.Branch, Condition.Room];

    public void WriteText(TextWriter output)
    {
        var rows = Functions().SelectMany(f => f.Verdict.Violations.Select(violation => new Row(f, violation)).DefaultIfEmpty(new Row(f, null))).ToList();
        if (rows.Count > 0)
        {
            Tables.Write(output, Columns(), [.. rows.Take(top)]);
            if (rows.Count > top) output.Write($"... and {Number(rows.Count - top)} more; --top {rows.Count} prints them\n");
            output.Write('\n');
        }
        foreach (var path in paths) output.Write(Summary(path) + "\n");
    }

    public void WriteJson(Stream output) => Tables.WriteDocument(output, "weft-hotpatch-check", json =>
    {
        json.WriteStartArray("files");
        foreach (var path in paths)
            foreach (var file in path.Files) WriteFile(json, file, [.. path.Functions.Where(f => f.File == file)]);
        json.WriteEndArray();
        json.WriteStartArray("functions");
        foreach (var function in Functions()) WriteFunction(json, function);
        json.WriteEndArray();
    });

    private IEnumerable<CheckedFunction> Functions() => paths.SelectMany(p => p.Functions).Where(f => all || f.Verdict.Violations.Count > 0);

    private Column<Row>[] Columns() =>
    [
        new("address", "", r => r.Function.Place, r => null, IsText: true),
        new("room", "", r => Number(r.Function.Verdict.Room), r => null),
        new("condition", "", r => r.Violation == null ? "" : Name(r.Violation.Condition), r => null, IsText: true),
        new(all ? "why, or first instruction" : "why", "", r => r.Violation?.Why ?? r.Function.Verdict.Instruction, r => null, IsText: true),
        new("function", "", r => r.Function.Name, r => null, IsText: true),
        .. paths.Count > 1 || paths[0].Files.Count > 1 ? [new Column<Row>("file", "", r => r.Function.File.Name, r => null, IsText: true)] : Array.Empty<Column<Row>>(),
    ];

    private static string Summary(CheckedPath path)
    {
        var functions = path.Functions;
        if (functions.Count == 0) return $"{path.Path}: no functions";
        var room = $"the smallest room is {Number(functions.Min(f => f.Verdict.Room))} bytes";
        var fails = functions.Count(f => f.Verdict.Violations.Count > 0);
        if (fails == 0) return $"{path.Path}: {Number(functions.Count)} functions, all replaceable; {room}";
        var reasons = Conditions.Select(c => (c, Count: Failing(functions, c))).Where(c => c.Count > 0).Select(c => $"{Number(c.Count)} for {Name(c.c)}");
        return $"{path.Path}: {Number(functions.Count)} functions, {Number(functions.Count - fails)} replaceable, {Number(fails)} not: {string.Join(", ", reasons)}; {room}";
    }

    private static int Failing(List<CheckedFunction> functions, Condition condition) => functions.Count(f => f.Verdict.Violations.Any(x => x.Condition == condition));

    private static string Name(Condition condition) => condition switch
    {
        Condition.Instruction => "instruction",
        Condition.Branch => "branch",
        _ => "room",
    };

    private static string Number(int number) => number.ToString("N0", CultureInfo.InvariantCulture);

    private static void WriteFile(Utf8JsonWriter json, CheckedFile file, List<CheckedFunction> functions)
    {
        json.WriteStartObject();
        json.WriteString("file", file.Name);
        json.WriteString("processor", file.Code.Processor == Processor.X86 ? "x86_64" : "aarch64");
        if (file.Code.IsMarked is { } marked) json.WriteBoolean("marked", marked);
        json.WriteNumber("functions", functions.Count);
        json.WriteNumber("replaceable", functions.Count(f => f.Verdict.Violations.Count == 0));
        foreach (var condition in Conditions) json.WriteNumber($"failing_{Name(condition)}", Failing(functions, condition));
        if (functions.Count > 0) json.WriteNumber("smallest_room", functions.Min(f => f.Verdict.Room));
        json.WriteEndObject();
    }

    private static void WriteFunction(Utf8JsonWriter json, CheckedFunction function)
    {
        var verdict = function.Verdict;
        json.WriteStartObject();
        json.WriteString("file", function.File.Name);
        json.WriteString("function", function.Name);
        json.WriteString("symbol", verdict.Function.Symbol);
        json.WriteString("section", verdict.Function.Section.Name);
        json.WriteNumber("address", verdict.Function.Address);
        json.WriteNumber("size", verdict.Function.Size);
        json.WriteNumber("patch_point", verdict.Function.Address + (ulong)verdict.PatchPoint);
        json.WriteString("instruction", verdict.Instruction);
        json.WriteNumber("room", verdict.Room);
        json.WriteBoolean("woven", verdict.IsWoven);
        json.WriteBoolean("calls_itself", verdict.CallsItself);
        json.WriteBoolean("replaceable", verdict.Violations.Count == 0);
        json.WriteStartArray("violations");
        foreach (var violation in verdict.Violations)
        {
            json.WriteStartObject();
            json.WriteString("condition", Name(violation.Condition));
            json.WriteString("why", violation.Why);
            json.WriteEndObject();
        }
        json.WriteEndArray();
        json.WriteEndObject();
    }
}
