using System.Globalization;
using System.Text.Json;
using Weft.Core;
using Weft.RealPrograms;

namespace Weft.Bench;

/// <summary>The kernels of bench/kernels, metered and not, in turn; other ways to count in the same run.</summary>
internal sealed class MeteringBench
{
    private const string Plain = "plain", Counting = "counting", Limit = "with a limit", Exact = "exact limit", Reference = "each block, inline", Call = "each block, by a call", Bytes = "each block, a byte";

    public static readonly string Output = Path.Combine(DebianSource.Folder, "bench/metering");

    /// <summary>More than a kernel does.</summary>
    private static readonly (string, string) Far = ("WEFT_METERING_LIMIT", "1000000000000000");

    /// <summary>How Weft is told.</summary>
    public static IReadOnlyDictionary<string, string[]> Options { get; } = new Dictionary<string, string[]>
    {
        [Counting] = ["--with=metering", "--metering-limits=off"],
        [Limit] = ["--with=metering"],
        [Exact] = ["--with=metering", "--metering-limits=exact"],
        [Reference] = ["--with=metering", "--metering-mode=reference"],
    };

    private sealed record Kernel(string Name, Dictionary<string, string> Programs);

    public static void Run()
    {
        Directory.CreateDirectory(Output);
        Deterministic();
        RunTimes([.. InC(), .. InRust()]);
    }

    // ---- Builds ----

    private static IEnumerable<Kernel> InC()
    {
        var peer = Path.Combine(Output, "blocks.o");
        var source = Path.Combine(Output, "blocks.c");
        File.WriteAllText(source, "__thread unsigned long blocks; void __sanitizer_cov_trace_pc(void) { blocks++; } void __sanitizer_cov_8bit_counters_init(char *a, char *b) { (void)a; (void)b; }");
        Measured.Run("clang-22", ["-O2", "-c", source, "-o", peer], Output);
        foreach (var file in Kernels.InC)
        {
            var name = Path.GetFileNameWithoutExtension(file);
            Terminal.Status("Building", name);
            var programs = new Dictionary<string, string>();
            void Add(string variant, string[] compiler, params string[] objects) => programs[variant] = Kernels.Compile(file, Path.Combine(Output, variant, name), [.. compiler, Kernels.Aligned], objects);
            Add(Plain, ["clang-22"]);
            foreach (var (variant, options) in Options) Add(variant, [Measured.Weft, "cc", .. options]);
            Add(Call, ["clang-22", "-fsanitize-coverage=trace-pc,bb,no-prune"], peer);
            Add(Bytes, ["clang-22", "-fsanitize-coverage=inline-8bit-counters,bb,no-prune"], peer);
            yield return new(name, programs);
        }
    }

    private static IEnumerable<Kernel> InRust()
    {
        Terminal.Status("Building", "kernels in Rust");
        var folders = Options.ToDictionary(o => o.Key, o => Kernels.BuildRust(Output, "rust " + o.Key, o.Value));
        folders[Plain] = Kernels.BuildRust(Output, "rust " + Plain);
        return Kernels.InRust.Select(name => new Kernel(name, folders.ToDictionary(f => f.Key, f => Path.Combine(f.Value, name))));
    }

    // ---- What is the same on every run ----

