using System.CommandLine;
using System.Text.RegularExpressions;
using Weft.Core;
using Weft.Coverage.Model;
using Weft.Coverage.Page;
using Weft.Llvm;

namespace Weft.Cli.Commands.Coverage;

/// <summary><c>weft coverage html</c>: coverage for people.</summary>
internal static class HtmlCommand
{
    private const string DefaultFile = "coverage.html";

    public static Command Create()
    {
        var binaries = new Argument<string[]>("BINARY") { Description = "Programs, libraries, objects and archives that were built for coverage", Arity = ArgumentArity.OneOrMore };
        var profiles = new Option<string[]>("--profile") { HelpName = "FILE", Description = $"Profiles and folders with *.profraw in them {ProfileInputs.Default}", AllowMultipleArgumentsPerToken = false };
        var output = new Option<string?>("--output", "-o") { HelpName = "FILE", Description = $"Write to a file, or to {DefaultFile} in a folder [default: {DefaultFile}]" };
        var open = new Option<bool>("--open") { Description = "Show it in a browser" };
        var ignore = new Option<string[]>("--ignore-filename-regex") { HelpName = "REGEX", Description = "Leave out source files whose path matches", AllowMultipleArgumentsPerToken = false };
        var fail = ProfileInputs.FailOnDamage();
        ignore.Validators.Add(result => { foreach (var token in result.Tokens) if (ToRegex(token.Value) == null) result.AddError($"--ignore-filename-regex: '{token.Value}' is not a regular expression"); });
        var command = new Command("html", "Write coverage as one HTML file to read: sources with what ran of them.") { binaries, profiles, output, open, ignore, fail };
        command.SetAction(parsed =>
        {
            var names = parsed.GetRequiredValue(binaries);
            var inputs = parsed.GetValue(profiles) ?? [];
            var merged = ProfileInputs.Merge(inputs, parsed.GetValue(fail));
            var data = CoverageData.Load(names, merged.Profile, Demangler.Demangle);
            var unwanted = (parsed.GetValue(ignore) ?? []).Select(r => ToRegex(r)!).ToList();
            var files = data.Files.Where(file => !unwanted.Exists(r => r.IsMatch(file))).ToList();
            var path = Target(parsed.GetValue(output));
            var facts = Facts(names, inputs, merged.Read, data);
            AtomicFile.Write(path, stream => CoveragePage.Write(stream, data, files, facts));
            Terminal.Status("Wrote", path);
            if (parsed.GetValue(open)) Open(path);
        });
        return command;
    }

    private static PageFacts Facts(string[] binaries, string[] inputs, int read, CoverageData data)
    {
        var program = Path.GetFileName(binaries[0]);
        if (binaries.Length > 1) program += $" and {binaries.Length - 1} more";
        var profile = read == 1 && inputs.Length == 1 ? Path.GetFileName(inputs[0]) : read == 1 ? "1 profile" : $"{read:N0} profiles";
        var remarks = new List<string>();
        if (data.Mismatches is [var first, ..])
            remarks.Add($"The profile has counts of another build of {Demangler.Demangle(first.Name)}{(data.Mismatches.Count == 1 ? "" : $" and {data.Mismatches.Count - 1:N0} other functions")}: left out.");
        foreach (var remark in remarks) Terminal.Warning(remark);
        var command = string.Join(' ', Environment.GetCommandLineArgs().Skip(1).Prepend("weft").Select(Terminal.ShellQuote));
        return new PageFacts(program, command, profile, DateTimeOffset.UtcNow, binaries.Max(File.GetLastWriteTimeUtc), remarks);
    }

    private static string Target(string? wish)
    {
        if (wish == null) return DefaultFile;
        if (!Directory.Exists(wish) && !wish.EndsWith('/')) return wish;
        try { Directory.CreateDirectory(wish); }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException) { throw new WeftException($"cannot write to '{wish}': {e.Message}", "name a folder or file that can be written"); }
        return Path.Combine(wish, DefaultFile);
    }

    private static void Open(string path)
    {
        var opener = ((string[])["xdg-open", "open", "wslview"]).FirstOrDefault(program => ChildProcess.Find(program) != null);
        if (opener == null) Terminal.Warning($"no program here opens files in a browser; open {Path.GetFullPath(path)} yourself");
        else if (ChildProcess.Capture(opener, [Path.GetFullPath(path)]).ExitCode != 0) Terminal.Warning($"{opener} could not open {Path.GetFullPath(path)}");
    }

    // What needs backtracking could take for ever; LLVM's expressions, those of POSIX, do not.
    private static Regex? ToRegex(string pattern)
    {
        try { return new Regex(pattern, RegexOptions.CultureInvariant | RegexOptions.NonBacktracking); }
        catch (Exception e) when (e is ArgumentException or NotSupportedException) { return null; }
    }
}
