using Weft.Core;

namespace Weft.RealPrograms;

/// <summary>Sources of real programs from Debian, for the slow tests and the benchmarks. Needs root to install packages.</summary>
public static class DebianSource
{
    private static readonly Lazy<bool> SourcesListed = new(ListSources);

    /// <summary>Where sources and builds are kept between runs: below the repository's artifacts folder.</summary>
    public static string Folder { get; } = Path.Combine(Root(), "artifacts", "real-programs");

    /// <summary>Installs Debian packages; does nothing when they are there.</summary>
    public static void Install(params string[] packages)
    {
        var missing = packages.Where(p => ChildProcess.Capture("dpkg", ["-s", p]).ExitCode != 0).ToList();
        if (missing.Count == 0) return;
        _ = SourcesListed.Value;
        Must("apt-get", ["install", "-y", "-qq", "--no-install-recommends", .. missing], Folder);
    }

    /// <summary>Unpacks a Debian source package with its patches, or as its authors released it; returns the folder.</summary>
    public static string Unpack(string package, bool patched = true)
    {
        var folder = Path.Combine(Folder, "src", patched ? package : package + "-released");
        if (Directory.Exists(folder)) return folder;
        Install("dpkg-dev", "patch", "xz-utils", "bzip2", "make");
        _ = SourcesListed.Value;
        var download = Directory.CreateDirectory(Path.Combine(Folder, "download", package)).FullName;
        Must("apt-get", ["source", "--download-only", "-qq", package], download);
        Directory.CreateDirectory(Path.GetDirectoryName(folder)!);
        Must("dpkg-source", ["--no-check", .. patched ? (string[])[] : ["--skip-patches"], "-x", Directory.GetFiles(download, "*.dsc").Single(), folder + ".new"], download);
        Directory.Move(folder + ".new", folder);
        return folder;
    }

    /// <summary>Copies a crate out of Debian's registry, where files must stay as they are.</summary>
    public static string UnpackCrate(string name)
    {
        var folder = Path.Combine(Folder, "src", name);
        if (!Directory.Exists(folder))
        {
            var source = Directory.GetDirectories("/usr/share/cargo/registry", name + "-*").Order(StringComparer.Ordinal).First(d => char.IsAsciiDigit(d[d.LastIndexOf('/')..][name.Length + 2]));
            Directory.CreateDirectory(Path.GetDirectoryName(folder)!);
            Must("cp", ["-rL", source, folder], Folder);
        }
        UseDebianCrates(folder);
        return folder;
    }

    /// <summary>Makes cargo take crates from Debian's packages; the lock file pins versions that Debian has not.</summary>
    public static void UseDebianCrates(string folder)
    {
        File.Delete(Path.Combine(folder, "Cargo.lock"));
        Directory.CreateDirectory(Path.Combine(folder, ".cargo"));
        File.WriteAllText(Path.Combine(folder, ".cargo/config.toml"), """
            [source.crates-io]
            replace-with = "debian"
            [source.debian]
            directory = "/usr/share/cargo/registry"

            """);
    }

    /// <summary>Runs a command that has to succeed; returns what it printed.</summary>
    public static string Must(string program, IReadOnlyList<string> arguments, string folder, IReadOnlyDictionary<string, string?>? environment = null)
    {
        Directory.CreateDirectory(folder);
        var result = ChildProcess.Capture(program, arguments, environment, folder);
        return result.ExitCode == 0
            ? result.Output
            : throw new WeftException($"{program} {string.Join(' ', arguments)} failed with {result.ExitCode} in {folder}\n{Tail(result.Output)}\n{Tail(result.Errors)}");
    }

    private static string Tail(string text) => text.Length < 4000 ? text : text[^4000..];

    private static bool ListSources()
    {
        const string ours = "/etc/apt/sources.list.d/weft-sources.sources", theirs = "/etc/apt/sources.list.d/debian.sources";
        if (!File.Exists(ours) && File.Exists(theirs)) File.WriteAllText(ours, File.ReadAllText(theirs).Replace("Types: deb\n", "Types: deb-src\n"));
        Must("apt-get", ["update", "-qq"], Folder);
        return true;
    }

    private static string Root([System.Runtime.CompilerServices.CallerFilePath] string here = "") => Path.GetFullPath(Path.Combine(Path.GetDirectoryName(here)!, "../.."));
}
