using System.Globalization;
using Weft.Core;
using Weft.Interrupts;
using Weft.RealPrograms;

namespace Weft.Bench;

/// <summary>
/// SQLite and ripgrep with interrupts and without, in turn. They register nothing themselves: the handler is the profile's,
/// which records every interval.
/// </summary>
internal static class InterruptedPrograms
{
    private const int Interval = 5000;

    public static void Run()
    {
        Directory.CreateDirectory(InterruptsBench.Output);
        Console.WriteLine($"\n| run time / without | nothing registered | recording handler, {Interval} cycles | interrupts | p10 | p50 | p90 | p99 |\n|---|---|---|---|---|---|---|---|");
        var (plainShell, wovenShell) = Sqlite();
        Row("SQLite", plainShell, wovenShell, [":memory:", ClangBench.Work]);
        var (plainRipgrep, wovenRipgrep) = Ripgrep();
        foreach (var (name, _, arguments) in CargoBench.Searches)
            Row($"ripgrep, {name}", plainRipgrep, wovenRipgrep, ["--no-config", "-uuu", "--sort", "path", .. arguments, RustPrograms.Corpus()]);
        Console.WriteLine("\n| with interrupts / without | ratio |\n|---|---|");
        Console.WriteLine($"| SQLite: text (target 1.10) | {(double)Measured.Text(wovenShell) / Measured.Text(plainShell):F3} |");
        Console.WriteLine($"| ripgrep: text (target 1.10) | {(double)Measured.Text(wovenRipgrep) / Measured.Text(plainRipgrep):F3} |");
        BuildCost();
    }

    private static void BuildCost()
    {
        var folder = Path.GetDirectoryName(new CPrograms("clang-22", "clang++-22", "clang").Sqlite())!;
        var environment = new Dictionary<string, string?> { ["WEFT_CC"] = "clang-22", ["WEFT_CACHE_SIZE"] = "0", ["WEFT_FORCE_LOWER"] = "1" };
        Cost Compile(params string[] options) => Measured.Run(Measured.Weft, ["cc", .. options, "-O2", "-w", "-c", "sqlite3.c", "-o", Path.Combine(InterruptsBench.Output, "sqlite.o")], folder, environment);
        var build = Measured.InTurn(3, () => Compile("--with=interrupts"), () => Compile(), warm: false);
        Console.WriteLine($"| SQLite: build, CPU | {build.CpuRatio:F3} |");
    }

    private static (string Plain, string Woven) Sqlite()
    {
        var folder = Path.GetDirectoryName(new CPrograms("clang-22", "clang++-22", "clang").Sqlite())!;
        var environment = new Dictionary<string, string?> { ["WEFT_CC"] = "clang-22", ["WEFT_CACHE_SIZE"] = "0" };
        string plain = Path.Combine(InterruptsBench.Output, "sqlite-plain"), woven = Path.Combine(InterruptsBench.Output, "sqlite-woven");
        string[] build = ["-O2", "-w", "shell.c", "sqlite3.c", "-lpthread", "-ldl", "-lm", "-o"];
        Measured.Run("clang-22", [.. build, plain], folder);
        Measured.Run(Measured.Weft, ["cc", "--with=interrupts", .. build, woven], folder, environment);
        return (plain, woven);
    }

    private static (string Plain, string Woven) Ripgrep()
    {
        var source = RustPrograms.Ripgrep();
        var target = Path.Combine(InterruptsBench.Output, "ripgrep");
        var environment = new Dictionary<string, string?> { ["WEFT_FORCE_LOWER"] = "1" };
        string[] build = ["cargo", "build", "--offline", "--release", "--target-dir", target];
        Measured.Run(Measured.Weft, build, source, environment);
        Measured.Run(Measured.Weft, [.. build, "--with", "interrupts"], source, environment);
        string Program(string variant) => Path.Combine(target, $"weft/{variant}/{Measured.Triple}/release/rg");
        return (Program("plain"), Program("interrupts"));
    }

    private static void Row(string name, string plain, string woven, string[] arguments)
    {
        Terminal.Status("Measuring", name);
        var file = Path.Combine(InterruptsBench.Output, "profile.json");
        var profiled = new Dictionary<string, string?> { ["WEFT_INTERRUPTS_PROFILE"] = file, ["WEFT_INTERRUPTS_CLOCK"] = "cycles", ["WEFT_INTERRUPTS_INTERVAL"] = Interval.ToString(CultureInfo.InvariantCulture) };
        var best = Measured.BestInTurn(() => Measured.Run(plain, arguments, InterruptsBench.Output).Cpu, () => Measured.Run(woven, arguments, InterruptsBench.Output).Cpu, () => Measured.Run(woven, arguments, InterruptsBench.Output, profiled).Cpu);
        var profile = InterruptsProfile.Read(file);
        var busiest = profile.Threads.MaxBy(t => t.Interrupts)!;
        var percentiles = string.Join(" | ", ((int[])[10, 50, 90, 99]).Select(p => busiest.Ticks.Percentile(p)));
        Console.WriteLine($"| {name} | {best[1] / best[0]:F3} | {best[2] / best[0]:F3} | {profile.Interrupts:N0} | {percentiles} |");
    }
}
