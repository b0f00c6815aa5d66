using Weft.Core;

namespace Weft.Toolchain.Link;

/// <summary>
/// The toolchain's own: start files, the C and C++ libraries and what compilers call of themselves. No build weaves those, so a link may
/// take them in. They go by name, and only where the compiler or the system keeps them.
/// </summary>
/// <param name="folders">Where those are.</param>
internal sealed class ToolchainFiles(IEnumerable<string> folders)
{
    private static readonly string[] System = ["/lib", "/lib64", "/usr/lib", "/usr/lib64"];

    // Up to the first dot.
    private static readonly HashSet<string> Libraries =
        ["libc", "libc_nonshared", "libm", "libmvec", "libpthread", "libdl", "librt", "libutil", "libresolv", "libgcc", "libgcc_s", "libgcc_eh", "libatomic", "libclang_rt", "libstdc++", "libsupc++", "libc++", "libc++abi", "libunwind"];

    private readonly List<string> folders = [.. folders.Concat(System).Where(f => f.StartsWith('/')).Select(f => Path.GetFullPath(f).TrimEnd('/') + "/").Distinct()];

    /// <summary>With the folders that a compiler driver says it searches.</summary>
    public static ToolchainFiles Of(string compiler, IReadOnlyList<string> arguments, params IEnumerable<string> others)
    {
        const string title = "libraries: =";
        var answer = ChildProcess.Capture(compiler, [.. arguments, "-print-search-dirs"]).Output;
        var line = answer.Split('\n').FirstOrDefault(l => l.StartsWith(title, StringComparison.Ordinal));
        return new([.. line?[title.Length..].Split(':') ?? [], .. others]);
    }

    public bool Owns(string path) =>
        Path.GetFullPath(path) is var full && folders.Any(f => full.StartsWith(f, StringComparison.Ordinal)) && IsName(Path.GetFileName(path));

    private static bool IsName(string name) =>
        Libraries.Contains(name.Split('.')[0]) || IsStartFile(name) || name.StartsWith("ld-linux", StringComparison.Ordinal) || name.StartsWith("ld-musl", StringComparison.Ordinal)
        || name.StartsWith("libcompiler_builtins-", StringComparison.Ordinal);

    // crt1.o, Scrt1.o, gcrt1.o, rcrt1.o, crti.o, crtn.o, crtbeginS.o, crtendS.o, clang_rt.crtbegin-x86_64.o
    private static bool IsStartFile(string name) =>
        name.EndsWith(".o", StringComparison.Ordinal) && (name.EndsWith("crt1.o", StringComparison.Ordinal) || name is "crt0.o" or "crti.o" or "crtn.o" || name.Contains("crtbegin", StringComparison.Ordinal) || name.Contains("crtend", StringComparison.Ordinal));
}
