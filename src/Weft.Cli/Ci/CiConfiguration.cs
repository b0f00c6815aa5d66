using System.Text;
using Weft.Core;

namespace Weft.Cli.Ci;

/// <summary>
/// What the three commands remember, in the file that cargo-compiler-interrupts used; its own settings are understood.
/// </summary>
internal sealed record CiConfiguration
{
    private const string Version = "1";

    // Settings about the library that Weft does not need; the original wrote them.
    private static readonly string[] Obsolete = ["library_path", "library_debug_path", "checksum", "url"];

    /// <summary>Options of the original's pass, as they were given.</summary>
    public string LibraryArguments { get; init; } = "";

    /// <summary>Release of the LLVM that was there when the file was written; a note for people.</summary>
    public string LlvmVersion { get; init; } = "";

    /// <summary>Settings that the file has and this version has no use for.</summary>
    public IReadOnlyList<string> Unused { get; init; } = [];

    public static string Path { get; } = System.IO.Path.Combine(Folder(), "cargo-compiler-interrupts", "default.cfg");

    /// <summary>Null when there is no file; throws when there is one that cannot be understood.</summary>
    public static CiConfiguration? Load()
    {
        if (Directory.Exists(Path)) throw new WeftException($"'{Path}' is a folder, not a file", "the configuration has its place there: move the folder away");
        if (!File.Exists(Path)) return null;
        try
        {
            return From(SettingsFile.Parse(new UTF8Encoding(false, throwOnInvalidBytes: true).GetString(AtomicFile.Read(Path))));
        }
        catch (DecoderFallbackException)
        {
            throw Corrupt("it is not UTF-8 text");
        }
        catch (FormatException e)
        {
            throw Corrupt(e.Message);
        }
    }

    public void Save()
    {
        try
        {
            Directory.CreateDirectory(System.IO.Path.GetDirectoryName(Path)!);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new WeftException($"cannot make the folder of '{Path}': {e.Message}", "check free space and permissions, or set XDG_CONFIG_HOME to a folder that can be written", ExitCode.Failure, e);
        }
        if (Directory.Exists(Path)) throw new WeftException($"'{Path}' is a folder, not a file", "the configuration has its place there: move the folder away");
        AtomicFile.Write(Path, Encoding.UTF8.GetBytes(SettingsFile.Write("Configuration of cargo-build-ci and cargo-run-ci; change it with: cargo-lib-ci config",
            [("config_version", Version), ("llvm_version", LlvmVersion), ("library_args", LibraryArguments)])));
    }

    /// <summary>False when there was none.</summary>
    public static bool Remove()
    {
        if (!File.Exists(Path)) return false;
        try
        {
            File.Delete(Path);
            var folder = System.IO.Path.GetDirectoryName(Path)!;
            if (!Directory.EnumerateFileSystemEntries(folder).Any()) Directory.Delete(folder);
            return true;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new WeftException($"cannot remove '{Path}': {e.Message}", null, ExitCode.Failure, e);
        }
    }

    private static CiConfiguration From(IReadOnlyDictionary<string, string> settings)
    {
        if (settings.Keys.FirstOrDefault(k => k is not ("config_version" or "llvm_version" or "library_args") && !Obsolete.Contains(k)) is { } unknown) throw new FormatException($"there is no setting '{unknown}'");
        if (settings.GetValueOrDefault("config_version", Version) is var version && version != Version) throw new FormatException($"config_version {version} belongs to another version of Weft; this one reads {Version}");
        return new()
        {
            LibraryArguments = settings.GetValueOrDefault("library_args", ""),
            LlvmVersion = settings.GetValueOrDefault("llvm_version", ""),
            Unused = [.. settings.Keys.Where(Obsolete.Contains)],
        };
    }

    private static WeftException Corrupt(string what) => new($"'{Path}': {what}", "correct the file, or start anew: cargo-lib-ci uninstall, then cargo-lib-ci install");

    // The XDG rules: a folder that is not absolute does not count.
    private static string Folder()
    {
        if (Environment.GetEnvironmentVariable("XDG_CONFIG_HOME") is { } set && set.StartsWith('/')) return set;
        return Environment.GetEnvironmentVariable("HOME") is { Length: > 0 } home ? System.IO.Path.Combine(home, ".config") : throw new WeftException("neither HOME nor XDG_CONFIG_HOME is set", "set HOME: the configuration is below it");
    }
}
