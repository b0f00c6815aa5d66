using System.CommandLine;
using Weft.Cli.Commands.Tracing;
using Weft.Core;
using Weft.Hotpatch.Check;
using Weft.Llvm;

namespace Weft.Cli.Commands.Hotpatch;

/// <summary><c>weft hotpatch check</c>: which functions of a file can be replaced, and why others cannot.</summary>
internal static class CheckCommand
{
    private const int Shown = 20;

    public static Command Create()
    {
        var files = new Argument<string[]>("FILE") { HelpName = "FILE...", Description = "Executables, libraries, objects and archives, of Weft or not; ELF, or COFF objects", Arity = ArgumentArity.OneOrMore };
        var woven = new Option<bool>("--woven") { Description = "Only functions with room before them as Weft makes it" };
        var only = Globs("--only", "Only functions whose name or symbol matches");
        var never = Globs("--never", "Not functions whose name or symbol matches");
        var all = new Option<bool>("--all") { Description = "Print every function, not only those that fail" };
        var top = new Option<int?>("--top") { HelpName = "N", Description = $"Print the first N only [default: {Shown}, all with --all]" };
        var json = new Option<bool>("--json") { Description = "Print JSON" };
        top.Validators.Add(result => { if (result.Tokens is [var token] && !(int.TryParse(token.Value, out var n) && n > 0)) result.AddError($"--top: '{token.Value}' is not a positive number"); });
        var command = new Command("check", "Check that functions can be replaced in the running program. Exit code 1 if some cannot.") { files, woven, only, never, all, top, json };
        command.SetAction(parsed =>
        {
            var isNarrow = parsed.GetValue(woven) || parsed.GetValue(only) is [_, ..];
            var wanted = Wanted(parsed.GetValue(woven), List(parsed.GetValue(only)), List(parsed.GetValue(never)));
            List<CheckedPath> checkedPaths = [.. parsed.GetRequiredValue(files).Select(f => CheckedPath.Read(f, wanted))];
            if (isNarrow && checkedPaths.TrueForAll(p => p.Functions.Count == 0)) throw Nothing(parsed.GetValue(woven), checkedPaths);
            var report = new CheckReport(checkedPaths, parsed.GetValue(all), parsed.GetValue(top) ?? (parsed.GetValue(all) ? int.MaxValue : Shown));
            if (parsed.GetValue(json)) StandardOutput.Bytes(report.WriteJson);
            else StandardOutput.Text(report.WriteText);
            return (int)(checkedPaths.TrueForAll(p => p.Functions.TrueForAll(f => f.Verdict.Violations.Count == 0)) ? ExitCode.Success : ExitCode.CheckFailed);
        });
        return command;
    }

    private static Option<string[]> Globs(string name, string description) =>
        new(name) { HelpName = "GLOB,...", Description = description, Arity = ArgumentArity.OneOrMore, AllowMultipleArgumentsPerToken = false };

    private static List<Glob> List(string[]? texts) => [.. (texts ?? []).SelectMany(Glob.List)];

    private static Func<CheckedFunction, bool> Wanted(bool woven, List<Glob> only, List<Glob> never) => function =>
    {
        bool Among(List<Glob> globs) => globs.Exists(g => g.Matches(function.Name) || g.Matches(function.Verdict.Function.Symbol));
        return (!woven || function.Verdict.IsWoven) && !Among(never) && (only.Count == 0 || Among(only));
    };

    private static WeftException Nothing(bool woven, List<CheckedPath> paths) => new(
        $"no function of '{string.Join("', '", paths.Select(p => p.Path))}' is among those to check",
        woven ? "was it built --with hotpatch?" : "names are matched as a whole: begin and end with * to find a part",
        ExitCode.CheckFailed);
}

/// <summary>A function with its name for people.</summary>
internal sealed record CheckedFunction(CheckedFile File, Verdict Verdict)
{
    public string Name { get; } = Verdict.Function.Symbol.Length > 0 ? Demangler.Demangle(Verdict.Function.Symbol) : "?";

    /// <summary>The address, or where it is in an object.</summary>
    public string Place => File.Code.IsObject ? $"{Verdict.Function.Section.Name}+0x{Verdict.Function.Address:x}" : $"0x{Verdict.Function.Address:x}";
}

/// <summary>What the check of one of the command's arguments found.</summary>
/// <param name="Path">The argument.</param>
/// <param name="Files">Itself, or the members of an archive.</param>
/// <param name="Functions">Those that were asked for.</param>
internal sealed record CheckedPath(string Path, IReadOnlyList<CheckedFile> Files, List<CheckedFunction> Functions)
{
    public static CheckedPath Read(string path, Func<CheckedFunction, bool> wanted)
    {
        var files = CheckedFile.Read(path, Terminal.Warning);
        var unmarked = files.Count(f => f.Code.IsMarked == false && f.Code.Functions.Count > 0);
        if (unmarked > 0)
            Terminal.Warning($"{path}: {(files.Count == 1 ? "it does not say" : $"{unmarked} members do not say")} that it can be patched (HotPatch in S_COMPILE3): linkers give it no room for /functionpadmin");
        return new(path, files, [.. files.SelectMany(f => f.Verdicts.Select(v => new CheckedFunction(f, v)).Where(wanted))]);
    }
}
