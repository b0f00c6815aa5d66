using System.CommandLine;
using System.Runtime.InteropServices;
using System.Text.Json;
using Weft.Core;
using Weft.Llvm;
using Weft.Toolchain;
using Weft.Toolchain.Clang;

namespace Weft.Cli.Commands;

/// <summary>What Weft finds on this machine, what it lacks, and the exact way to get it.</summary>
internal static class DoctorCommand
{
    private enum Verdict { Ok, Missing, Optional }

    private sealed record Check(string Name, Verdict Verdict, string Found, string? Fix = null);

    public static Command Create()
    {
        var json = new Option<bool>("--json") { Description = "Print one JSON object" };
        var command = new Command("doctor", "Check the toolchains Weft works with; says what is missing and how to get it.") { json };
        command.SetAction(parsed => Run(parsed.GetValue(json)));
        return command;
    }

    private static int Run(bool json)
    {
        var libraries = LlvmLocator.Installed().OrderByDescending(l => l.Major).ToList();
        var cache = new LoweringCache();
        var (rust, rustWorks) = Rust(libraries);
        var (clang, clangWorks) = Clang(libraries);
        List<Check> checks = [.. Libraries(libraries), .. rust, .. clang, .. Linking(cache), CacheFolder(cache), .. Variables(), .. TimeStampCounter(), .. Patching(), .. Coverage(rustWorks, clangWorks), .. Extras()];
        if (json) WriteJson(checks, rustWorks, clangWorks);
        else Write(checks, rustWorks, clangWorks);
        return (int)(rustWorks || clangWorks ? ExitCode.Success : ExitCode.CheckFailed);
    }

    private static IEnumerable<Check> Libraries(List<(string Path, int Major)> libraries) => libraries.Count > 0
        ? libraries.Select(l => new Check("libLLVM", Verdict.Ok, $"{l.Major}: {l.Path}"))
        : [new("libLLVM", Verdict.Missing, $"none of release {LlvmLibrary.OldestMajor} to {LlvmLibrary.NewestMajor}", "apt-get install llvm-22, or set WEFT_LLVM to the file of a libLLVM.so")];

    private static (List<Check> Checks, bool Works) Rust(List<(string Path, int Major)> libraries)
    {
        const string install = "curl https://sh.rustup.rs -sSf | sh";
        var cargo = Ask("cargo", "--version");
        var rustc = Ask("rustc", "-vV");
        var checks = new List<Check>
        {
            cargo == null ? new("cargo", Verdict.Missing, "not on PATH", install) : new("cargo", Verdict.Ok, FirstLine(cargo)),
        };
        if (rustc == null) return ([.. checks, new("rustc", Verdict.Missing, "not on PATH", install)], false);
        var llvm = LlvmLocator.MajorIn(rustc);
        var readable = libraries.Any(l => l.Major >= llvm);
        checks.Add(readable
            ? new("rustc", Verdict.Ok, $"{FirstLine(rustc)}, LLVM {llvm}")
            : new("rustc", Verdict.Missing, $"{FirstLine(rustc)}, LLVM {llvm}, which no library found can read", $"apt-get install llvm-{llvm}, or a toolchain with its own libLLVM (rustup's have one)"));
        return (checks, cargo != null && readable);
    }

    private static (List<Check> Checks, bool Works) Clang(List<(string Path, int Major)> libraries)
    {
        var found = new List<(string Path, string Version, int Major)>();
        var names = Enumerable.Range(14, LlvmLibrary.NewestMajor - 14 + 1).Reverse().Select(v => $"clang-{v}").Prepend("clang");
        if (Environment.GetEnvironmentVariable("WEFT_CC") is { Length: > 0 } chosen) names = names.Prepend(chosen);
        foreach (var name in names)
            if (ChildProcess.Find(name) is { } path && Ask(path, "--version") is { } version && LlvmLocator.MajorIn(version) is { } major)
                found.Add((path, FirstLine(version), major));
        var used = ClangDoor.FindCompiler()?.Select(ChildProcess.Find).LastOrDefault(p => p != null);
        bool Supported(int major) => major is >= LlvmLibrary.OldestMajor and <= LlvmLibrary.NewestMajor;
        bool Readable(int major) => libraries.Any(l => l.Major >= major);
        var checks = found.DistinctBy(c => c.Path).Select(c => new Check("clang", c.Path == used ? Verdict.Ok : Verdict.Optional,
            $"{c.Path}: {c.Version}{(c.Path == used ? " (used)" : "")}{(!Supported(c.Major) ? $" (its bitcode can be lowered, but weft cc needs {LlvmLibrary.OldestMajor} to {LlvmLibrary.NewestMajor})" : !Readable(c.Major) ? $" (no libLLVM {c.Major} or newer to read what it writes)" : "")}",
            Supported(c.Major) && !Readable(c.Major) ? $"apt-get install llvm-{c.Major}" : null)).ToList();
        if (used == null) checks.Add(new("clang", Verdict.Missing, $"none of clang-{LlvmLibrary.OldestMajor} to clang-{LlvmLibrary.NewestMajor} on PATH", $"apt-get install clang-{LlvmLibrary.NewestMajor}"));
        return (checks, used != null);
    }

