using System.CommandLine;
using System.Globalization;
using Weft.Cli.Commands.Tracing;
using Weft.Core;
using Weft.Coverage.Diff;
using Weft.Coverage.Export;

namespace Weft.Cli.Commands.Coverage;

/// <summary><c>weft coverage diff</c>: what ran of the lines that a change touches.</summary>
internal static class DiffCommand
{
    // A new format: one line here.
    private static readonly Dictionary<string, Action<PatchReports, Stream>> Formats = new()
    {
        ["text"] = (reports, stream) => Text(stream, reports.WriteText),
        ["markdown"] = (reports, stream) => Text(stream, reports.WriteMarkdown),
        ["github"] = (reports, stream) => Text(stream, reports.WriteGitHub),
        ["json"] = (reports, stream) => Tables.WriteDocument(stream, "weft-coverage-diff", reports.WriteJson),
    };

    public static Command Create()
    {
        var names = string.Join(", ", Formats.Keys);
        var arguments = new CoverageArguments(withBinaries: false);
        var commit = new Argument<string?>("BASE") { Description = "A commit or branch: changed are lines since the two went apart", Arity = ArgumentArity.ZeroOrOne };
        var patch = new Option<string?>("--patch") { HelpName = "FILE", Description = "A unified diff in place of BASE; - is standard input" };
        var format = new Option<string>("--format") { HelpName = "FORMAT", Description = $"One of {names}; github are remarks of a workflow [default: text]", DefaultValueFactory = _ => "text" };
        var output = new Option<string?>("--output", "-o") { HelpName = "FILE", Description = "Write to a file [default: standard output]" };
        var least = new Option<double?>("--fail-under-lines") { HelpName = "MIN", Description = "Exit with 1 if less than MIN percent of the changed lines are covered" };
        format.Validators.Add(result => { if (result.Tokens is [var token] && !Formats.ContainsKey(token.Value)) result.AddError($"--format: '{token.Value}' is not one of {names}"); });
        least.Validators.Add(result => { if (result.Tokens is [var token] && !(double.TryParse(token.Value, NumberStyles.Float, CultureInfo.InvariantCulture, out var value) && value is >= 0 and <= 100)) result.AddError($"--fail-under-lines: '{token.Value}' is not a number from 0 to 100"); });
        var command = new Command("diff", "Print what ran of the lines that a change touches, and why others did not.") { commit, patch, format, output, least };
        arguments.AddTo(command);
        command.SetAction(parsed =>
        {
            var (text, root) = Patch(parsed.GetValue(commit), parsed.GetValue(patch));
            var changes = PatchFile.Read(text);
            var input = arguments.Of(parsed);
            var coverage = PatchCoverage.Of(changes, root, input.Data, input.Files);
            var reports = new PatchReports(coverage, path => SourcePaths.Relative(root, path), input.Sources);
            var write = Formats[parsed.GetRequiredValue(format)];
            if (parsed.GetValue(output) is { } file) AtomicFile.Write(file, stream => write(reports, stream));
            else StandardOutput.Bytes(stream => write(reports, stream));
            return (int)Check(coverage, parsed.GetValue(least));
        });
        return command;
    }

    private static (string Patch, string Root) Patch(string? commit, string? patch) => (commit, patch) switch
    {
        (null, null) => throw WeftException.Usage("changed since what?", "name a commit or branch, such as origin/main, or give --patch FILE"),
        ({ }, { }) => throw WeftException.Usage("BASE and --patch at once", "give one of them"),
        ({ } since, _) => PatchSource.FromGit(since),
        (_, { } file) => PatchSource.FromFile(file),
    };

    /// <summary>A change without code has nothing that could be missing.</summary>
    private static ExitCode Check(PatchCoverage coverage, double? least)
    {
        var total = coverage.Total;
        if (least is not { } min || total.Covered * 100.0 >= min * total.Count) return ExitCode.Success;
        Terminal.Error($"coverage of changed lines is {Counts.Percent(total)} ({total.Covered} of {total.Count}), less than {min.ToString(CultureInfo.InvariantCulture)}% (--fail-under-lines)");
        return ExitCode.CheckFailed;
    }

    private static void Text(Stream stream, Action<TextWriter> write)
    {
        using var writer = new StreamWriter(stream, bufferSize: 1 << 16, leaveOpen: true);
        write(writer);
    }
}
