using Weft.Core;
using Weft.Llvm;

namespace Weft.Toolchain;

/// <summary>
/// Finds the libLLVM to work with: <c>WEFT_LLVM</c> (a file), else the one that belongs to the toolchain, else the oldest
/// installed one that is new enough. A reader must be at least as new as the writer of the bitcode.
/// </summary>
public static class LlvmLocator
{
    /// <summary>Loads the library for bitcode of the given LLVM release.</summary>
    /// <param name="writer">Release of the LLVM that writes the bitcode; only the major number counts.</param>
    /// <param name="folders">The toolchain's own library folders, best first.</param>
    /// <param name="who">How messages call the toolchain.</param>
    public static void Load(int writer, IEnumerable<string> folders, string who)
    {
        var path = Chosen() ?? Find(writer, folders) ?? throw Missing(writer, who);
        LlvmLibrary.Load(path);
        if (LlvmLibrary.Version.Major < writer)
            throw new WeftException($"'{path}' is LLVM {LlvmLibrary.Version} and cannot read what {who} writes (LLVM {writer})", $"set WEFT_LLVM to the file of an LLVM library of release {writer} or newer");
    }

    /// <summary>Loads any supported library, newest first, for work that belongs to no toolchain.</summary>
    public static void LoadNewest() => LlvmLibrary.Load(Chosen() ?? Newest() ?? throw Missing(LlvmLibrary.OldestMajor, "Weft"));

    // Looks no further than it must: the big library folders take 20 ms to list.
    private static string? Newest()
    {
        (string? Path, int Major) best = default;
        foreach (var library in Installed())
        {
            if (library.Major > best.Major) best = library;
            if (best.Major == LlvmLibrary.NewestMajor) break;
        }
        return best.Path;
    }

    /// <summary>Release number of the LLVM inside a rustc or clang, from the text of its version output.</summary>
    /// <example>"LLVM version: 22.1.2" (rustc -vV), "Debian clang version 14.0.6"</example>
    public static int? MajorIn(string versionText) => NumberAfter(versionText, "LLVM version: ") ?? NumberAfter(versionText, "clang version ");

    /// <summary>Every libLLVM of a supported release in the usual places, rustup's and cargo's included.</summary>
    public static IEnumerable<(string Path, int Major)> Installed()
    {
        var folders = new List<string>();
        for (var major = LlvmLibrary.NewestMajor; major >= LlvmLibrary.OldestMajor; major--) folders.Add($"/usr/lib/llvm-{major}/lib");
        folders.AddRange(["/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/usr/lib64", "/usr/local/lib", "/usr/lib"]);
        var seen = new HashSet<string>();
        foreach (var folder in folders.Concat(RustupFolders()))
            foreach (var (path, major) in In(folder))
                if (major is >= LlvmLibrary.OldestMajor and <= LlvmLibrary.NewestMajor && seen.Add(RealPath(path)))
                    yield return (path, major);
    }

    private static string? Find(int writer, IEnumerable<string> folders)
    {
        foreach (var folder in folders)
            foreach (var (path, major) in In(folder))
                if (major >= writer)
                    return path;
        return Installed().Where(l => l.Major >= writer).OrderBy(l => l.Major).Select(l => l.Path).FirstOrDefault();
    }

    private static string? Chosen()
    {
        var chosen = Environment.GetEnvironmentVariable("WEFT_LLVM");
        if (string.IsNullOrEmpty(chosen)) return null;
        return File.Exists(chosen) ? chosen : throw new WeftException($"WEFT_LLVM: there is no file '{chosen}'", "give the path of a libLLVM.so");
    }

    private static IEnumerable<(string Path, int Major)> In(string folder)
    {
        if (!Directory.Exists(folder)) yield break;
        foreach (var file in Directory.EnumerateFiles(folder, "libLLVM*.so*").Order(StringComparer.Ordinal))
            if (MajorOf(Path.GetFileName(file)) is { } major && IsLibrary(file))
                yield return (file, major);
    }

    // rustup's toolchains also hold a linker script, some forty bytes of text, under such a name.
    private static bool IsLibrary(string file) => new FileInfo(RealPath(file)) is { Exists: true, Length: > 1 << 20 };

    private static IEnumerable<string> RustupFolders()
    {
        var home = Environment.GetEnvironmentVariable("RUSTUP_HOME") is { Length: > 0 } set ? set : Path.Combine(Environment.GetEnvironmentVariable("HOME") ?? "/", ".rustup");
        var toolchains = Path.Combine(home, "toolchains");
        return Directory.Exists(toolchains) ? Directory.EnumerateDirectories(toolchains).Select(t => Path.Combine(t, "lib")) : [];
    }

    private static string RealPath(string path) => new FileInfo(path).ResolveLinkTarget(returnFinalTarget: true)?.FullName ?? path;

    private static WeftException Missing(int writer, string who) =>
        new($"no libLLVM of release {writer} or newer (up to {LlvmLibrary.NewestMajor}) was found for {who}", "install one (Debian: apt-get install llvm-22) or set WEFT_LLVM to its file");

    // libLLVM.so.22.1, libLLVM-19.so.1, libLLVM.so.22.1-rust-1.95.0-stable, libLLVM-22-rust-1.95.0-stable.so
    private static int? MajorOf(string fileName) => NumberAfter(fileName, "libLLVM-") ?? NumberAfter(fileName, "libLLVM.so.");

    // By hand: this runs for every file that is compiled, and the first regular expression costs 20 ms.
    private static int? NumberAfter(string text, string words)
    {
        var at = text.IndexOf(words, StringComparison.Ordinal);
        if (at < 0) return null;
        var rest = text.AsSpan(at + words.Length);
        var end = rest.IndexOfAnyExceptInRange('0', '9');
        return int.TryParse(end < 0 ? rest : rest[..end], out var number) ? number : null;
    }
}
