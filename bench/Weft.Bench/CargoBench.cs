using Weft.Core;
using Weft.RealPrograms;

namespace Weft.Bench;

/// <summary>ripgrep by plain cargo and by <c>weft cargo</c>, in turn.</summary>
internal static class CargoBench
{
    private const string Triple = "x86_64-unknown-linux-gnu";

    private static readonly string Weft = Path.Combine(DebianSource.Folder, "../weft/weft");

    public static void Run()
    {
        var source = RustPrograms.Ripgrep();
        var corpus = RustPrograms.Corpus();
        string plainTarget = Path.Combine(DebianSource.Folder, "bench/plain"), weftTarget = Path.Combine(DebianSource.Folder, "bench/weft");
        var noCache = new Dictionary<string, string?> { ["WEFT_CACHE_SIZE"] = "0" };
        Cost Plain() => Measured.Run("cargo", ["build", "--offline", "--release", "--target-dir", plainTarget], source);
        Cost Woven(params string[] more) => Measured.Run(Weft, ["cargo", "build", "--offline", "--release", "--target-dir", weftTarget, .. more], source, noCache);

        var cold = Measured.InTurn(1, () => Fresh(weftTarget, () => Woven()), () => Fresh(plainTarget, Plain));
        var main = Path.Combine(source, "crates/core/main.rs");
        var warm = Measured.InTurn(3, () => Touched(main, () => Woven()), () => Touched(main, Plain));
        Woven("--with", "metering");

        string plain = Path.Combine(plainTarget, "release/rg"), through = Path.Combine(weftTarget, $"weft/plain/{Triple}/release/rg"), metered = Path.Combine(weftTarget, $"weft/metering/{Triple}/release/rg");
        string[] search = ["--no-config", "-uuu", "-c", "--sort", "path", @"(?i)\b(\w+)e(r|d)\s\w{5}\s+\w+\b", corpus];
        Cost Search(string rg) => Measured.Run(rg, search, source);
        var run = Measured.InTurn(9, () => Search(through), () => Search(plain));
        var metering = Measured.InTurn(3, () => Search(metered), () => Search(plain));

        Console.WriteLine("| ripgrep, weft cargo / cargo | ratio | target | weft | cargo |\n|---|---|---|---|---|");
        Row("run time, no instrument (CPU)", run.CpuRatio, "1.01", $"{run.First.Cpu:F2} s", $"{run.Second.Cpu:F2} s");
        Row("text size", (double)Measured.Text(through) / Measured.Text(plain), "1.02", $"{Measured.Text(through)}", $"{Measured.Text(plain)}");
        Row("cold build (CPU)", cold.CpuRatio, "1.05", $"{cold.First.Cpu:F1} s", $"{cold.Second.Cpu:F1} s");
        Row("cold build (wall)", cold.First.Wall / cold.Second.Wall, "1.15", $"{cold.First.Wall:F1} s", $"{cold.Second.Wall:F1} s");
        Row("rebuild after touching main.rs (wall)", warm.First.Wall / warm.Second.Wall, "1.00", $"{warm.First.Wall:F1} s", $"{warm.Second.Wall:F1} s");
        Row("run time with metering (CPU)", metering.CpuRatio, "-", $"{metering.First.Cpu:F2} s", $"{metering.Second.Cpu:F2} s");
        Row("text size with metering", (double)Measured.Text(metered) / Measured.Text(plain), "-", $"{Measured.Text(metered)}", $"{Measured.Text(plain)}");
    }

    private static void Row(string what, double ratio, string target, string weft, string plain) => Console.WriteLine($"| {what} | {ratio:F3} | {target} | {weft} | {plain} |");

    private static Cost Fresh(string folder, Func<Cost> build)
    {
        if (Directory.Exists(folder)) Directory.Delete(folder, recursive: true);
        Terminal.Status("Measuring", folder);
        return build();
    }

    private static Cost Touched(string file, Func<Cost> build)
    {
        File.SetLastWriteTimeUtc(file, DateTime.UtcNow);
        return build();
    }
}