    private static void Deterministic()
    {
        string[] ours = [.. Options.Keys];
        Console.WriteLine($"\n| one pass, instructions / plain | {string.Join(" | ", ours)} | text, with a limit | units | runs with another count, of 100 pinned and 100 not |\n|---|{string.Concat(ours.Select(_ => "---|"))}---|---|---|");
        var all = new List<double[]>();
        foreach (var file in Kernels.InC)
        {
            var name = Path.GetFileNameWithoutExtension(file);
            Terminal.Status("Counting", name);
            var source = Kernels.OnePass(file, Path.Combine(Output, "one"));
            string Program(string variant, params string[] compiler) => Kernels.Compile(source, Path.Combine(Output, "one", $"{name}-{variant}"), compiler);
            var plain = Program(Plain, "clang-22");
            var woven = ours.ToDictionary(o => o, o => Program(o, [Measured.Weft, "cc", .. Options[o]]));
            var instructions = Measured.Instructions(plain, [], Output);
            double[] row = [.. ours.Select(o => Measured.Instructions(woven[o], [], Output) / instructions), (double)Measured.Text(woven[Limit] + ".o") / Measured.Text(plain + ".o")];
            all.Add(row);
            var units = Units(woven[Limit]);
            if (ours.FirstOrDefault(o => Units(woven[o]) != units) is { } other) throw new WeftException($"{name} does {units} units of work, but by {other}");
            Console.WriteLine($"| {name} | {Cells(row)} | {units:N0} | {Others(woven[Limit], units)} |");
        }
        Console.WriteLine($"| **geometric mean** | {Cells(Enumerable.Range(0, all[0].Length).Select(i => Measured.Geomean(all.Select(r => r[i]))))} | | |");
    }

    private static int Others(string program, ulong units) =>
        Enumerable.Range(0, 100).Sum(_ => (Units(program) != units ? 1 : 0) + (Units("taskset", "-c", "0", program) != units ? 1 : 0));

    /// <summary>What a command's report says that it has done.</summary>
    public static ulong Units(string program, params string[] arguments)
    {
        var report = Path.Combine(Output, "report.json");
        Measured.Run(program, arguments, Output, new Dictionary<string, string?> { ["WEFT_METERING_REPORT"] = report });
        using var read = JsonDocument.Parse(File.ReadAllText(report));
        return read.RootElement.GetProperty("total").GetUInt64();
    }

    // ---- Run time ----

    private static void RunTimes(List<Kernel> kernels)
    {
        string[] variants = [.. Options.Keys, Call, Bytes];
        Console.WriteLine($"\n| run time / plain | {string.Join(" | ", variants)} |\n|---|{string.Concat(variants.Select(_ => "---|"))}");
        var all = variants.ToDictionary(v => v, _ => new List<double>());
        foreach (var kernel in kernels)
        {
            Terminal.Status("Measuring", kernel.Name);
            var there = variants.Where(kernel.Programs.ContainsKey).ToList();
            var best = Measured.BestInTurn([.. there.Prepend(Plain).Select<string, Func<double>>(v => () => FastestPass(kernel.Programs[v], v))]);
            for (var i = 0; i < there.Count; i++) all[there[i]].Add(best[i + 1] / best[0]);
            Console.WriteLine($"| {kernel.Name} | {string.Join(" | ", variants.Select(v => there.IndexOf(v) is >= 0 and var at ? Text(best[at + 1] / best[0]) : ""))} |");
        }
        Console.WriteLine($"| **geometric mean** (targets 1.05, 1.08) | {Cells(variants.Select(v => Measured.Geomean(all[v])))} |");
        Console.WriteLine($"| worst (target 1.25) | {Cells(variants.Select(v => all[v].Max()))} |");
        Callgrind(kernels[0]);
    }

    private static double FastestPass(string program, string variant)
    {
        using var run = Kernels.Run(program, variant is Limit or Exact ? [Far] : []);
        return run.RootElement.GetProperty("fastest_pass_nanoseconds").GetDouble();
    }

    private static void Callgrind(Kernel kernel)
    {
        var plain = Measured.Run(kernel.Programs[Plain], [], Output).Cpu;
        var counted = Measured.Run("valgrind", ["--tool=callgrind", "--callgrind-out-file=/dev/null", kernel.Programs[Plain]], Output).Cpu;
        Console.WriteLine($"\nValgrind's callgrind runs {kernel.Name} in {counted / plain:F0} times its time.");
    }

    private static string Cells(IEnumerable<double> values) => string.Join(" | ", values.Select(Text));

    private static string Text(double value) => value.ToString("F3", CultureInfo.InvariantCulture);
}
