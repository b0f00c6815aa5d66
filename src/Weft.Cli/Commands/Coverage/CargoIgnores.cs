using System.Text.Json;
using System.Text.RegularExpressions;
using Weft.Core;

namespace Weft.Cli.Commands.Coverage;

/// <summary>
/// What of a cargo workspace is not under test, as cargo-llvm-cov has it: tests, examples and benches themselves, what builds make,
/// dependencies (also vendored ones) and toolchains.
/// </summary>
internal static class CargoIgnores
{
    /// <returns>Nothing where no workspace is at hand.</returns>
    public static IEnumerable<Regex> Find(string folder)
    {
        if (Metadata(folder) is not { } metadata) return [];
        using (metadata)
        {
            var root = Escaped(metadata, "workspace_root");
            List<string> patterns =
            [
                "/rustc/([0-9a-f]+|[0-9]+[.][0-9]+[.][0-9]+)/",
                $"^{root}(/.*)?/(tests|examples|benches)/",
                $"^{root}(/.*)?/(tests[.]rs|[0-9a-zA-Z_-]+[_-]tests[.]rs)$",
                $"^{Escaped(metadata, "target_directory")}/",
                $"^{Regex.Escape(Home("CARGO_HOME", ".cargo"))}/(registry|git)/",
                $"^{Regex.Escape(Home("RUSTUP_HOME", ".rustup"))}/toolchains/",
                .. Dependencies(metadata).Select(path => $"^{Regex.Escape(path)}/"),
            ];
            return patterns.ConvertAll(p => new Regex(p, RegexOptions.CultureInvariant | RegexOptions.NonBacktracking));
        }
    }

    private static JsonDocument? Metadata(string folder)
    {
        for (var at = folder; at != null && !File.Exists(Path.Combine(at, "Cargo.toml")); at = Path.GetDirectoryName(at))
            if (at == "/") return null;
        if (ChildProcess.Find("cargo") == null) return null;
        // All packages if that needs no network; else the workspace alone.
        foreach (var options in (string[][])[["--offline"], ["--offline", "--no-deps"]])
        {
            var answer = ChildProcess.Capture("cargo", ["metadata", "--format-version", "1", .. options], workingDirectory: folder);
            if (answer.ExitCode == 0) return JsonDocument.Parse(answer.Output);
        }
        return null;
    }

    /// <summary>Packages that have a source elsewhere: of registries and of git, wherever they are unpacked.</summary>
    private static IEnumerable<string> Dependencies(JsonDocument metadata) => metadata.RootElement.GetProperty("packages").EnumerateArray()
        .Where(package => package.GetProperty("source").ValueKind == JsonValueKind.String)
        .Select(package => Path.GetDirectoryName(package.GetProperty("manifest_path").GetString())!);

    private static string Escaped(JsonDocument metadata, string property) => Regex.Escape(metadata.RootElement.GetProperty(property).GetString()!);

    private static string Home(string variable, string folder) =>
        Environment.GetEnvironmentVariable(variable) is { Length: > 0 } wish ? wish.TrimEnd('/') : Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.UserProfile), folder);
}
