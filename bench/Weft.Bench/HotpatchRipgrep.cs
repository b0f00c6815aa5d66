using Weft.Core;
using Weft.RealPrograms;

namespace Weft.Bench;

/// <summary>ripgrep and all of its crates, replaceable and not; what rustc's own flag costs, of the kind that was proposed for hot patching, in the same run.</summary>
internal static class HotpatchRipgrep
{
    private const double MostInstructions = 1.02, MostText = 1.03;
    private const string Entry = "-Z patchable-function-entry=16,14";

    private static readonly string Source = RustPrograms.Ripgrep();

    /// <param name="Program">What was linked.</param>
    /// <param name="Objects">Bytes of all objects of its crates.</param>
    private sealed record Build(string Program, long Objects);

    public static void Run()
    {
        Dictionary<string, string?> lowered = new() { ["WEFT_CACHE_SIZE"] = "0", ["WEFT_FORCE_LOWER"] = "1" };
        var plain = Compile("plain", Measured.Weft, ["cargo", "build"], lowered);
        var woven = Compile("woven", Measured.Weft, ["cargo", "build", "--with", "hotpatch"], lowered);
        // The flag is unstable, which a stable rustc takes only when it is told that it may.
        var own = Compile("rustc", "cargo", ["build", "--target", Measured.Triple], new() { ["RUSTC_BOOTSTRAP"] = "1" });
        var entry = Compile("rustc-entry", "cargo", ["build", "--target", Measured.Triple], new() { ["RUSTC_BOOTSTRAP"] = "1", ["RUSTFLAGS"] = Entry });
        Console.WriteLine($"\n| ripgrep / plain | weft | rustc {Entry} | target | plain |\n|---|---|---|---|---|");
        var times = new List<double[]>();
        foreach (var (name, count, pattern) in CargoBench.Searches)
        {
            Func<double> Search(Build build) => () => Enumerable.Range(0, count).Sum(_ => Measured.Run(build.Program, Arguments(pattern, RustPrograms.Corpus()), Source).Cpu);
            times.Add(Row(name + ", CPU", Measured.BestInTurn(Search(plain), Search(woven), Search(own), Search(entry)), "", "s"));
        }
        Console.WriteLine($"| **geometric mean** | {HotpatchBench.Ratio(Measured.Geomean(times.Select(t => t[0])))} | {HotpatchBench.Ratio(Measured.Geomean(times.Select(t => t[1])))} | 1.005 | |");
        var corpus = Path.Combine(RustPrograms.Corpus(), "ext/misc");
        foreach (var (name, _, pattern) in CargoBench.Searches)
        {
            double Instructions(Build build) => Measured.Instructions(build.Program, [.. Arguments(pattern, corpus), "-j1"], Source);
            var row = Row(name + ", in one folder, instructions", [Instructions(plain), Instructions(woven), Instructions(own), Instructions(entry)]);
            HotpatchBench.Bound("instructions of ripgrep, " + name, row[0], MostInstructions);
        }
        double runtime = HotpatchRuntime.Code();
        double Code(Build build) => ObjectSize.Code(build.Program);
        var text = Row("text without the runtime", [Code(plain), Code(woven) - runtime, Code(own), Code(entry)], "1.03", "bytes");
        HotpatchBench.Bound("text of ripgrep", text[0], MostText);
        Row("text", [Code(plain), Code(woven), Code(own), Code(entry)], "", "bytes");
        Row("objects of all crates", [plain.Objects, woven.Objects, own.Objects, entry.Objects], "1.015", "bytes");
    }

    private static string[] Arguments(string[] pattern, string folder) => ["--no-config", "-uuu", "--sort", "path", .. pattern, folder];

    /// <param name="name">Of the row.</param>
    /// <param name="values">Of the plain build, Weft's, and rustc's without and with the flag.</param>
    /// <param name="target">For Weft's.</param>
    /// <param name="unit">Of the plain value.</param>
    private static double[] Row(string name, double[] values, string target = "", string unit = "")
    {
        double[] ratios = [values[1] / values[0], values[3] / values[2]];
        Console.WriteLine($"| {name} | {HotpatchBench.Ratio(ratios[0])} | {HotpatchBench.Ratio(ratios[1])} | {target} | {(unit == "s" ? $"{values[0]:F2}" : $"{values[0]:N0}")} {unit} |");
        return ratios;
    }

    private static Build Compile(string name, string cargo, string[] command, Dictionary<string, string?> environment)
    {
        Terminal.Status("Building", "ripgrep, " + name);
        var target = HotpatchBench.Out("ripgrep/" + name);
        if (Directory.Exists(target)) Directory.Delete(target, recursive: true);
        Measured.Run(cargo, [.. command, "--offline", "--release", "--target-dir", target], Source, environment);
        var program = Directory.GetFiles(target, "rg", SearchOption.AllDirectories).First(f => f.EndsWith("release/rg", StringComparison.Ordinal));
        return new Build(program, ObjectSize.InArchives(Path.Combine(Path.GetDirectoryName(program)!, "deps")));
    }
}
