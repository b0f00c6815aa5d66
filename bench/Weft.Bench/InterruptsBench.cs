using System.Globalization;
using System.Text.Json;
using Weft.Core;
using Weft.RealPrograms;

namespace Weft.Bench;

/// <summary>The kernels of bench/kernels and whole programs, with interrupts and without, in turn; peers in the same run.</summary>
internal sealed class InterruptsBench
{
    private const int Main = 5000;

    private static readonly int[] Intervals = [2000, 5000, 10_000, 50_000, 1_000_000];
    internal static readonly string Output = Path.Combine(DebianSource.Folder, "bench/interrupts");

    private sealed record Kernel(string Name, string Plain, string Woven, string? Naive);

    public static void Run()
    {
        Directory.CreateDirectory(Output);
        List<Kernel> kernels = [.. CKernels(), .. RustKernels()];
        Overheads(kernels);
        Accuracy(kernels);
        ByInterval(kernels);
        Peers(kernels);
        Sizes(kernels);
    }

    // ---- Builds ----

    private static IEnumerable<Kernel> CKernels()
    {
        foreach (var file in Kernels.InC)
        {
            var name = Path.GetFileNameWithoutExtension(file);
            Terminal.Status("Building", name);
            string Compile(string variant, params string[] compiler) => Kernels.Compile(file, Path.Combine(Output, $"{name}-{variant}"), [.. compiler, Kernels.Aligned]);
            yield return new Kernel(name, Compile("plain", "clang-22"), Compile("woven", Measured.Weft, "cc", "--with=interrupts"), Compile("naive", Measured.Weft, "cc", "--with=interrupts", "--interrupts-placement=naive"));
        }
    }

    private static IEnumerable<Kernel> RustKernels()
    {
        Terminal.Status("Building", "kernels in Rust");
        var plain = Kernels.BuildRust(Output, "rust-plain");
        var woven = Kernels.BuildRust(Output, "rust-woven", "--with", "interrupts");
        return Kernels.InRust.Select(name => new Kernel(name, Path.Combine(plain, name), Path.Combine(woven, name), null));
    }

    // ---- Tables ----

    private static void Overheads(List<Kernel> kernels)
    {
        Console.WriteLine($"| run time / plain | nothing registered | empty handler, {Main} cycles | interrupts |\n|---|---|---|---|");
        List<double> idles = [], empties = [];
        foreach (var kernel in kernels)
        {
            var (idle, empty, fired) = Overhead(kernel.Plain, kernel.Woven);
            idles.Add(idle);
            empties.Add(empty);
            Console.WriteLine($"| {kernel.Name} | {idle:F3} | {empty:F3} | {fired:N0} |");
        }
        Console.WriteLine($"| **geometric mean** (targets 1.03, 1.05) | **{Measured.Geomean(idles):F3}** | **{Measured.Geomean(empties):F3}** | |");
        Console.WriteLine($"| median (target 1.02) | {Measured.Median(idles):F3} | {Measured.Median(empties):F3} | |");
        Console.WriteLine($"| worst (target 1.25) | {idles.Max():F3} | {empties.Max():F3} | |");
    }

    private static (double Idle, double Empty, long Fired) Overhead(string plain, string woven)
    {
        var best = BestInTurn(new Case(plain), new Case(woven), new Case(woven, "cycles", Main));
        return (best[1].Cpu / best[0].Cpu, best[2].Cpu / best[0].Cpu, best[2].Fired);
    }

    private sealed record Case(string Program, string Clock = "none", int Interval = Main);

    private static (double Cpu, long Fired)[] BestInTurn(params Case[] runs)
    {
        var fired = new long[runs.Length];
        var checksums = new HashSet<string?>();
        var best = Measured.BestInTurn([.. runs.Select<Case, Func<double>>((run, i) => () =>
        {
            using var result = Kernels.Run(run.Program, ("KERNEL_CLOCK", run.Clock), ("KERNEL_INTERVAL", Text(run.Interval)));
            if (result.RootElement.TryGetProperty("unavailable", out var why)) throw new WeftException($"not available here: {why.GetString()}");
            fired[i] = result.RootElement.GetProperty("fired").GetInt64();
            checksums.Add(result.RootElement.GetProperty("checksum").GetString());
            if (checksums.Count > 1) throw new WeftException($"{run.Program} computes something else with interrupts");
            return result.RootElement.GetProperty("fastest_pass_nanoseconds").GetDouble();
        })]);
        return [.. best.Zip(fired)];
    }

