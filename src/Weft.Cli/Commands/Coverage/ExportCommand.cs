using System.CommandLine;
using Weft.Coverage.Export;

namespace Weft.Cli.Commands.Coverage;

/// <summary><c>weft coverage export</c>: coverage for other programs.</summary>
internal static class ExportCommand
{
    public static Command Create()
    {
        var names = string.Join(", ", ExportFormat.All.Select(f => f.Name));
        var arguments = new CoverageArguments();
        var format = new Option<string>("--format") { HelpName = "FORMAT", Description = $"One of {names}; json and lcov are as llvm-cov export writes them", Required = true };
        var output = new Option<string?>("--output", "-o") { HelpName = "FILE", Description = "Write to a file [default: standard output]" };
        var summaryOnly = new Option<bool>("--summary-only") { Description = "Write sums only" };
        var skipFunctions = new Option<bool>("--skip-functions") { Description = "Leave out what is told by function" };
        var skipExpansions = new Option<bool>("--skip-expansions") { Description = "Leave out what macros and includes became" };
        format.Validators.Add(result => { if (result.Tokens is [var token] && !ExportFormat.All.Any(f => f.Name == token.Value)) result.AddError($"--format: '{token.Value}' is not one of {names}"); });
        var command = new Command("export", "Write coverage in a format that other programs read.") { format, output, summaryOnly, skipFunctions, skipExpansions };
        arguments.AddTo(command);
        command.SetAction(parsed =>
        {
            var options = new ExportOptions(parsed.GetValue(summaryOnly), parsed.GetValue(skipFunctions), parsed.GetValue(skipExpansions));
            ExportFormat.All.First(f => f.Name == parsed.GetRequiredValue(format)).Save(arguments.Of(parsed), options, parsed.GetValue(output));
        });
        return command;
    }
}