    /// <summary>Tracing and hotpatch make code writable for the moment in which they switch functions.</summary>
    private static IEnumerable<Check> Patching()
    {
        var (kernel, fence) = (Environment.OSVersion.Version, new Version(4, 16));
        yield return kernel >= fence
            ? new("hotpatch", Verdict.Ok, "nothing else is needed, no ptrace and no debugger")
            : new("hotpatch", Verdict.Optional, $"Linux {kernel.ToString(2)} cannot make all processors fetch code anew (membarrier): they may run what was replaced a moment longer", $"Linux {fence} or newer");
        const string policy = "/sys/fs/selinux/enforce";
        var enforced = File.Exists(policy) && File.ReadAllText(policy).Trim() == "1";
        if (enforced) yield return new("tracing", Verdict.Optional, "SELinux is enforced: where it forbids writable code, functions stay off", "allow execmod for the program, or its domain");
        if (enforced) yield return new("hotpatch", Verdict.Optional, "SELinux is enforced: where it forbids writable code, patches are refused", "allow execmod and execmem for the program, or its domain");
    }

    /// <summary>
    /// Weft counts, writes, reads and reports by itself: neither clang's profiling library nor llvm-tools are needed. rustc
    /// alone asks for a library of its own before it hands out regions.
    /// </summary>
    private static IEnumerable<Check> Coverage(bool rustWorks, bool clangWorks)
    {
        const string name = "coverage", alone = "nothing else is needed";
        if (clangWorks) yield return new(name, Verdict.Ok, $"of C and C++: {alone}, no compiler-rt and no llvm-tools");
        if (!rustWorks) yield break;
        yield return HasProfilerBuiltins()
            ? new(name, Verdict.Ok, $"of Rust: {alone}, no llvm-tools and no cargo-llvm-cov")
            : new(name, Verdict.Optional, "of Rust: this rustc lacks its library profiler_builtins, and refuses without", "a toolchain of rustup's, which has it: curl https://sh.rustup.rs -sSf | sh");
    }

    /// <summary>Whether rustc hands out regions of coverage: some distributions leave that library out.</summary>
    public static bool HasProfilerBuiltins() =>
        Ask("rustc", "--print=target-libdir")?.Trim() is { Length: > 0 } folder && Directory.Exists(folder) && Directory.EnumerateFiles(folder, "libprofiler_builtins-*.rlib").Any();

    private static IEnumerable<Check> Variables() =>
        BuildOptions.UnknownVariables(Roles.Instruments).Select(v => new Check("variable", Verdict.Optional, $"{v} is set, and Weft knows no such variable", $"unset {v}, or spell it as docs/cargo.md and docs/clang.md do"));

    /// <summary>What a Rust build lacks beside its compiler; null: nothing.</summary>
    public static (string What, string? Fix)? MissingLinker() =>
        Linking(new LoweringCache()).FirstOrDefault(c => c.Verdict == Verdict.Missing) is { } check ? ($"{check.Name}: {check.Found}", check.Fix) : null;

    private static IEnumerable<Check> Linking(LoweringCache cache)
    {
        var compiler = ChildProcess.Find("cc") ?? ChildProcess.Find("gcc") ?? ChildProcess.Find("clang");
        yield return compiler != null ? new("C compiler", Verdict.Ok, compiler) : new("C compiler", Verdict.Missing, "no cc on PATH", "apt-get install gcc libc6-dev");
        var linker = ChildProcess.Find("ld") ?? ChildProcess.Find("ld.lld");
        yield return linker != null ? new("linker", Verdict.Ok, linker) : new("linker", Verdict.Missing, "no ld on PATH", "apt-get install binutils");
        if (compiler != null) yield return Compiles(compiler, cache);
    }

    private static Check Compiles(string compiler, LoweringCache cache)
    {
        if (!Directory.Exists(Runtime.Folder)) return new("runtime", Verdict.Missing, $"no folder {Runtime.Folder}", "build or install Weft again");
        try
        {
            var objects = new Runtime(cache).Objects(compiler, [], Roles.Instruments.All.Select(i => i.Name));
            return new("runtime", Verdict.Ok, $"compiles ({objects.Count} files)");
        }
        catch (WeftException e)
        {
            return new("runtime", Verdict.Missing, e.Message, "apt-get install libc6-dev");
        }
    }

