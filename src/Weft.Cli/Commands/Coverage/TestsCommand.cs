using System.CommandLine;
using Weft.Cli.Commands.Tracing;
using Weft.Core;
using Weft.Coverage.Diff;
using Weft.Coverage.Export;
using Weft.Coverage.PerTest;
using Weft.Llvm;

namespace Weft.Cli.Commands.Coverage;

/// <summary><c>weft coverage tests</c>: which tests reach what.</summary>
internal static class TestsCommand
{
    // A new format: one line here.
    private static readonly Dictionary<string, Action<ChosenTests, TextWriter>> Formats = new()
    {
        ["text"] = (tests, output) => tests.WriteText(output),
        ["names"] = (tests, output) => tests.WriteNames(output),
        ["cargo"] = (tests, output) => tests.WriteCargo(output),
    };

    public static Command Create()
    {
        var names = string.Join(", ", [.. Formats.Keys, "json"]);
        var filter = new SourceFilter();
        var equivalence = new PathOption();
        var maps = new Option<string[]>("--map") { HelpName = "FILE", Description = $"Maps of tests; may be given several times [default: {TestStore.MapName} in WEFT_OUT/coverage or ./weft-out/coverage]", AllowMultipleArgumentsPerToken = false };
        var function = new Option<string?>("--function") { HelpName = "NAME", Description = "Tests that reach a function, by its name or the end of its path" };
        var line = new Option<string?>("--line") { HelpName = "FILE:LINE", Description = "Tests that reach a line" };
        var file = new Option<string?>("--file") { HelpName = "FILE", Description = "Tests that reach a file" };
        var since = new Option<string?>("--since") { HelpName = "BASE", Description = "Tests that what has changed since a commit or branch needs, as weft coverage diff BASE has it" };
        var patch = new Option<string?>("--patch") { HelpName = "FILE", Description = "Tests that a unified diff needs; - is standard input" };
        var minimal = new Option<bool>("--minimal") { Description = "Of these, only as many as reach all that they reach together" };
        var format = new Option<string>("--format") { HelpName = "FORMAT", Description = $"One of {names}; cargo are commands that run these tests [default: text]", DefaultValueFactory = _ => "text" };
        format.Validators.Add(result => { if (result.Tokens is [var token] && token.Value != "json" && !Formats.ContainsKey(token.Value)) result.AddError($"--format: '{token.Value}' is not one of {names}"); });
        var command = new Command("tests", "Print what tests reach, who reaches a function, line or file, and which tests a change needs.") { function, line, file, since, patch, minimal, format, maps };
        filter.AddTo(command);
        equivalence.AddTo(command);
        command.SetAction(parsed =>
        {
            Option<string?>[] questions = [function, line, file, since, patch];
            if (questions.Count(q => parsed.GetValue(q) != null) > 1) throw WeftException.Usage($"{string.Join(" and ", questions.Where(q => parsed.GetValue(q) != null).Select(q => q.Name))} at once", "ask one question at a time");
            var moved = equivalence.Of(parsed);
            var reach = new TestReach(TestMaps.Read(parsed.GetValue(maps) ?? [], moved), Demangler.Demangle);
            PathOption.WarnOfUnused(moved);
            var paths = reach.Sources.Select(s => s.Path).Distinct().Order(StringComparer.Ordinal).ToList();
            var wanted = filter.Wanted(parsed, paths).ToHashSet();
            var root = SourcePaths.Root(paths, Directory.GetCurrentDirectory());
            var find = new TestSearch(reach, path => SourcePaths.Relative(root, path));
            var chosen = parsed.GetValue(function) is { } name ? find.ByFunction(name)
                : parsed.GetValue(line) is { } place ? find.ByLine(place)
                : parsed.GetValue(file) is { } path ? find.ByFile(path)
                : parsed.GetValue(since) is { } commit ? ByPatch(find, PatchSource.FromGit(commit))
                : parsed.GetValue(patch) is { } diff ? ByPatch(find, PatchSource.FromFile(diff))
                : find.All();
            if (parsed.GetValue(minimal)) chosen = chosen with { Tests = SmallestSet.Of(reach, chosen.Tests, wanted.Contains) };
            foreach (var remark in chosen.Remarks) Terminal.Warning(remark);
            Write(parsed.GetRequiredValue(format), chosen with { IsWanted = wanted.Contains });
        });
        return command;
    }

    private static ChosenTests ByPatch(TestSearch find, (string Patch, string Root) source) => find.ByPatch(PatchFile.ReadChanges(source.Patch), source.Root);

    private static void Write(string format, ChosenTests chosen)
    {
        if (format == "json") StandardOutput.Bytes(stream => Tables.WriteDocument(stream, "weft-coverage-tests", chosen.WriteJson));
        else StandardOutput.Text(output => Formats[format](chosen, output));
    }
}
