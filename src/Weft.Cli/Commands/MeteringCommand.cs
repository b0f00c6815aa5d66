using System.CommandLine;
using Weft.Core;
using Weft.Llvm;
using Weft.Metering;

namespace Weft.Cli.Commands;

internal static class MeteringCommand
{
    public static Command Create() => new("metering", "Show what an instrumented program counted.") { Report() };

    private static Command Report()
    {
        var file = new Argument<string?>("FILE") { Description = "The report a program wrote [default: what WEFT_METERING_REPORT names]", Arity = ArgumentArity.ZeroOrOne };
        var json = new Option<bool>("--json") { Description = "Print JSON, with demangled names" };
        var csv = new Option<bool>("--csv") { Description = "Print comma-separated values: of functions, or of threads with --threads" };
        var top = new Option<int?>("--top") { HelpName = "N", Description = "Print the N largest only [default: 20 in tables, all elsewhere]" };
        var functions = new Option<bool>("--functions") { Description = "Print functions only" };
        var threads = new Option<bool>("--threads") { Description = "Print threads only" };
        top.Validators.Add(result => { if (result.Tokens is [var token] && !(int.TryParse(token.Value, out var n) && n > 0)) result.AddError($"--top: '{token.Value}' is not a positive number"); });
        var command = new Command("report", "Print the work counted: in total, by thread and by function.") { file, json, csv, top, functions, threads };
        command.SetAction(parsed =>
        {
            bool asJson = parsed.GetValue(json), asCsv = parsed.GetValue(csv), onlyFunctions = parsed.GetValue(functions), onlyThreads = parsed.GetValue(threads);
            if (asJson && asCsv) throw WeftException.Usage("--json and --csv at once", "give one of them");
            var report = MeteringReport.Read(parsed.GetValue(file) ?? DefaultFile());
            var options = new ReportOptions(onlyThreads || !onlyFunctions, onlyFunctions || !onlyThreads, parsed.GetValue(top) ?? (asJson || asCsv ? int.MaxValue : 20));
            using var output = Console.OpenStandardOutput();
            if (asJson) report.WriteJson(output, options, Demangler.Demangle);
            using var writer = new StreamWriter(output);
            if (asCsv) report.WriteCsv(writer, options, Demangler.Demangle);
            else if (asJson) writer.Write('\n');
            else report.WriteTable(writer, options, Demangler.Demangle);
        });
        return command;
    }

    private static string DefaultFile() => Environment.GetEnvironmentVariable("WEFT_METERING_REPORT") is { Length: > 0 } file
        ? file
        : throw WeftException.Usage("which report?", "name the file that WEFT_METERING_REPORT named when the program ran: weft metering report counts.json");
}
