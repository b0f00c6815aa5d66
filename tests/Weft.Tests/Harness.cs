using System.Diagnostics;
using System.Globalization;
using System.Runtime.CompilerServices;
using System.Text;
using System.Text.RegularExpressions;
using Weft.Core;

namespace Weft.Tests;

/// <summary>What a program printed and how it ended.</summary>
public sealed record Outcome(int ExitCode, string Output, string Errors)
{
    public override string ToString() => $"exit code {ExitCode}\n--- stdout\n{Output}\n--- stderr\n{Errors}";
}

/// <summary>Runs the built Weft and other programs in a folder of the test's own, with an environment that nothing leaks into.</summary>
public sealed partial class Harness : IDisposable
{
    private static readonly string Cache = Directory.CreateTempSubdirectory("weft-tests-cache-").FullName;

    private readonly DirectoryInfo folder = Directory.CreateTempSubdirectory("weft-test-");

    static Harness() => AppDomain.CurrentDomain.ProcessExit += (_, _) => Directory.Delete(Cache, recursive: true);

    public static string Root { get; } = FindRoot();

    public static string Weft { get; } = System.IO.Path.Combine(Root, "artifacts/weft/weft");

    /// <summary>For a single call; set before running.</summary>
    public Dictionary<string, string?> Environment { get; } = [];

    /// <summary>How long a program may run.</summary>
    public TimeSpan Patience { get; set; } = TimeSpan.FromMinutes(2);

    public string Folder => folder.FullName;

    public string Path(string name) => System.IO.Path.Combine(folder.FullName, name);

    public string Write(string name, string text)
    {
        var path = Path(name);
        Directory.CreateDirectory(System.IO.Path.GetDirectoryName(path)!);
        File.WriteAllText(path, text);
        return path;
    }

    public Outcome RunWeft(params string[] arguments) => Run(Weft, arguments);

    public Outcome Run(string program, params string[] arguments) => Run(program, arguments, input: null);

    /// <summary>Runs to the end, at most two minutes; output and errors as text.</summary>
    public Outcome Run(string program, string[] arguments, byte[]? input)
    {
        var info = new ProcessStartInfo(program)
        {
            UseShellExecute = false,
            WorkingDirectory = Folder,
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            StandardOutputEncoding = Encoding.UTF8,
            StandardErrorEncoding = Encoding.UTF8,
        };
        foreach (var argument in arguments) info.ArgumentList.Add(argument);
        Scrub(info);
        foreach (var (name, value) in Environment)
            if (value == null) info.Environment.Remove(name);
            else info.Environment[name] = value;

        using var process = Process.Start(info)!;
        var output = process.StandardOutput.ReadToEndAsync();
        var errors = process.StandardError.ReadToEndAsync();
        if (input != null)
        {
            try { process.StandardInput.BaseStream.Write(input); }
            catch (IOException) { /* the program ended without reading everything */ }
        }
        process.StandardInput.Close();
        if (!process.WaitForExit(Patience))
        {
            process.Kill(entireProcessTree: true);
            throw new TimeoutException($"still running after {Patience.TotalMinutes} minutes: {program} {string.Join(' ', arguments)}");
        }
        return new Outcome(process.ExitCode, output.Result, errors.Result);
    }

    /// <summary>Runs and expects success.</summary>
    public Outcome Must(string program, params string[] arguments)
    {
        var outcome = Run(program, arguments);
        Assert.True(outcome.ExitCode == 0, $"{program} {string.Join(' ', arguments)}: {outcome}");
        return outcome;
    }

    /// <summary>Bitcode that nothing has optimised, as the doors hand it to the lowering.</summary>
    public byte[] Bitcode(string compiler, string source, params string[] options)
    {
        Write("source.c", source);
        Must(compiler, [.. options.Prepend("-O2"), "-Xclang", "-disable-llvm-passes", "-emit-llvm", "-c", "source.c", "-o", "source.bc"]);
        return File.ReadAllBytes(Path("source.bc"));
    }

