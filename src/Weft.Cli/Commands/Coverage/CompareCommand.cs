using System.CommandLine;
using Weft.Cli.Commands.Tracing;
using Weft.Core;
using Weft.Coverage.Compare;

namespace Weft.Cli.Commands.Coverage;

/// <summary><c>weft coverage compare</c>: what two runs differ in.</summary>
internal static class CompareCommand
{
    public static Command Create()
    {
        var arguments = new CoverageArguments(withBinaries: false, withProfiles: false);
        var before = new Argument<string>("OLD") { Description = "A profile, or a folder with *.profraw in it" };
        var after = new Argument<string>("NEW") { Description = "Another, of the same build or of another" };
        var oldObjects = new Option<string[]>("--old-object") { HelpName = "FILE", Description = "A program or library that wrote OLD [default: those that it names]", AllowMultipleArgumentsPerToken = false };
        var newObjects = new Option<string[]>("--new-object") { HelpName = "FILE", Description = "A program or library that wrote NEW", AllowMultipleArgumentsPerToken = false };
        var json = new Option<bool>("--json") { Description = "Print JSON" };
        var fail = new Option<bool>("--fail-on-loss") { Description = "Exit with 1 if lines or functions that were covered no longer are" };
        var command = new Command("compare", "Print what is covered less or more in another run.") { before, after, oldObjects, newObjects, json, fail };
        arguments.AddTo(command);
        command.SetAction(parsed =>
        {
            var (old, young) = arguments.Of(parsed, (parsed.GetRequiredValue(before), parsed.GetValue(oldObjects) ?? []), (parsed.GetRequiredValue(after), parsed.GetValue(newObjects) ?? []));
            var comparison = CoverageComparison.Of(new ComparedCoverage(old.Data, old.Files, old.Sources), new ComparedCoverage(young.Data, young.Files, young.Sources));
            var reports = new ComparisonReports(comparison, file => young.Files.Contains(file) ? young.Name(file) : old.Name(file));
            if (parsed.GetValue(json)) StandardOutput.Bytes(stream => Tables.WriteDocument(stream, "weft-coverage-compare", reports.WriteJson));
            else StandardOutput.Text(reports.WriteText);
            if (!parsed.GetValue(fail) || !comparison.HasLoss) return (int)ExitCode.Success;
            Terminal.Error("code that was covered no longer is (--fail-on-loss)");
            return (int)ExitCode.CheckFailed;
        });
        return command;
    }
}
