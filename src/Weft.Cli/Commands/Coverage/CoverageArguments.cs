using System.CommandLine;
using Weft.Core;
using Weft.Coverage.Exclusions;
using Weft.Coverage.Export;
using Weft.Coverage.Model;
using Weft.Coverage.Profiles;
using Weft.Coverage.Sources;
using Weft.Llvm;

namespace Weft.Cli.Commands.Coverage;

/// <summary>What a report is of.</summary>
/// <param name="Data">What ran, without what comments exclude.</param>
/// <param name="Files">Those of its files that are wanted.</param>
/// <param name="Sources">To show text.</param>
/// <param name="Root">The folder that most paths are relative to.</param>
/// <param name="Binaries">What it is the coverage of.</param>
/// <param name="Profiles">How many were added up.</param>
/// <param name="Remarks">What is not as it should be; said on stderr already.</param>
internal sealed record CoverageInput(CoverageData Data, IReadOnlyList<string> Files, SourceTexts Sources, string Root, IReadOnlyList<string> Binaries, int Profiles, IReadOnlyList<string> Remarks)
{
    /// <summary>Where sources are that were built elsewhere.</summary>
    public PathEquivalence Paths { get; init; } = PathEquivalence.None;

    public string Name(string file) => SourcePaths.Relative(Root, file);
}

/// <summary>The arguments that say which coverage a command is of: programs, profiles, and which files of theirs.</summary>
internal sealed class CoverageArguments
{
    private readonly Argument<string[]>? binaries;
    private readonly Option<string[]> objects = new("--object") { HelpName = "FILE", Description = "A program, library, object or archive that was built for coverage; may be given several times", AllowMultipleArgumentsPerToken = false };
    private readonly Option<string[]>? profiles;
    private readonly SourceFilter filter = new();
    private readonly PathOption equivalence = new();
    private readonly Option<bool> fail = ProfileInputs.FailOnDamage();

    /// <param name="withBinaries">Whether programs are also positional.</param>
    /// <param name="withProfiles">Whether profiles are an option.</param>
    public CoverageArguments(bool withBinaries = true, bool withProfiles = true)
    {
        if (withBinaries) binaries = new Argument<string[]>("BINARY") { Description = "The same as --object [default: the programs that profiles name]", Arity = ArgumentArity.ZeroOrMore };
        if (withProfiles) profiles = new Option<string[]>("--profile") { HelpName = "FILE", Description = $"Profiles and folders with *.profraw in them {ProfileInputs.Default}", AllowMultipleArgumentsPerToken = false };
    }

    public void AddTo(Command command)
    {
        if (binaries != null) command.Add(binaries);
        command.Add(objects);
        if (profiles != null) command.Add(profiles);
        filter.AddTo(command);
        equivalence.AddTo(command);
        command.Add(fail);
    }

    /// <summary>Reads it; says on stderr what is not as it should be.</summary>
    public CoverageInput Of(ParseResult parsed)
    {
        var paths = equivalence.Of(parsed);
        var input = Of(parsed, profiles == null ? [] : parsed.GetValue(profiles) ?? [], [], paths);
        PathOption.WarnOfUnused(paths);
        return input;
    }

    /// <summary>Two sets of profiles.</summary>
    /// <param name="parsed">The other arguments.</param>
    /// <param name="old">The profiles of one, and programs that are given for them alone.</param>
    /// <param name="young">Those of the other.</param>
    public (CoverageInput Old, CoverageInput New) Of(ParseResult parsed, (string Profile, string[] Programs) old, (string Profile, string[] Programs) young)
    {
        var paths = equivalence.Of(parsed);
        var both = (Of(parsed, [old.Profile], old.Programs, paths), Of(parsed, [young.Profile], young.Programs, paths));
        PathOption.WarnOfUnused(paths);
        return both;
    }

    private CoverageInput Of(ParseResult parsed, IReadOnlyList<string> inputs, IReadOnlyList<string> programs, PathEquivalence paths)
    {
        var merged = ProfileInputs.Merge(inputs, parsed.GetValue(fail));
        List<string> named = [.. binaries == null ? [] : parsed.GetValue(binaries) ?? [], .. parsed.GetValue(objects) ?? [], .. programs];
        var files = named.Count > 0 ? named : Counted(merged.Profile);
        var data = CoverageData.Load(files, merged.Profile, Demangler.Demangle, paths);
        var remarks = Remarks(data);
        var sources = new SourceTexts();
        var wanted = filter.Wanted(parsed, data.Files);
        remarks.AddRange(SourceProblems.Of(wanted, data, sources, files.Max(File.GetLastWriteTimeUtc), paths));
        var exclusion = Exclusion.Find(wanted, sources);
        remarks.AddRange(exclusion.Problems);
        foreach (var remark in remarks) Terminal.Warning(remark);
        data = exclusion.Apply(data);
        wanted = wanted.Intersect(data.Files).ToList();
        return new CoverageInput(data, wanted, sources, SourcePaths.Root(wanted, Directory.GetCurrentDirectory()), files, merged.Read, remarks) { Paths = paths };
    }

    /// <summary>The programs that the profiles name.</summary>
    private static IReadOnlyList<string> Counted(Weft.Coverage.Profiles.Profile profile)
    {
        const string again = "run it again to count anew (and remove the old profiles), or name the file that ran with --object FILE";
        var counted = CountedBinaries.Of(profile);
        if (counted.Usable.Count == 0 && counted.Rebuilt.Count > 0) throw new WeftException($"'{counted.Rebuilt[0]}' was built again since it wrote the profile: its counts do not fit it any more", again);
        if (counted.Usable.Count == 0 && counted.Gone.Count > 0) throw new WeftException($"'{counted.Gone[0]}', which wrote the profile, is not there any more", "build it again and run it, or name the file that ran with --object FILE");
        if (counted.Usable.Count == 0) throw WeftException.Usage("which program? the profiles do not say", "name the program that ran, with its libraries");
        foreach (var path in counted.Rebuilt) Terminal.Warning($"'{path}' was built again since it wrote its profile: left out; {again}");
        foreach (var path in counted.Gone) Terminal.Warning($"'{path}', which wrote a profile, is not there any more: left out");
        return counted.Usable;
    }

    private static List<string> Remarks(CoverageData data)
    {
        List<string> remarks = [.. data.Conflicts.Select(c => $"source file '{c.File}' was another when '{c.First}' was built than for '{c.Second}': {Named(c.Functions[0], c.Functions.Count, "differs", "differ")}, and counts may not add up; build both from one version and with the same macros, or make a report of each")];
        if (data.Mismatches is [var first, ..]) remarks.Add($"the profile has counts of another build: {Named(first.Symbol, data.Mismatches.Count, "is", "are")} not the same in '{first.Binary}' (source file '{first.File}'), and left out; run it again, or name the program that ran with --object FILE");
        return remarks;
    }

    private static string Named(string function, int count, string one, string several)
    {
        var name = $"function '{Demangler.Demangle(function)}'";
        return count == 1 ? $"{name} {one}" : $"{name} and {count - 1} {(count == 2 ? "other" : "others")} {several}";
    }
}
