using System.Text.RegularExpressions;
using Weft.Core;
using Weft.RealPrograms;

namespace Weft.Bench;

/// <summary>
/// ripgrep's searches and its own tests, with coverage of two sets of crates. As Debian has it the workspace is one crate, the command itself, and
/// what searches comes from other crates: those are counted with "all". The standard library and build scripts are never counted, by neither.
/// </summary>
internal sealed partial class CoveredRipgrep(string[] sets, string[] counters, bool withTests)
{
    private static readonly string Target = Path.Combine(CoveredPrograms.Output, "ripgrep");
    private static readonly string Source = RustPrograms.Ripgrep();

    /// <summary>A build, of which cargo's profile is "release" throughout; the programs of its tests.</summary>
    private sealed record Build(string Name, string Program, string[] Tests, double Cpu);

    public void Run()
    {
        // Weft's lowering differs from rustc's own without an instrument too: one unit of code a crate for sixteen.
        Build[] without = [Plain(), Woven("no instrument", [])];
        foreach (var crates in sets)
        {
            Build[] builds = [.. without, .. counters.Select(c => c == CoveredPrograms.FrontEnd ? FrontEnd(crates) : Woven($"{c}-{crates}", [.. CoveredPrograms.Options(c), "--coverage-crates=" + crates]))];
            CoveredPrograms.Line[] lines = [.. Searches(builds, 1), .. Searches(builds, 2), .. Instructions(builds), OwnTests(builds), Compilation(builds), Size(builds)];
            CoveredPrograms.Table($"ripgrep / plain, coverage of {(crates == "all" ? "all crates" : "the workspace's crate")}", builds.Select(b => b.Name.Replace("-" + crates, "")), lines);
        }
    }

    // ---- Lines of the table ----

    // The first takes seconds in all files, and minutes with rustc's own coverage: one folder will do.
    private static IEnumerable<CoveredPrograms.Line> Searches(Build[] builds, int threads) =>
        CargoBench.Searches.Select(s => new CoveredPrograms.Line($"{s.Name}, -j{threads}, CPU", "s", Each(builds, b => CoveredPrograms.Cpu(b.Program, Search(s.Arguments, s.Times > 1 ? "." : "src", threads), RustPrograms.Corpus()))));

    private static IEnumerable<CoveredPrograms.Line> Instructions(Build[] builds) =>
        CargoBench.Searches.Select(s => new CoveredPrograms.Line($"{s.Name}, in one folder, instructions", "", Each(builds, b => CoveredPrograms.Instructions(b.Program, Search(s.Arguments, Path.Combine(RustPrograms.Corpus(), "ext/misc"), 1)))));

    private static string[] Search(string[] pattern, string folder, int threads) => ["--no-config", "-uuu", $"-j{threads}", .. pattern, folder];

    private CoveredPrograms.Line OwnTests(Build[] builds) => new("its own tests, CPU", "s", !withTests ? [] : Each(builds, b => b.Tests.Sum(t => CoveredPrograms.Cpu(t, [], Source))));

    private static CoveredPrograms.Line Compilation(Build[] builds) => new("clean build, CPU", "s (once)", Each(builds, b => b.Cpu));

    private static CoveredPrograms.Line Size(Build[] builds) => new("allocated sections", "bytes", Each(builds, b => Measured.Allocated(b.Program)));

    private static Func<double>[] Each(Build[] builds, Func<Build, double> measure) => [.. builds.Select<Build, Func<double>>(b => () => measure(b))];

    // ---- Builds ----

    private Build Plain() => Compile("plain", "cargo", [], []);

    private Build Woven(string name, string[] options) => Compile(name, Measured.Weft, options, new() { ["WEFT_CACHE_SIZE"] = "0", ["WEFT_FORCE_LOWER"] = "1" });

    // RUSTFLAGS reach all crates; the workspace's alone need a wrapper of their compiler.
    private Build FrontEnd(string crates)
    {
        const string flag = "-C instrument-coverage";
        if (crates == "all") return Compile("rustc-all", "cargo", [], new() { ["RUSTFLAGS"] = flag });
        var wrapper = Path.Combine(CoveredPrograms.Output, "rustc-covered");
        File.WriteAllText(wrapper, $"#!/bin/sh\ncase \"$*\" in *'--crate-name build_script_'*) exec \"$@\";; *) exec \"$@\" {flag};; esac\n");
        File.SetUnixFileMode(wrapper, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        return Compile("rustc-workspace", "cargo", [], new() { ["RUSTC_WORKSPACE_WRAPPER"] = wrapper });
    }

    private Build Compile(string name, string cargo, string[] options, Dictionary<string, string?> environment)
    {
        Terminal.Status("Building", "ripgrep, " + name);
        var target = Path.Combine(Target, name);
        if (Directory.Exists(target)) Directory.Delete(target, recursive: true);
        // With a target named, RUSTFLAGS leave build scripts alone.
        string[] common = ["--offline", "--release", "--target-dir", target, .. options, .. cargo == "cargo" ? (string[])["--target", Measured.Triple] : []];
        string[] Command(string command, params string[] more) => [.. cargo == "cargo" ? (string[])[] : ["cargo"], command, .. common, .. more];
        var cost = Measured.Run(cargo, Command("build"), Source, environment);
        string[] tests = withTests ? [.. Executable().Matches(Said(cargo, Command("test", "--no-run"), environment)).Select(m => m.Groups[1].Value)] : [];
        return new Build(name, Directory.GetFiles(target, "rg", SearchOption.AllDirectories).First(f => f.EndsWith("release/rg", StringComparison.Ordinal)), tests, cost.Cpu);
    }

    private static string Said(string cargo, string[] arguments, Dictionary<string, string?> environment)
    {
        var result = ChildProcess.Capture(cargo, arguments, environment, Source);
        return result.ExitCode == 0 ? result.Errors : throw new WeftException($"{cargo} {string.Join(' ', arguments)} failed with {result.ExitCode}:\n{result.Errors}");
    }

    [GeneratedRegex(@"Executable [^\n]* \(([^)\n]+)\)")]
    private static partial Regex Executable();
}