    /// <summary>How many instructions a program of the folder executes, which callgrind counts: the same on every run.</summary>
    public double Instructions(string[] options, string program, params string[] arguments)
    {
        var outcome = Must("valgrind", ["--tool=callgrind", "--callgrind-out-file=/dev/null", .. options, Path(program), .. arguments]);
        return double.Parse(Collected().Match(outcome.Errors).Groups["count"].Value, CultureInfo.InvariantCulture);
    }

    [GeneratedRegex(@"Collected : (?<count>\d+)", RegexOptions.ExplicitCapture)]
    private static partial Regex Collected();

    /// <summary>Every failure is a sentence: an <c>error:</c> line, and never .NET's or LLVM's own words about themselves.</summary>
    public static void AssertToldWell(Outcome outcome, ExitCode expected, params string[] mentions)
    {
        Assert.True(outcome.ExitCode == (int)expected, outcome.ToString());
        Assert.StartsWith("error: ", outcome.Errors, StringComparison.Ordinal);
        foreach (var telltale in (string[])["   at ", "Exception", "Unhandled", "PLEASE submit a bug report", "Stack dump", "internal error", "\u001b["])
            Assert.False(outcome.Errors.Contains(telltale), $"'{telltale}' in: {outcome}");
        foreach (var mention in mentions) Assert.Contains(mention, outcome.Errors, StringComparison.Ordinal);
    }

    public void Dispose()
    {
        try { folder.Delete(recursive: true); }
        catch (IOException) { /* a test made something that cannot be deleted; the folder is in /tmp */ }
    }

    private static void Scrub(ProcessStartInfo info)
    {
        foreach (var name in info.Environment.Keys.ToList())
            if (name.StartsWith("WEFT_", StringComparison.Ordinal) || name.StartsWith("CARGO_", StringComparison.Ordinal) || name.StartsWith("DOTNET_TieredC", StringComparison.Ordinal)
                || name is "RUSTFLAGS" or "RUSTC" or "RUSTC_WRAPPER" or "RUSTC_WORKSPACE_WRAPPER" or "RUSTDOCFLAGS" or "NO_COLOR" or "CI" or "MAKEFLAGS" or "LLVM_PROFILE_FILE" or "MSBUILDSDKSPATH")
                info.Environment.Remove(name);
        info.Environment["XDG_CACHE_HOME"] = Cache;
    }

    private static string FindRoot([CallerFilePath] string here = "") => System.IO.Path.GetFullPath(System.IO.Path.Combine(System.IO.Path.GetDirectoryName(here)!, "../.."));
}

/// <summary>A test that needs programs which a machine may lack; skipped by name there.</summary>
public sealed class NeedsAttribute : FactAttribute
{
    public NeedsAttribute(params string[] programs) => Skip = Needs.Missing(programs);
}

/// <summary>As <see cref="NeedsAttribute"/>, for theories.</summary>
public sealed class TheoryNeedsAttribute : TheoryAttribute
{
    public TheoryNeedsAttribute(params string[] programs) => Skip = Needs.Missing(programs);
}

internal static class Needs
{
    /// <summary>Also takes absolute paths of files or folders, and "can-mount".</summary>
    public static string? Missing(string[] programs)
    {
        var missing = programs.Where(p => p == "can-mount" ? !CanMount.Value : p.StartsWith('/') ? !Path.Exists(p) : ChildProcess.Find(p) == null).ToList();
        return missing.Count == 0 ? null : $"needs {string.Join(", ", missing)}";
    }

    private static readonly Lazy<bool> CanMount = new(() =>
    {
        if (Environment.UserName != "root" || ChildProcess.Find("mount") == null) return false;
        var folder = Directory.CreateTempSubdirectory("weft-mount-");
        var mounted = ChildProcess.Capture("mount", ["-t", "tmpfs", "-o", "size=8k", "tmpfs", folder.FullName]).ExitCode == 0;
        if (mounted) ChildProcess.Capture("umount", [folder.FullName]);
        folder.Delete();
        return mounted;
    });
}
