using System.CommandLine;
using System.Globalization;
using Weft.Tracing;

namespace Weft.Cli.Commands.Tracing;

/// <summary><c>weft tracing diff</c>: what two runs differ in, function by function.</summary>
internal static class DiffCommand
{
    private static readonly Dictionary<string, Func<Row, long>> Keys = new()
    {
        ["self"] = r => r.New.Self - r.Old.Self,
        ["total"] = r => r.New.Total - r.Old.Total,
        ["calls"] = r => r.New.Calls - r.Old.Calls,
    };

    public static Command Create()
    {
        var before = new Argument<string>("OLD") { Description = "A trace" };
        var after = new Argument<string>("NEW") { Description = "Another, of the program changed or run differently" };
        var sort = new Option<string?>("--sort", "-s") { HelpName = "KEY", Description = "Largest change first, of self, total or calls [default: self]" };
        var top = new Option<int?>("--top") { HelpName = "N", Description = "Print the first N only" };
        sort.Validators.Add(result => { if (result.Tokens is [var token] && !Keys.ContainsKey(token.Value)) result.AddError($"--sort: '{token.Value}' is not one of {string.Join(", ", Keys.Keys)}"); });
        top.Validators.Add(result => { if (result.Tokens is [var token] && !(int.TryParse(token.Value, out var n) && n > 0)) result.AddError($"--top: '{token.Value}' is not a positive number"); });
        var formats = new TracingCommand.FormatOptions();
        var filters = new FilterArguments();
        var command = new Command("diff", "Print which functions were called more or less often, or took longer or shorter, in another run.") { before, after, sort, top };
        formats.AddTo(command);
        filters.AddTo(command);
        command.SetAction(parsed =>
        {
            var format = formats.Of(parsed);
            var key = Keys[parsed.GetValue(sort) ?? "self"];
            var functions = new Dictionary<string, Row>();
            Collect(parsed.GetRequiredValue(before), filters.Of(parsed), functions, (row, f) => row with { Old = row.Old.Add(f) });
            Collect(parsed.GetRequiredValue(after), filters.Of(parsed), functions, (row, f) => row with { New = row.New.Add(f) });
            var rows = functions.Values.OrderByDescending(r => Math.Abs(key(r))).ThenBy(r => r.Name, StringComparer.Ordinal).Take(parsed.GetValue(top) ?? int.MaxValue).ToList();
            if (format == Format.Json) StandardOutput.Bytes(output => Tables.WriteDocument(output, "weft-tracing-diff", json => Tables.WriteJson(json, "functions", Columns, rows)));
            else if (format == Format.Csv) StandardOutput.Text(output => Tables.WriteCsv(output, Columns, rows));
            else StandardOutput.Text(output => Tables.Write(output, Columns, rows));
        });
        return command;
    }

    // Ids are of one build, names stay.
    private static void Collect(string file, FilterOptions options, Dictionary<string, Row> rows, Func<Row, FunctionStatistics, Row> add) => TraceFiles.Read(file, options, filter =>
    {
        var statistics = CallStatistics.Of(filter);
        foreach (var function in statistics.Functions)
        {
            var name = filter.Source.Function(function.Id).Name;
            rows[name] = add(rows.GetValueOrDefault(name) ?? new Row(name, default, default), function);
        }
        return statistics.Threads.Count > 0;
    });

    private static Column<Row>[] Columns { get; } =
    [
        new("", "function", r => "", r => r.Name),
        .. Times("self", s => s.Self),
        .. Times("total", s => s.Total),
        Number("calls", "calls_old", r => r.Old.Calls),
        Number("now", "calls_new", r => r.New.Calls),
        new("change", "calls_change", r => Signed(r.New.Calls - r.Old.Calls), r => r.New.Calls - r.Old.Calls),
        new("function", "", r => r.Name, r => null, IsText: true),
    ];

    private static Column<Row>[] Times(string name, Func<Sums, long> of) =>
    [
        new(name, $"{name}_old_ns", r => Durations.Format(of(r.Old)), r => of(r.Old)),
        new("now", $"{name}_new_ns", r => Durations.Format(of(r.New)), r => of(r.New)),
        new("change", $"{name}_change_ns", r => SignedTime(of(r.New) - of(r.Old)), r => of(r.New) - of(r.Old)),
    ];

    private static Column<Row> Number(string title, string name, Func<Row, long> of) => new(title, name, r => of(r).ToString("N0", CultureInfo.InvariantCulture), r => of(r));

    private static string Signed(long change) => change == 0 ? "" : change.ToString("+#,0;-#,0", CultureInfo.InvariantCulture);

    private static string SignedTime(long change) => change == 0 ? "" : (change < 0 ? "-" : "+") + Durations.Format(Math.Abs(change)).TrimStart();

    private readonly record struct Sums(long Calls, long Total, long Self)
    {
        public Sums Add(FunctionStatistics function) => new(Calls + function.Calls, Total + function.Total, Self + function.Self);
    }

    private sealed record Row(string Name, Sums Old, Sums New);
}
