using System.CommandLine;
using Weft.Cli.Commands.Tracing;
using Weft.Core;
using Weft.Llvm;
using Weft.Metering;
using Weft.Metering.Export;
using Weft.Metering.Page;

namespace Weft.Cli.Commands.Metering;

/// <summary><c>weft metering report</c>: the work that a run counted.</summary>
internal static class ReportCommand
{
    // A new format: one line here.
    private static readonly Dictionary<string, Action<Stream, ReportView, ReportOptions>> Formats = new()
    {
        ["table"] = (stream, view, options) => Text(stream, writer => TextReport.Write(writer, view, options)),
        ["csv"] = (stream, view, options) => Text(stream, writer => CsvReport.Write(writer, view, options)),
        ["json"] = (stream, view, options) => { JsonReport.Write(stream, view, options); stream.Write("\n"u8); },
        ["folded"] = (stream, view, _) => FoldedReport.Write(stream, view),
        ["callgrind"] = (stream, view, _) => Text(stream, writer => CallgrindReport.Write(writer, view, $"weft {VersionCommand.Version}")),
        ["html"] = (stream, view, _) => MeteringPage.Write(stream, view),
    };

    public static Command Create()
    {
        var names = string.Join(", ", Formats.Keys);
        var file = new Argument<string?>("FILE") { Description = "The report a program wrote [default: what WEFT_METERING_REPORT names]", Arity = ArgumentArity.ZeroOrOne };
        var format = new Option<string?>("--format") { HelpName = "FORMAT", Description = $"One of {names} [default: table]; folded are stacks for flame graphs" };
        var output = new Option<string?>("--output", "-o") { HelpName = "FILE", Description = "Write to a file [default: standard output]" };
        var json = new Option<bool>("--json") { Description = "Print JSON, with demangled names" };
        var csv = new Option<bool>("--csv") { Description = "Print comma-separated values: of functions, or of lines or threads with --lines or --threads" };
        var top = new Option<int?>("--top") { HelpName = "N", Description = "Print the N largest only [default: 20 in tables, all elsewhere]" };
        var functions = new Option<bool>("--functions") { Description = "Print functions only" };
        var lines = new Option<bool>("--lines") { Description = "Print source lines only" };
        var threads = new Option<bool>("--threads") { Description = "Print threads only" };
        format.Validators.Add(result => { if (result.Tokens is [var token] && !Formats.ContainsKey(token.Value)) result.AddError($"--format: '{token.Value}' is not one of {names}"); });
        top.Validators.Add(result => { if (result.Tokens is [var token] && !(int.TryParse(token.Value, out var n) && n > 0)) result.AddError($"--top: '{token.Value}' is not a positive number"); });
        var command = new Command("report", "Print the work counted: in total, by thread, by function, by line and by who called whom.") { file, format, output, json, csv, top, functions, lines, threads };
        command.SetAction(parsed =>
        {
            var name = FormatOf(parsed.GetValue(format), parsed.GetValue(json), parsed.GetValue(csv));
            var view = new ReportView(MeteringReport.Read(parsed.GetValue(file) ?? DefaultFile()), Demangler.Demangle);
            bool onlyFunctions = parsed.GetValue(functions), onlyLines = parsed.GetValue(lines), onlyThreads = parsed.GetValue(threads), isAll = !onlyFunctions && !onlyLines && !onlyThreads;
            var options = new ReportOptions(onlyThreads || isAll, onlyFunctions || isAll, onlyLines || isAll && name == "json", parsed.GetValue(top) ?? (name == "table" ? 20 : int.MaxValue));
            if (parsed.GetValue(output) is { } path) AtomicFile.Write(path, stream => Formats[name](stream, view, options));
            else StandardOutput.Bytes(stream => Formats[name](stream, view, options));
        });
        return command;
    }

    private static string FormatOf(string? format, bool json, bool csv) => (format, json, csv) switch
    {
        (null, true, true) => throw WeftException.Usage("--json and --csv at once", "give one of them"),
        ({ }, true, _) or ({ }, _, true) => throw WeftException.Usage($"--format and --{(json ? "json" : "csv")} at once", "give one of them"),
        (null, true, _) => "json",
        (null, _, true) => "csv",
        _ => format ?? "table",
    };

    private static string DefaultFile() => Environment.GetEnvironmentVariable("WEFT_METERING_REPORT") is { Length: > 0 } file
        ? file
        : throw WeftException.Usage("which report?", "name the file that WEFT_METERING_REPORT named when the program ran: weft metering report counts.json");

    private static void Text(Stream stream, Action<TextWriter> write)
    {
        using var writer = new StreamWriter(stream, bufferSize: 1 << 16, leaveOpen: true);
        write(writer);
    }
}
