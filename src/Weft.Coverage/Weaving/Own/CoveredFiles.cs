using System.Text.RegularExpressions;
using Weft.Core;

namespace Weft.Coverage.Weaving.Own;

/// <summary>Which files of Rust are of crates that the user wants counted, by the packages that they lie in.</summary>
internal sealed partial class CoveredFiles(string crates, SourceContext context)
{
    private readonly Dictionary<string, string?> packages = new(StringComparer.Ordinal); // by folder

    public bool Contains(string file)
    {
        if (file.StartsWith("/rustc/", StringComparison.Ordinal) || file.Contains("/rustlib/src/", StringComparison.Ordinal)) return false;
        if (crates == CoverageInstrument.AllCrates) return true;
        var package = PackageOf(Path.GetDirectoryName(Path.GetFullPath(file, context.Folder)));
        if (crates == CoverageInstrument.Workspace) return context.Packages.Count == 0 || package != null && context.Packages.Contains(package);
        return package != null && CrateOf(package) is { } name && crates.Split(',').Any(c => c.Replace('-', '_') == name);
    }

    /// <summary>The innermost folder around that has a manifest.</summary>
    private string? PackageOf(string? folder)
    {
        if (string.IsNullOrEmpty(folder)) return null;
        if (!packages.TryGetValue(folder, out var package))
            packages[folder] = package = File.Exists(Path.Combine(folder, "Cargo.toml")) ? folder : PackageOf(Path.GetDirectoryName(folder));
        return package;
    }

    private static string? CrateOf(string package) =>
        Name().Match(File.ReadAllText(Path.Combine(package, "Cargo.toml"))) is { Success: true } name ? name.Groups["name"].Value.Replace('-', '_') : null;

    [GeneratedRegex("^\\s*name\\s*=\\s*\"(?<name>[^\"]*)\"", RegexOptions.Multiline)]
    private static partial Regex Name();
}
