using System.Text.Json;
using System.Text.RegularExpressions;
using Weft.Core;

namespace Weft.Bench;

/// <summary>The kernels of bench/kernels, built with what is to be measured and without, and run.</summary>
internal static class Kernels
{
    private static readonly string Sources = Path.Combine(Measured.Repository, "bench/kernels");
    private static readonly string Include = Path.Combine(Measured.Repository, "runtime/include");
    private static readonly Dictionary<string, string?> Clang22 = new() { ["WEFT_CC"] = "clang-22" };

    /// <summary>The sources of those in C.</summary>
    public static IReadOnlyList<string> InC { get; } = [.. Directory.GetFiles(Sources, "*.c").Order(StringComparer.Ordinal).Where(f => Path.GetFileName(f) != "main.c")];

    public static IReadOnlyList<string> InRust { get; } = [.. Directory.GetFiles(Path.Combine(Sources, "rust/src/bin"), "*.rs").Order(StringComparer.Ordinal).Select(f => Path.GetFileNameWithoutExtension(f))];

    /// <summary>
    /// Compiles a kernel in C and links it with its harness, which is never woven.
    /// </summary>
    /// <param name="source">The kernel's source.</param>
    /// <param name="program">What is built.</param>
    /// <param name="compiler">The command, with its options.</param>
    /// <param name="objects">What is linked too.</param>
    public static string Compile(string source, string program, string[] compiler, params string[] objects)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(program)!);
        string[] options = ["-std=c11", "-O2", "-I", Include, "-I", Sources];
        var harness = Path.Combine(Path.GetDirectoryName(program)!, "main.o");
        Measured.Run("clang-22", [.. options, "-c", Path.Combine(Sources, "main.c"), "-o", harness], Sources);
        Measured.Run(compiler[0], [.. compiler[1..], .. options, "-c", source, "-o", program + ".o"], Sources, Clang22);
        Measured.Run(compiler[0], [.. compiler[1..], program + ".o", harness, .. objects, "-o", program, "-lpthread", "-lm"], Sources, Clang22);
        return program;
    }

    /// <summary>
    /// An option for run times. Intel's processors of the years before 2020 decode a branch that crosses a 32-byte boundary anew each time; moving code
    /// by a few bytes then changes a kernel by up to 30 %, so neither side has such branches. What keeps them from it are instructions, too.
    /// </summary>
    public const string Aligned = "-mbranches-within-32B-boundaries";

    /// <summary>A copy of a kernel's source that makes one of its equal passes, for what is the same in all of them.</summary>
    public static string OnePass(string source, string folder)
    {
        Directory.CreateDirectory(folder);
        var copy = Path.Combine(folder, Path.GetFileName(source));
        File.WriteAllText(copy, Regex.Replace(File.ReadAllText(source), "kernel_passes = [0-9]+;", "kernel_passes = 1;"));
        return copy;
    }

    /// <summary>
    /// Builds the kernels in Rust with Weft; returns the folder they are in. Without an instrument it is the same lowering: what
    /// the door itself changes stands in cargo's table.
    /// </summary>
    public static string BuildRust(string target, string variant, params string[] options)
    {
        var environment = new Dictionary<string, string?> { ["WEFT_FORCE_LOWER"] = "1", ["RUSTFLAGS"] = "-C llvm-args=-x86-branches-within-32B-boundaries" };
        Measured.Run(Measured.Weft, ["cargo", "build", "--release", "--offline", "--target-dir", Path.Combine(target, variant), .. options], Path.Combine(Sources, "rust"), environment);
        return Directory.GetDirectories(Path.Combine(target, variant, "weft")).Select(d => Path.Combine(d, Measured.Triple, "release")).Single(Directory.Exists);
    }

    /// <summary>Runs a kernel; returns what its harness says.</summary>
    public static JsonDocument Run(string program, params (string Name, string Value)[] environment)
    {
        var result = ChildProcess.Capture(program, [], environment.ToDictionary(e => e.Name, e => (string?)e.Value), Path.GetDirectoryName(program)!);
        return result.ExitCode == 0 ? JsonDocument.Parse(result.Output) : throw new WeftException($"{program} failed with {result.ExitCode}: {result.Errors}");
    }
}
