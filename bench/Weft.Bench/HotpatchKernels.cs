using Weft.Core;

namespace Weft.Bench;

/// <summary>The kernels, replaceable and not; clang's own ways to make room in the same run.</summary>
internal static class HotpatchKernels
{
    // What a program starts with counts as well, in kernels that take a few milliseconds.
    private const double MostInstructions = 1.005;

    private static readonly (string Name, string[] Compiler)[] Ways =
    [
        ("weft", [Measured.Weft, "cc", "--with=hotpatch"]),
        ("-fms-hotpatch", ["clang-22", "-fms-hotpatch"]),
        ("-fpatchable-function-entry=16,14", ["clang-22", "-fpatchable-function-entry=16,14"]),
    ];

    private static readonly string Head = string.Join(" | ", Ways.Select(w => w.Name)), Line = string.Concat(Ways.Select(_ => "---|"));

    /// <summary>
    /// How far code is moved, in places of a cache line: room moves all code behind it, and moving a loop alone may change its time by half.
    /// Each build is measured in all four, and the best counts.
    /// </summary>
    private static readonly int[] Places = [0, 16, 32, 48];

    /// <param name="Name">The kernel.</param>
    /// <param name="Plain">Programs of the plain build, in all places that there are.</param>
    /// <param name="Others">Programs of each way that builds it.</param>
    private sealed record Kernel(string Name, string[] Plain, string[][] Others);

    public static void Run()
    {
        Instructions();
        RunTimes([.. InC(), .. InRust()]);
    }

    private static void Instructions()
    {
        Console.WriteLine($"\n| one pass, instructions / plain | {Head} |\n|---|{Line}");
        var all = new List<double[]>();
        foreach (var file in Kernels.InC)
        {
            var kernel = Build(Kernels.OnePass(file, HotpatchBench.Out("one")), "one", [0], []);
            Terminal.Status("Counting", kernel.Name);
            var plain = Measured.Instructions(kernel.Plain[0], [], HotpatchBench.Output);
            double[] row = [.. kernel.Others.Select(o => Measured.Instructions(o[0], [], HotpatchBench.Output) / plain)];
            all.Add(row);
            Console.WriteLine($"| {kernel.Name} | {Cells(row)} |");
        }
        double[] means = [.. Enumerable.Range(0, Ways.Length).Select(i => Measured.Geomean(all.Select(r => r[i])))];
        Console.WriteLine($"| **geometric mean** | {Cells(means)} |");
        HotpatchBench.Bound("instructions of the kernels, geometric mean", means[0], MostInstructions);
    }

    private static void RunTimes(List<Kernel> kernels)
    {
        Console.WriteLine($"\n| run time / plain | {Head} |\n|---|{Line}");
        var all = Ways.Select(_ => new List<double>()).ToArray();
        foreach (var kernel in kernels)
        {
            Terminal.Status("Measuring", kernel.Name);
            var best = Measured.BestInTurn([.. kernel.Others.Prepend(kernel.Plain).Select<string[], Func<double>>(places => () => places.Min(FastestPass))]);
            double[] row = [.. best.Skip(1).Select(b => b / best[0])];
            for (var i = 0; i < row.Length; i++) all[i].Add(row[i]);
            Console.WriteLine($"| {kernel.Name} | {Cells(row)}{string.Concat(Enumerable.Repeat(" | ", Ways.Length - row.Length))} |");
        }
        Console.WriteLine($"| **geometric mean** (target 1.005) | {Cells(all.Select(Measured.Geomean))} |");
        Console.WriteLine($"| worst | {Cells(all.Select(a => a.Max()))} |");
    }

    private static double FastestPass(string program)
    {
        using var run = Kernels.Run(program);
        return run.RootElement.GetProperty("fastest_pass_nanoseconds").GetDouble();
    }

    private static IEnumerable<Kernel> InC() => Kernels.InC.Select(file => Build(file, "kernels", Places, [Kernels.Aligned]));

    private static Kernel Build(string file, string folder, int[] places, string[] options)
    {
        var name = Path.GetFileNameWithoutExtension(file);
        Terminal.Status("Building", name);
        string[] Programs(int way, string[] compiler)
        {
            var program = Kernels.Compile(file, HotpatchBench.Out($"{folder}/{way}/{name}"), [.. compiler, .. options]);
            return [.. places.Select(p => Moved(program, p, compiler))];
        }
        return new(name, Programs(0, ["clang-22"]), [.. Ways.Select((w, i) => Programs(i + 1, w.Compiler))]);
    }

    /// <summary>Links what was compiled behind so many bytes that nothing uses.</summary>
    private static string Moved(string program, int bytes, string[] compiler)
    {
        string before = HotpatchBench.Out($"{bytes}.s"), moved = $"{program}-{bytes}", folder = Path.GetDirectoryName(program)!;
        File.WriteAllText(before, $".text\n.p2align 6\n.zero {bytes}\n");
        Measured.Run("clang-22", ["-c", before, "-o", before + ".o"], folder);
        Measured.Run(compiler[0], [.. compiler[1..], before + ".o", program + ".o", Path.Combine(folder, "main.o"), "-o", moved, "-lpthread", "-lm"], folder, HotpatchBench.Clang22);
        return moved;
    }

    private static IEnumerable<Kernel> InRust()
    {
        Terminal.Status("Building", "kernels in Rust");
        string plain = Kernels.BuildRust(HotpatchBench.Output, "rust-plain"), woven = Kernels.BuildRust(HotpatchBench.Output, "rust-woven", "--with", "hotpatch");
        return Kernels.InRust.Select(name => new Kernel(name, [Path.Combine(plain, name)], [[Path.Combine(woven, name)]]));
    }

    private static string Cells(IEnumerable<double> values) => string.Join(" | ", values.Select(HotpatchBench.Ratio));
}
