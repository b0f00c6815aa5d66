using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using Weft.Tracing;

namespace Weft.Cli.Commands.Tracing;

/// <summary><c>weft tracing report</c>: what all calls of each function, or thread, come to.</summary>
internal static class ReportCommand
{
    private static readonly Dictionary<string, Func<FunctionStatistics, long>> Keys = new()
    {
        ["total"] = f => f.Total,
        ["self"] = f => f.Self,
        ["calls"] = f => f.Calls,
        ["min"] = f => f.Whole == 0 ? 0 : f.Min,
        ["avg"] = f => f.Average,
        ["p50"] = f => f.Percentile(0.5),
        ["p90"] = f => f.Percentile(0.9),
        ["p99"] = f => f.Percentile(0.99),
        ["max"] = f => f.Max,
    };

    public static Command Create()
    {
        var file = TraceFiles.Argument();
        var sort = new Option<string?>("--sort", "-s") { HelpName = "KEY", Description = $"Largest first by {string.Join(", ", Keys.Keys)}; or by name [default: total]" };
        var top = new Option<int?>("--top") { HelpName = "N", Description = "Print the first N only" };
        var threads = new Option<bool>("--threads") { Description = "Print threads instead of functions" };
        sort.Validators.Add(result => { if (result.Tokens is [var token] && token.Value != "name" && !Keys.ContainsKey(token.Value)) result.AddError($"--sort: '{token.Value}' is not one of {string.Join(", ", Keys.Keys)}, name"); });
        top.Validators.Add(result => { if (result.Tokens is [var token] && !(int.TryParse(token.Value, out var n) && n > 0)) result.AddError($"--top: '{token.Value}' is not a positive number"); });
        var formats = new TracingCommand.FormatOptions();
        var program = TraceFiles.Program();
        var filters = new FilterArguments();
        var command = new Command("report", "Print how often each function was called and how long it took.") { file, sort, top, threads, program };
        formats.AddTo(command);
        filters.AddTo(command);
        command.SetAction(parsed =>
        {
            var format = formats.Of(parsed);
            var first = parsed.GetValue(top) ?? int.MaxValue;
            TraceFiles.Read(parsed.GetValue(file), filters.Of(parsed), filter =>
            {
                var statistics = CallStatistics.Of(filter);
                if (parsed.GetValue(threads)) Print(format, filter.Source, "threads", ThreadColumns(), statistics.Threads.OrderByDescending(t => t.Busy).ThenBy(t => t.Thread.Index).Take(first).ToList());
                else Print(format, filter.Source, "functions", FunctionColumns(filter.Source), Sorted(filter.Source, statistics.Functions, parsed.GetValue(sort) ?? "total").Take(first).ToList());
                return statistics.Threads.Count > 0;
            }, parsed.GetValue(program));
        });
        return command;
    }

    private static void Print<T>(Format format, ITraceSource source, string what, Column<T>[] columns, List<T> rows)
    {
        if (format == Format.Json) StandardOutput.Bytes(output => Tables.WriteDocument(output, "weft-tracing-report", json => WriteJson(json, source, what, columns, rows)));
        else StandardOutput.Text(output =>
        {
            if (format == Format.Csv) Tables.WriteCsv(output, columns, rows);
            else Tables.Write(output, columns, rows);
        });
    }

    private static void WriteJson<T>(Utf8JsonWriter json, ITraceSource source, string what, Column<T>[] columns, List<T> rows)
    {
        json.WriteString("program", source.Info.Program);
        Tables.WriteJson(json, what, columns, rows);
    }

    private static IEnumerable<FunctionStatistics> Sorted(ITraceSource source, IReadOnlyList<FunctionStatistics> functions, string key)
    {
        var byName = functions.OrderBy(f => source.Function(f.Id).Name, StringComparer.Ordinal).ThenBy(f => f.Id);
        return key == "name" ? byName : functions.OrderByDescending(Keys[key]).ThenBy(f => source.Function(f.Id).Name, StringComparer.Ordinal).ThenBy(f => f.Id);
    }

    private static Column<FunctionStatistics>[] FunctionColumns(ITraceSource source) =>
    [
        new("", "function", f => "", f => source.Function(f.Id).Name),
        new("calls", "calls", f => f.Calls.ToString("N0", CultureInfo.InvariantCulture), f => f.Calls),
        Time("total", f => f.Total),
        Time("self", f => f.Self),
        Distributed("min", f => f.Min),
        Distributed("avg", f => f.Average),
        Distributed("p50", f => f.Percentile(0.5)),
        Distributed("p90", f => f.Percentile(0.9)),
        Distributed("p99", f => f.Percentile(0.99)),
        Distributed("max", f => f.Max),
        new("function", "", f => source.Function(f.Id).Name, f => null, IsText: true),
        new("", "symbol", f => "", f => source.Function(f.Id).Symbol),
        new("", "module", f => "", f => source.Function(f.Id).Module?.Path ?? ""),
        new("", "file", f => "", f => source.Function(f.Id).File),
        new("", "line", f => "", f => source.Function(f.Id).Line),
    ];

    private static Column<FunctionStatistics> Time(string name, Func<FunctionStatistics, long> value) => new(name, name + "_ns", f => Durations.Format(value(f)), f => value(f));

    // Calls that the trace has not from begin to end took longer than it knows: they say nothing of what is usual.
    private static Column<FunctionStatistics> Distributed(string name, Func<FunctionStatistics, long> value) =>
        new(name, name + "_ns", f => f.Whole == 0 ? "-" : Durations.Format(value(f)), f => f.Whole == 0 ? null : value(f));

    private static Column<ThreadStatistics>[] ThreadColumns() =>
    [
        new("tid", "tid", t => $"{t.Thread.Id}", t => t.Thread.Id),
        new("begin", "begin_ns", t => Durations.Format(t.First), t => t.First),
        new("end", "end_ns", t => Durations.Format(t.Last), t => t.Last),
        new("in calls", "busy_ns", t => Durations.Format(t.Busy), t => t.Busy),
        new("calls", "calls", t => t.Calls.ToString("N0", CultureInfo.InvariantCulture), t => t.Calls),
        new("events", "events", t => t.Events.ToString("N0", CultureInfo.InvariantCulture), t => t.Events),
        new("gaps", "gaps", t => t.Gaps.ToString("N0", CultureInfo.InvariantCulture), t => t.Gaps),
        new("thread", "name", t => t.Thread.Name, t => t.Thread.Name, IsText: true),
    ];
}
