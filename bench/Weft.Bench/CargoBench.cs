using System.Text.RegularExpressions;
using Weft.Core;
using Weft.RealPrograms;

namespace Weft.Bench;

/// <summary>ripgrep by plain cargo and by <c>weft cargo</c>, in turn.</summary>
internal static partial class CargoBench
{
    // A regular expression that no automaton fits (one hot function decides), and three that use other parts of ripgrep;
    // short ones several times.
    internal static readonly (string Name, int Times, string[] Arguments)[] Searches =
    [
        ("a backtracking expression", 1, ["-c", @"(?i)\b(\w+)e(r|d)\s\w{5}\s+\w+\b"]),
        ("Greek letters", 5, ["-c", @"\p{Greek}"]),
        ("words, printed", 15, ["-o", "-i", @"\b[a-z]+ing\b"]),
        ("five literals", 15, ["-c", "SELECT|INSERT|UPDATE|DELETE|CREATE"]),
    ];

    public static void Run()
    {
        var source = RustPrograms.Ripgrep();
        var corpus = RustPrograms.Corpus();
        string plainTarget = Path.Combine(DebianSource.Folder, "bench/plain"), weftTarget = Path.Combine(DebianSource.Folder, "bench/weft");
        var longWay = new Dictionary<string, string?> { ["WEFT_CACHE_SIZE"] = "0", ["WEFT_FORCE_LOWER"] = "1" };
        Cost Plain() => Measured.Run("cargo", ["build", "--offline", "--release", "--target-dir", plainTarget], source);
        var withCache = new Dictionary<string, string?> { ["XDG_CACHE_HOME"] = Path.Combine(DebianSource.Folder, "bench/cache"), ["WEFT_FORCE_LOWER"] = "1" };
        Cost Woven(Dictionary<string, string?> environment) => Measured.Run(Measured.Weft, ["cargo", "build", "--offline", "--release", "--target-dir", weftTarget], source, environment);

        var cold = Measured.InTurn(3, () => Fresh(weftTarget, () => Woven(longWay)), () => Fresh(plainTarget, Plain), warm: false);
        var main = Path.Combine(source, "crates/core/main.rs");
        var touched = Measured.InTurn(3, () => Touched(main, () => Woven(withCache)), () => Touched(main, Plain));
        var text = File.ReadAllText(main);
        var edits = 0;
        var edited = Measured.InTurn(3, () => Edited(main, text, ++edits, () => Woven(withCache)), () => Edited(main, text, ++edits, Plain));
        File.WriteAllText(main, text);
        Woven(longWay);
        Plain();
        string plain = Path.Combine(plainTarget, "release/rg"), through = Path.Combine(weftTarget, $"weft/plain/{Measured.Triple}/release/rg"), metered = Path.Combine(weftTarget, $"weft/metering/{Measured.Triple}/release/rg");
        Cost Search(string rg, int which) => Enumerable.Range(0, Searches[which].Times)
            .Select(_ => Measured.Run(rg, ["--no-config", "-uuu", "--sort", "path", .. Searches[which].Arguments, corpus], source)).Aggregate((a, b) => new(a.Wall + b.Wall, a.Cpu + b.Cpu));

        Console.WriteLine("| ripgrep, weft cargo without an instrument (the long way) / cargo | ratio | target | weft | cargo |\n|---|---|---|---|---|");
        var ratios = new List<double>();
        for (var i = 0; i < Searches.Length; i++)
        {
            var run = Measured.InTurn(7, () => Search(through, i), () => Search(plain, i));
            ratios.Add(run.CpuRatio);
            Row($"run time: {Searches[i].Name} (CPU)", run.CpuRatio, "", $"{run.First.Cpu:F2} s", $"{run.Second.Cpu:F2} s");
        }
        Row("run time: geometric mean", Math.Exp(ratios.Average(Math.Log)), "1.01", "", "");
        Row("text size", (double)Measured.Text(through) / Measured.Text(plain), "1.02", $"{Measured.Text(through)}", $"{Measured.Text(plain)}");
        Row("cold build (CPU)", cold.CpuRatio, "1.05", $"{cold.First.Cpu:F1} s", $"{cold.Second.Cpu:F1} s");
        Row("cold build (wall)", cold.WallRatio, "1.15", $"{cold.First.Wall:F1} s", $"{cold.Second.Wall:F1} s");
        Row("rebuild after touching main.rs (wall)", touched.WallRatio, "1.00", $"{touched.First.Wall:F1} s", $"{touched.Second.Wall:F1} s");
        Row("rebuild after editing main.rs (wall)", edited.WallRatio, "", $"{edited.First.Wall:F1} s", $"{edited.Second.Wall:F1} s");

        Lowering(source, weftTarget, longWay);
        var metering = Measured.InTurn(3, () => Search(metered, 0), () => Search(plain, 0));
        Console.WriteLine("\n| ripgrep, weft cargo --with metering / cargo | ratio | weft | cargo |\n|---|---|---|---|");
        Console.WriteLine($"| run time: {Searches[0].Name} (CPU) | {metering.CpuRatio:F2} | {metering.First.Cpu:F2} s | {metering.Second.Cpu:F2} s |");
        Console.WriteLine($"| text size | {(double)Measured.Text(metered) / Measured.Text(plain):F2} | {Measured.Text(metered)} | {Measured.Text(plain)} |");
    }

    /// <summary>What each stage of lowering takes with an instrument woven, and how much IR goes through.</summary>
    private static void Lowering(string source, string target, Dictionary<string, string?> environment)
    {
        var modules = Directory.CreateTempSubdirectory("weft-bench-").FullName;
        var build = ChildProcess.Capture(Measured.Weft, ["cargo", "build", "--offline", "--release", "--target-dir", target, "--with", "metering", "--weft-timings", "--repro", modules], environment, source);
        if (build.ExitCode != 0) throw new WeftException($"the metered build failed:\n{build.Errors}");
        var report = build.Errors.Split('\n').SkipWhile(l => !l.Contains("Lowered ")).Select(l => l.Trim()).Where(l => l.Length > 0).ToList();
        Console.WriteLine("\nLowering ripgrep with metering:\n\n```\n" + string.Join('\n', report) + "\n```");
        var lines = Directory.GetFiles(modules, "*.bc").Sum(f => ChildProcess.Capture("llvm-dis-22", [f, "-o", "-"]).Output.AsSpan().Count('\n'));
        var seconds = double.Parse(Work().Match(report[0]).Groups["seconds"].ValueSpan, System.Globalization.CultureInfo.InvariantCulture);
        Console.WriteLine($"{lines:N0} lines of IR, {lines / seconds:N0} lines per second and core: 500,000 lines take {500_000 / (lines / seconds):F0} s on one core.");
        Directory.Delete(modules, recursive: true);
    }

    [GeneratedRegex(@"(?<seconds>[0-9.]+) s of work")]
    private static partial Regex Work();

    private static void Row(string what, double ratio, string target, string weft, string plain) => Console.WriteLine($"| {what} | {ratio:F3} | {target} | {weft} | {plain} |");

    private static Cost Fresh(string folder, Func<Cost> build)
    {
        if (Directory.Exists(folder)) Directory.Delete(folder, recursive: true);
        Terminal.Status("Measuring", folder);
        return build();
    }

    private static Cost Edited(string file, string text, int edit, Func<Cost> build)
    {
        File.WriteAllText(file, $"{text}\n// edit {edit}\n");
        return build();
    }

    private static Cost Touched(string file, Func<Cost> build)
    {
        File.SetLastWriteTimeUtc(file, DateTime.UtcNow);
        return build();
    }
}