    private static Check CacheFolder(LoweringCache cache)
    {
        var (entries, bytes) = cache.Measure();
        var state = $"{cache.Root}, {entries} entries, {CacheCommand.Size(bytes)} of {(cache.Limit == 0 ? "none (off)" : CacheCommand.Size(cache.Limit))}";
        var probe = Path.Combine(cache.Root, $".probe-{Environment.ProcessId}");
        try
        {
            Directory.CreateDirectory(cache.Root);
            File.WriteAllText(probe, "");
            File.Delete(probe);
            return new("cache", Verdict.Ok, state);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return new("cache", Verdict.Optional, $"{state}, cannot be written: {e.Message}", "set XDG_CACHE_HOME to a folder that can be written");
        }
    }

    /// <summary>What interrupts by time are measured with. A counter that is not invariant stops or changes its speed with the processor's.</summary>
    private static IEnumerable<Check> TimeStampCounter()
    {
        const string processors = "/proc/cpuinfo";
        if (RuntimeInformation.ProcessArchitecture != Architecture.X64 || !File.Exists(processors)) yield break;
        var flags = File.ReadLines(processors).FirstOrDefault(l => l.StartsWith("flags", StringComparison.Ordinal))?.Split(' ') ?? [];
        if (flags.Contains("constant_tsc") && flags.Contains("nonstop_tsc")) yield return new("time stamps", Verdict.Ok, "the counter is invariant");
        else yield return new("time stamps", Verdict.Optional, "the counter may change its speed: interrupts in cycles are not exact in time here; --interrupts-clock flag is");
    }

    private static IEnumerable<Check> Extras()
    {
        yield return Extra("lld", "links faster", "apt-get install lld-22", "ld.lld", "ld.lld-22", "ld.lld-19");
        yield return Extra("npm", "fetches the parsers of --coverage-regions own, once", "apt-get install npm (with a Node.js that is not the distribution's: the npm that comes with it)", "npm");
        yield return Extra("qemu", "runs programs built for other CPUs", "apt-get install qemu-user", "qemu-aarch64", "qemu-x86_64");
        yield return Extra("mingw", "builds programs for Windows: weft cc --target=x86_64-w64-mingw32", "apt-get install gcc-mingw-w64-x86-64 g++-mingw-w64-x86-64", "x86_64-w64-mingw32-gcc");
    }

    private static Check Extra(string name, string use, string fix, params string[] programs) =>
        programs.Select(ChildProcess.Find).FirstOrDefault(p => p != null) is { } path ? new(name, Verdict.Ok, path) : new(name, Verdict.Optional, $"not found; {use}", fix);

    private static string? Ask(string program, string question)
    {
        if (ChildProcess.Find(program) is not { } path) return null;
        try
        {
            var answer = ChildProcess.Capture(path, [question]);
            return answer.ExitCode == 0 ? answer.Output : null;
        }
        catch (WeftException)
        {
            return null;
        }
    }

    private static string FirstLine(string text) => text.Split('\n')[0];

    private static void Write(List<Check> checks, bool rustWorks, bool clangWorks)
    {
        var output = Console.Out;
        output.Write($"weft {VersionCommand.Version}, .NET {Environment.Version}\n\n");
        foreach (var check in checks)
        {
            output.Write($"  {Mark(check.Verdict)} {check.Name,-12}{check.Found}\n");
            if (check.Fix != null) output.Write($"                to get it: {check.Fix}\n");
        }
        output.Write($"\nweft cargo  {(rustWorks ? "works" : "does not work here: see what is missing above")}\n");
        output.Write($"weft cc     {(clangWorks ? "works" : "does not work here: see what is missing above")}\n");
    }

    private static string Mark(Verdict verdict) => verdict switch { Verdict.Ok => "ok     ", Verdict.Missing => "missing", _ => "-      " };

    private static void WriteJson(List<Check> checks, bool rustWorks, bool clangWorks)
    {
        using var output = Console.OpenStandardOutput();
        using var json = new Utf8JsonWriter(output, new JsonWriterOptions { Indented = true });
        json.WriteStartObject();
        json.WriteString("format", "weft-doctor");
        json.WriteNumber("version", 1);
        json.WriteString("weft", VersionCommand.Version);
        json.WriteString("dotnet", Environment.Version.ToString());
        json.WriteStartObject("doors");
        json.WriteBoolean("cargo", rustWorks);
        json.WriteBoolean("clang", clangWorks);
        json.WriteEndObject();
        json.WriteStartArray("checks");
        foreach (var check in checks)
        {
            json.WriteStartObject();
            json.WriteString("name", check.Name);
            json.WriteString("verdict", check.Verdict switch { Verdict.Ok => "ok", Verdict.Missing => "missing", _ => "optional" });
            json.WriteString("found", check.Found);
            if (check.Fix != null) json.WriteString("fix", check.Fix);
            json.WriteEndObject();
        }
        json.WriteEndArray();
        json.WriteEndObject();
        json.Flush();
        output.Write("\n"u8);
    }
}
