using System.Text.Json;
using Weft.Core;

namespace Weft.Toolchain.Cargo;

/// <summary>Crates by the names people know them by: a package stands for every crate in it. A name of nothing is an error.</summary>
internal static class SkippedCrates
{
    public static IReadOnlyList<string> Resolve(IReadOnlyList<string> asked, IReadOnlyList<string> cargo, IReadOnlyList<string> global, string platform)
    {
        var packages = Packages(cargo, global, platform);
        var crates = new SortedSet<string>(StringComparer.Ordinal);
        foreach (var name in asked)
        {
            var found = packages.SelectMany(p => CratesOf(p, Canonical(name))).ToList();
            if (found.Count == 0) throw Unknown(name, asked);
            crates.UnionWith(found);
        }
        return [.. crates];
    }

    private static IEnumerable<string> CratesOf(CargoPackage package, string name)
    {
        var crates = package.Targets.Where(t => !t.Kinds.Contains("custom-build")).Select(t => Canonical(t.Name));
        return Canonical(package.Name) == name ? crates : crates.Where(c => c == name);
    }

    // For one platform: otherwise cargo would download what only others need.
    private static List<CargoPackage> Packages(IReadOnlyList<string> cargo, IReadOnlyList<string> global, string platform)
    {
        var answer = ChildProcess.Capture(cargo[0], [.. cargo.Skip(1), "metadata", "--format-version", "1", "--filter-platform", platform, .. global]);
        if (answer.ExitCode != 0) throw new WeftException($"cargo cannot tell which crates there are to skip:\n{answer.Errors.TrimEnd()}", null, (ExitCode)answer.ExitCode);
        using var metadata = JsonDocument.Parse(answer.Output);
        return [.. metadata.RootElement.GetProperty("packages").EnumerateArray().Select(CargoPackage.From)];
    }

    private static WeftException Unknown(string name, IReadOnlyList<string> asked) =>
        WeftException.Usage($"--skip: this project has no crate '{name}'{(asked.Count > 1 ? $" (asked to skip: {string.Join(", ", asked)})" : "")}", "crates are named as in the [package] sections of the workspace and its dependencies; 'cargo tree' lists them");

    // rustc's name of a crate has '_' where Cargo.toml may have '-'.
    private static string Canonical(string name) => name.Replace('-', '_');
}
