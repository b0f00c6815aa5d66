using System.Security.Cryptography;
using System.Text;
using Weft.Core;

namespace Weft.Toolchain;

/// <summary>Object files for the linker.</summary>
/// <param name="Objects">The runtime.</param>
/// <param name="Bounds">To be named twice, before and behind everything else.</param>
public sealed record LinkedRuntime(IReadOnlyList<string> Objects, IReadOnlyList<string> Bounds);

/// <summary>
/// The C runtime that is linked into instrumented programs. Compiled once per target and compiler from the sources that
/// Weft carries, with the compiler driver of the build at hand, and kept in the cache folder.
/// </summary>
public sealed class Runtime(LoweringCache cache)
{
    /// <summary>Folder of Weft's own files: runtime sources and headers.</summary>
    public static string Folder { get; } = Path.Combine(AppContext.BaseDirectory, "runtime");

    /// <summary>What C and C++ code includes as <c>weft/metering.h</c>.</summary>
    public static string IncludeFolder => Path.Combine(Folder, "include");

    /// <summary>Object files with the runtime of the given instruments, for the target that the compiler and its arguments name.</summary>
    /// <param name="compiler">A C compiler driver (cc, gcc, clang).</param>
    /// <param name="targetArguments">Arguments that choose the target (<c>--target=</c>, <c>--sysroot=</c>, <c>-m32</c>).</param>
    /// <param name="instruments">Names of the woven instruments: NAME.c, NAME_*.c and NAME_*.S are theirs, but for NAME_linux.c or NAME_windows.c of the other system.</param>
    public IReadOnlyList<string> Objects(string compiler, IReadOnlyList<string> targetArguments, IEnumerable<string> instruments)
    {
        var other = targetArguments.Any(TargetSystem.IsMingw) ? "_linux" : "_windows";
        var sources = instruments.Append("support").SelectMany(SourcesOf).Where(s => !Path.GetFileNameWithoutExtension(s).EndsWith(other, StringComparison.Ordinal)).ToList();
        return [.. sources.Select(source => Compile(compiler, targetArguments, source))];
    }

    /// <summary>The same, with objects that go around all others on the linker's command line.</summary>
    public LinkedRuntime Linked(string compiler, IReadOnlyList<string> targetArguments, Weaving weaving) => new(
        Objects(compiler, targetArguments, weaving.Instruments.Select(i => i.Name)),
        [.. weaving.RuntimeBounds.Select(source => Compile(compiler, targetArguments, Path.Combine(Folder, source)))]);

    private static IEnumerable<string> SourcesOf(string name) =>
        Directory.EnumerateFiles(Folder, name + "*").Where(f => Path.GetExtension(f) is ".c" or ".S" && Path.GetFileName(f) is var file && (file == name + ".c" || file.StartsWith(name + "_", StringComparison.Ordinal))).Order(StringComparer.Ordinal);

    private string Compile(string compiler, IReadOnlyList<string> targetArguments, string source)
    {
        var folder = Path.Combine(cache.Root, "runtime");
        var path = Path.Combine(folder, $"{Path.GetFileNameWithoutExtension(source)}-{Key(compiler, targetArguments)}.o");
        if (File.Exists(path)) return path;
        var temporary = $"{path}.{Environment.ProcessId}.tmp.o";
        Prepare(folder);
        List<string> arguments = [.. targetArguments, "-std=c11", "-D_GNU_SOURCE", "-O2", "-fexceptions", "-fPIC", "-g0", "-I", IncludeFolder, "-c", source, "-o", temporary];
        if (source.EndsWith(".c", StringComparison.Ordinal) && Path.GetFileName(source).StartsWith("tracing", StringComparison.Ordinal)) arguments.Insert(0, "-mgeneral-regs-only"); // see runtime/tracing_internal.h
        var result = ChildProcess.Capture(compiler, arguments);
        if (result.ExitCode != 0)
            throw new WeftException($"the runtime does not compile with '{compiler}':\n{result.Errors.TrimEnd()}", "Weft needs a C compiler and the C library's headers for the target");
        File.Move(temporary, path, overwrite: true);
        return path;
    }

    private static void Prepare(string folder)
    {
        try
        {
            Directory.CreateDirectory(folder);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new WeftException($"cannot create '{folder}': {e.Message}", "set XDG_CACHE_HOME to a folder that can be written", ExitCode.Failure, e);
        }
    }

    private static string Key(string compiler, IReadOnlyList<string> targetArguments)
    {
        var text = new StringBuilder(ChildProcess.Find(compiler) ?? compiler).Append('\n').AppendJoin('\n', targetArguments);
        foreach (var file in Directory.EnumerateFiles(Folder, "*", SearchOption.AllDirectories).Order(StringComparer.Ordinal))
            text.Append(Convert.ToHexString(SHA256.HashData(File.ReadAllBytes(file))));
        return Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(text.ToString())))[..16];
    }
}
