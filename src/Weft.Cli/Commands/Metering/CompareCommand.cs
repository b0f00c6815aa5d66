using System.CommandLine;
using System.Globalization;
using Weft.Cli.Commands.Tracing;
using Weft.Core;
using Weft.Llvm;
using Weft.Metering;

namespace Weft.Cli.Commands.Metering;

/// <summary><c>weft metering compare</c>: what two runs differ in, to the unit.</summary>
internal static class CompareCommand
{
    // A new format: one line here.
    private static readonly Dictionary<string, Action<Stream, MeteringComparison, int>> Formats = new()
    {
        ["table"] = (stream, comparison, top) => Text(stream, writer => WriteTable(writer, comparison, top)),
        ["csv"] = (stream, comparison, top) => Text(stream, writer => Tables.WriteCsv(writer, Columns(comparison), comparison.Functions.Take(top))),
        ["json"] = (stream, comparison, top) => Tables.WriteDocument(stream, "weft-metering-compare", json =>
        {
            Tables.WriteJson(json, "total", Numbers("units", r => r.Units), [comparison.Total]);
            Tables.WriteJson(json, "functions", Columns(comparison), comparison.Functions.Take(top));
        }),
    };

    public static Command Create()
    {
        var names = string.Join(", ", Formats.Keys);
        var before = new Argument<string>("OLD") { Description = "A report" };
        var after = new Argument<string>("NEW") { Description = "Another, of the program changed or run differently" };
        var format = new Option<string>("--format") { HelpName = "FORMAT", Description = $"One of {names} [default: table]", DefaultValueFactory = _ => "table" };
        var top = new Option<int?>("--top") { HelpName = "N", Description = "Print the N largest changes only [default: 20 in tables, all elsewhere]" };
        var most = new Option<decimal?>("--fail-over") { HelpName = "PERCENT", Description = "Exit with 1 if the total grew by more than PERCENT" };
        format.Validators.Add(result => { if (result.Tokens is [var token] && !Formats.ContainsKey(token.Value)) result.AddError($"--format: '{token.Value}' is not one of {names}"); });
        top.Validators.Add(result => { if (result.Tokens is [var token] && !(int.TryParse(token.Value, out var n) && n > 0)) result.AddError($"--top: '{token.Value}' is not a positive number"); });
        most.Validators.Add(result => { if (result.Tokens is [var token] && !(decimal.TryParse(token.Value, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var value) && value <= 1_000_000)) result.AddError($"--fail-over: '{token.Value}' is not a number from 0 to 1000000"); });
        var command = new Command("compare", "Print what another run did more or less, in total and by function.") { before, after, format, top, most };
        command.SetAction(parsed =>
        {
            var name = parsed.GetRequiredValue(format);
            var comparison = MeteringComparison.Of(MeteringReport.Read(parsed.GetRequiredValue(before)), MeteringReport.Read(parsed.GetRequiredValue(after)), Demangler.Demangle);
            StandardOutput.Bytes(stream => Formats[name](stream, comparison, parsed.GetValue(top) ?? (name == "table" ? 20 : int.MaxValue)));
            return (int)Check(comparison.Total.Units, parsed.GetValue(most));
        });
        return command;
    }

    private static ExitCode Check(Difference total, decimal? most)
    {
        if (most is not { } percent || !total.GrewByMoreThan(percent)) return ExitCode.Success;
        Terminal.Error($"the total grew from {Number(total.Old)} to {Number(total.New)} units, by more than {percent.ToString(CultureInfo.InvariantCulture)}% (--fail-over)");
        return ExitCode.CheckFailed;
    }

    private static void WriteTable(TextWriter output, MeteringComparison comparison, int top)
    {
        var total = comparison.Total.Units;
        output.Write($"{Number(total.Old)} units before, {Number(total.New)} now: {(total.Change == 0 ? "no change" : $"{Signed(total.Change)} ({Percent(total)})")}\n");
        var changed = comparison.Functions.Where(f => f.HasChanged).ToList();
        if (!comparison.HasFunctions) output.Write("\nno functions: build with --metering-detail functions to compare them\n");
        if (changed.Count == 0) return;
        output.Write("\n");
        Tables.Write(output, Columns(comparison), changed.Take(top).ToList());
        if (changed.Count > top) output.Write($"({changed.Count - top} more)\n");
    }

    private static Column<ComparedFunction>[] Columns(MeteringComparison comparison) =>
    [
        new("", "function", f => "", f => f.Name),
        .. Numbers("units", f => f.Units),
        .. comparison.HasCalls ? Numbers("calls", f => f.Calls) : [],
        new("function", "", f => $"{Printable(f.Name)}{(f.IsNew ? "  (new)" : f.IsGone ? "  (gone)" : "")}", f => null, IsText: true),
    ];

    private static Column<ComparedFunction>[] Numbers(string name, Func<ComparedFunction, Difference> of) =>
    [
        new(name, $"{name}_old", f => Number(of(f).Old), f => of(f).Old),
        new("now", $"{name}_new", f => Number(of(f).New), f => of(f).New),
        new("change", $"{name}_change", f => Signed(of(f).Change), f => of(f).Change),
        new("%", $"{name}_percent", f => Percent(of(f)), f => of(f).Percent),
    ];

    private static string Printable(string text) => string.Concat(text.Select(c => char.IsControl(c) ? '?' : c));

    private static string Number(ulong number) => number.ToString("N0", CultureInfo.InvariantCulture);

    private static string Signed(decimal change) => change == 0 ? "" : change.ToString("+#,0;-#,0", CultureInfo.InvariantCulture);

    private static string Percent(Difference difference) => difference.Percent is { } percent and not 0 ? percent.ToString("+#,0.0;-#,0.0", CultureInfo.InvariantCulture) + "%" : "";

    private static void Text(Stream stream, Action<TextWriter> write)
    {
        using var writer = new StreamWriter(stream, bufferSize: 1 << 16, leaveOpen: true);
        write(writer);
    }
}