    private static void Accuracy(List<Kernel> kernels)
    {
        Console.WriteLine($"\n| interval asked for: {Main} cycles | p1 | p10 | p50 | p90 | p99 | with what the kernel took: p90 | p99 |\n|---|---|---|---|---|---|---|---|");
        int within5 = 0, within20 = 0;
        foreach (var kernel in kernels)
        {
            using var run = Kernels.Run(kernel.Woven, ("KERNEL_CLOCK", "cycles"), ("KERNEL_INTERVAL", Text(Main)), ("KERNEL_HANDLER", "record-apart"));
            long Percentile(string name, string which = "undisturbed") => run.RootElement.GetProperty(which).GetProperty(name).GetInt64();
            Console.WriteLine($"| {kernel.Name} | {Percentile("p1")} | {Percentile("p10")} | {Percentile("p50")} | {Percentile("p90")} | {Percentile("p99")} | {Percentile("p90", "intervals")} | {Percentile("p99", "intervals")} |");
            if (Percentile("p10") >= Main * 0.95 && Percentile("p90") <= Main * 1.05) within5++;
            if (Percentile("p99") <= Main * 1.2) within20++;
        }
        Console.WriteLine($"\np10 to p90 within 5 %: {within5} of {kernels.Count} kernels; p99 within 20 %: {within20} of {kernels.Count}.");
    }

    private static void ByInterval(List<Kernel> kernels)
    {
        Console.WriteLine("\n| interval in cycles | run time / plain, geometric mean | median over kernels of p10 / interval | p50 | p90 | p99 |\n|---|---|---|---|---|---|");
        foreach (var interval in Intervals)
        {
            List<double> ratios = [];
            var percentiles = new Dictionary<string, List<double>> { ["p10"] = [], ["p50"] = [], ["p90"] = [], ["p99"] = [] };
            foreach (var kernel in kernels)
            {
                var best = BestInTurn(new Case(kernel.Plain), new Case(kernel.Woven, "cycles", interval));
                ratios.Add(best[1].Cpu / best[0].Cpu);
                using var run = Kernels.Run(kernel.Woven, ("KERNEL_CLOCK", "cycles"), ("KERNEL_INTERVAL", Text(interval)), ("KERNEL_HANDLER", "record"));
                if (run.RootElement.GetProperty("intervals") is { ValueKind: JsonValueKind.Object } seen)
                    foreach (var (name, values) in percentiles) values.Add(seen.GetProperty(name).GetDouble() / interval);
            }
            Console.WriteLine($"| {interval:N0} | {Measured.Geomean(ratios):F3} | {string.Join(" | ", percentiles.Values.Select(v => v.Count == 0 ? "" : Measured.Median(v).ToString("F3", CultureInfo.InvariantCulture)))} |");
        }
    }

    /// <summary>A probe in every block, and signals, where the same kernels and handlers allow.</summary>
    private static void Peers(List<Kernel> kernels)
    {
        const int slow = 50_000; // a signal takes longer than shorter intervals last
        Console.WriteLine("\n| run time / plain, kernels in C | geometric mean | worst |\n|---|---|---|");
        var c = kernels.Where(k => k.Naive != null).ToList();
        Row($"Weft, cycles, {Main}", k => k.Woven, "cycles", Main);
        Row($"a probe in every block, {Main}", k => k.Naive!, "cycles", Main);
        Row($"Weft, cycles, {slow}", k => k.Woven, "cycles", slow);
        Row($"timer_create and a signal, {slow}", k => k.Plain, "timer", slow);
        Row($"hardware counter overflow by perf_event, {slow}", k => k.Plain, "perf", slow);

        void Row(string name, Func<Kernel, string> program, string clock, int interval)
        {
            List<double> ratios = [];
            try
            {
                foreach (var kernel in c)
                {
                    var best = BestInTurn(new Case(kernel.Plain), new Case(program(kernel), clock, interval));
                    ratios.Add(best[1].Cpu / best[0].Cpu);
                }
            }
            catch (WeftException unavailable)
            {
                Console.WriteLine($"| {name} | {unavailable.Message} | |");
                return;
            }
            Console.WriteLine($"| {name} | {Measured.Geomean(ratios):F3} | {ratios.Max():F3} |");
        }
    }

    private static void Sizes(List<Kernel> kernels) =>
        Console.WriteLine($"\nText of the kernels, with / without: {Measured.Geomean(kernels.Select(k => (double)Measured.Text(k.Woven) / Measured.Text(k.Plain))):F3}.");

    // ---- Runs ----

    private static string Text(int number) => number.ToString(CultureInfo.InvariantCulture);
}
