using System.CommandLine;
using System.Globalization;
using Weft.Tracing;

namespace Weft.Cli.Commands.Tracing;

/// <summary><c>weft tracing functions</c>: what a trace knows of the functions in it, called or not.</summary>
internal static class FunctionsCommand
{
    public static Command Create()
    {
        var file = TraceFiles.Argument();
        var program = TraceFiles.Program();
        var formats = new TracingCommand.FormatOptions();
        var command = new Command("functions", "Print the functions that a trace describes: those called most first.") { file, program };
        formats.AddTo(command);
        command.SetAction(parsed =>
        {
            var format = formats.Of(parsed);
            TraceFiles.Read(parsed.GetValue(file), new FilterOptions(), filter =>
            {
                var rows = Rows(filter.Source);
                if (format == Format.Json) StandardOutput.Bytes(output => Tables.WriteDocument(output, "weft-tracing-functions", json => Tables.WriteJson(json, "functions", Columns(), rows)));
                else StandardOutput.Text(output => Write(output, format, rows));
                return rows.Count > 0;
            }, parsed.GetValue(program));
        });
        return command;
    }

    private static void Write(TextWriter output, Format format, List<(TraceFunction Function, long Calls)> rows)
    {
        if (format == Format.Csv) Tables.WriteCsv(output, Columns(), rows);
        else Tables.Write(output, Columns(), rows);
    }

    private static List<(TraceFunction Function, long Calls)> Rows(ITraceSource source)
    {
        var calls = new IdTable<long>();
        var undescribed = new HashSet<int>();
        foreach (var thread in source.Threads)
            foreach (var read in source.Read(thread))
                if (read.Kind == RawKind.Entry && ++calls[read.Id] == 1) undescribed.Add(read.Id);
        undescribed.ExceptWith(source.Functions.Select(f => f.Id));
        return [.. source.Functions.Concat(undescribed.Select(source.Function)).Select(f => (Function: f, Calls: calls[f.Id])).OrderByDescending(r => r.Calls).ThenBy(r => r.Function.Id)];
    }

    private static Column<(TraceFunction Function, long Calls)>[] Columns() =>
    [
        new("id", "id", r => $"{r.Function.Id}", r => r.Function.Id),
        new("calls", "calls", r => r.Calls.ToString("N0", CultureInfo.InvariantCulture), r => r.Calls),
        new("function", "function", r => r.Function.Name, r => r.Function.Name, IsText: true),
        new("", "symbol", r => "", r => r.Function.Symbol),
        new("source", "", r => r.Function.File.Length == 0 ? "" : r.Function.Line == 0 ? r.Function.File : $"{r.Function.File}:{r.Function.Line}", r => null, IsText: true),
        new("", "file", r => "", r => r.Function.File),
        new("", "line", r => "", r => r.Function.Line),
        new("module", "", r => Path.GetFileName(r.Function.Module?.Path ?? ""), r => null, IsText: true),
        new("", "module", r => "", r => r.Function.Module?.Path ?? ""),
    ];
}
