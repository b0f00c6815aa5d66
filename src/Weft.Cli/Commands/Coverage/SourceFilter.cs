using System.CommandLine;
using System.Text.RegularExpressions;

namespace Weft.Cli.Commands.Coverage;

/// <summary>The arguments that say which source files a command is about.</summary>
internal sealed class SourceFilter
{
    private readonly Option<string[]> ignore = new("--ignore-filename-regex") { HelpName = "REGEX", Description = "Leave out source files whose path matches", AllowMultipleArgumentsPerToken = false };
    private readonly Option<bool> noDefaultIgnore = new("--no-default-ignore-filename-regex") { Description = "In a cargo workspace, do not leave out tests, examples, benches, dependencies and what builds make" };

    public SourceFilter() => ignore.Validators.Add(result => { foreach (var token in result.Tokens) if (ToRegex(token.Value) == null) result.AddError($"--ignore-filename-regex: '{token.Value}' is not a regular expression"); });

    public void AddTo(Command command)
    {
        command.Add(ignore);
        command.Add(noDefaultIgnore);
    }

    public List<string> Wanted(ParseResult parsed, IReadOnlyList<string> files)
    {
        var unwanted = (parsed.GetValue(ignore) ?? []).Select(r => ToRegex(r)!).ToList();
        if (!parsed.GetValue(noDefaultIgnore) && files.Any(f => f.EndsWith(".rs", StringComparison.Ordinal))) unwanted.AddRange(CargoIgnores.Find(Directory.GetCurrentDirectory()));
        // rustc leaves ".." in paths of modules that are elsewhere.
        return files.Where(file => !unwanted.Exists(r => r.IsMatch(file) || (file.Contains("/../") && r.IsMatch(Path.GetFullPath(file))))).ToList();
    }

    // What needs backtracking could take for ever; LLVM's expressions, those of POSIX, do not.
    private static Regex? ToRegex(string pattern)
    {
        try { return new Regex(pattern, RegexOptions.CultureInvariant | RegexOptions.NonBacktracking); }
        catch (Exception e) when (e is ArgumentException or NotSupportedException) { return null; }
    }
}
