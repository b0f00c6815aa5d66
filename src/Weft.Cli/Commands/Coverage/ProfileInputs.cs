using System.CommandLine;
using Weft.Core;
using Weft.Coverage.PerTest;
using Weft.Coverage.Profiles;

namespace Weft.Cli.Commands.Coverage;

/// <summary>The profiles that a command is of.</summary>
internal static class ProfileInputs
{
    public const string Default = "[default: all *.profraw in WEFT_OUT/coverage or ./weft-out/coverage]";

    public static Option<bool> FailOnDamage() => new("--fail-on-damage") { Description = "Fail if a profile is damaged, and do not merely leave it out" };

    /// <summary>Reads and adds up files, and what folders have in them; says what had to be left out.</summary>
    /// <param name="inputs">Files and folders; none for the default.</param>
    /// <param name="failOnDamage">See <see cref="ProfileMerge.Merge"/>.</param>
    /// <exception cref="WeftException">There are none, or none that can be read.</exception>
    public static MergeResult Merge(IReadOnlyList<string> inputs, bool failOnDamage)
    {
        var files = Find(inputs);
        var result = ProfileMerge.Merge(files, failOnDamage);
        foreach (var problem in result.Skipped) Terminal.Warning($"{problem}; it is left out");
        foreach (var warning in result.Warnings) Terminal.Warning(warning);
        return result.Read > 0 ? result : throw new WeftException(files.Count == 1 ? $"the profile '{files[0]}' cannot be read" : $"none of {files.Count} profiles can be read", "run the program again to make them anew");
    }

    private static List<string> Find(IReadOnlyList<string> inputs)
    {
        if (inputs.Count == 0)
        {
            var folder = TestMaps.Folder;
            return Directory.Exists(folder) && In(folder) is { Count: > 0 } found
                ? found
                : throw WeftException.Usage($"which profiles? there are none in '{folder}'", "name files or folders, or make some: build with weft cargo build --with coverage or weft cc --with=coverage, and run the program");
        }
        var files = new List<string>();
        foreach (var input in inputs)
        {
            if (!Directory.Exists(input)) files.Add(input);
            else if (In(input) is { Count: > 0 } found) files.AddRange(found);
            else throw new WeftException($"no *.profraw below '{input}'", "name the folder that programs built for coverage wrote to, or files");
        }
        return files;
    }

    private static List<string> In(string folder)
    {
        var below = new EnumerationOptions { RecurseSubdirectories = true, IgnoreInaccessible = true };
        var files = Directory.EnumerateFiles(folder, "*.profraw", below).Concat(Directory.EnumerateFiles(folder, TestStore.ProfileName, below)).ToList();
        files.Sort(StringComparer.Ordinal);
        return files;
    }
}
