using System.CommandLine;
using System.Text;
using System.Text.RegularExpressions;
using Weft.Cli.Commands.Tracing;
using Weft.Core;
using Weft.Coverage.Export;
using Weft.Coverage.Model;
using Weft.Llvm;

namespace Weft.Cli.Commands.Coverage;

/// <summary><c>weft coverage export</c>: coverage for other programs.</summary>
internal static class ExportCommand
{
    // A new format: one line here.
    private static readonly (string Name, Action<Stream, CoverageData, IReadOnlyList<string>, ExportOptions> Write)[] Formats =
    [
        ("json", LlvmJson.Write),
        ("lcov", WriteLcov),
    ];

    public static Command Create()
    {
        var names = string.Join(", ", Formats.Select(f => f.Name));
        var binaries = new Argument<string[]>("BINARY") { Description = "Programs, libraries, objects and archives that were built for coverage", Arity = ArgumentArity.OneOrMore };
        var format = new Option<string>("--format") { HelpName = "FORMAT", Description = $"One of {names}: as llvm-cov export writes them", Required = true };
        var profiles = new Option<string[]>("--profile") { HelpName = "FILE", Description = $"Profiles and folders with *.profraw in them {ProfileInputs.Default}", AllowMultipleArgumentsPerToken = false };
        var output = new Option<string?>("--output", "-o") { HelpName = "FILE", Description = "Write to a file [default: standard output]" };
        var ignore = new Option<string[]>("--ignore-filename-regex") { HelpName = "REGEX", Description = "Leave out source files whose path matches", AllowMultipleArgumentsPerToken = false };
        var summaryOnly = new Option<bool>("--summary-only") { Description = "Write sums only" };
        var skipFunctions = new Option<bool>("--skip-functions") { Description = "Leave out what is told by function" };
        var skipExpansions = new Option<bool>("--skip-expansions") { Description = "Leave out what macros and includes became" };
        var fail = ProfileInputs.FailOnDamage();
        format.Validators.Add(result => { if (result.Tokens is [var token] && !Formats.Any(f => f.Name == token.Value)) result.AddError($"--format: '{token.Value}' is not one of {names}"); });
        ignore.Validators.Add(result => { foreach (var token in result.Tokens) if (ToRegex(token.Value) == null) result.AddError($"--ignore-filename-regex: '{token.Value}' is not a regular expression"); });
        var command = new Command("export", "Write coverage in a format that other programs read.") { binaries, format, profiles, output, ignore, summaryOnly, skipFunctions, skipExpansions, fail };
        command.SetAction(parsed =>
        {
            var profile = ProfileInputs.Merge(parsed.GetValue(profiles) ?? [], parsed.GetValue(fail)).Profile;
            var data = CoverageData.Load(parsed.GetRequiredValue(binaries), profile, Demangler.Demangle);
            Warn(data);
            var unwanted = (parsed.GetValue(ignore) ?? []).Select(r => ToRegex(r)!).ToList();
            var files = data.Files.Where(file => !unwanted.Exists(r => r.IsMatch(file))).ToList();
            var options = new ExportOptions(parsed.GetValue(summaryOnly), parsed.GetValue(skipFunctions), parsed.GetValue(skipExpansions));
            var write = Formats.First(f => f.Name == parsed.GetRequiredValue(format)).Write;
            if (parsed.GetValue(output) is { } path) AtomicFile.Write(path, stream => write(stream, data, files, options));
            else StandardOutput.Bytes(stream => write(stream, data, files, options));
        });
        return command;
    }

    private static void Warn(CoverageData data)
    {
        if (data.Mismatches is not [var first, ..]) return;
        var others = data.Mismatches.Count == 1 ? "" : $" and {data.Mismatches.Count - 1} others";
        Terminal.Warning($"the profile has counts of another build of '{first.Name}'{others}: left out");
    }

    private static void WriteLcov(Stream stream, CoverageData data, IReadOnlyList<string> files, ExportOptions options)
    {
        using var writer = new StreamWriter(stream, new UTF8Encoding(encoderShouldEmitUTF8Identifier: false), 1 << 16, leaveOpen: true);
        Lcov.Write(writer, data, files, options);
    }

    private static Regex? ToRegex(string pattern)
    {
        // What needs backtracking could take for ever; LLVM's expressions, those of POSIX, do not.
        try { return new Regex(pattern, RegexOptions.CultureInvariant | RegexOptions.NonBacktracking); }
        catch (Exception e) when (e is ArgumentException or NotSupportedException) { return null; }
    }
}
