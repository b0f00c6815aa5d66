using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;
using Weft.Core;
using Weft.RealPrograms;

namespace Weft.Bench;

/// <summary>What one command cost: seconds of wall time and of CPU time, its own and its children's.</summary>
internal readonly record struct Cost(double Wall, double Cpu);

internal static partial class Measured
{
    /// <summary>Where Weft puts what it builds for this machine.</summary>
    public const string Triple = "x86_64-unknown-linux-gnu";

    public static readonly string Weft = Path.Combine(DebianSource.Folder, "../weft/weft");

    public static readonly string Repository = FindRepository();

    /// <summary>Runs a command that has to succeed, its output thrown away.</summary>
    public static Cost Run(string program, IReadOnlyList<string> arguments, string folder, IReadOnlyDictionary<string, string?>? environment = null)
    {
        var before = ChildrenUsage();
        var start = Stopwatch.GetTimestamp();
        var result = ChildProcess.Capture(program, arguments, environment, folder);
        var wall = Stopwatch.GetElapsedTime(start).TotalSeconds;
        if (result.ExitCode != 0) throw new WeftException($"{program} {string.Join(' ', arguments)} failed with {result.ExitCode}:\n{result.Errors}");
        var after = ChildrenUsage();
        return new Cost(wall, after.Cpu - before.Cpu);
    }

    /// <summary>
    /// Runs two commands in turn, so that both meet the same weather, and gives the median of each pair's ratio
    /// first/second together with the median costs.
    /// </summary>
    public static (double CpuRatio, double WallRatio, Cost First, Cost Second) InTurn(int rounds, Func<Cost> first, Func<Cost> second, bool warm = true)
    {
        if (warm && rounds > 1) // once more than counted, to warm caches; a cold build is cold every time
        {
            first();
            second();
        }
        var pairs = Enumerable.Range(0, rounds).Select(_ => (A: first(), B: second())).ToList();
        return (Median(pairs.Select(p => p.A.Cpu / p.B.Cpu)), Median(pairs.Select(p => p.A.Wall / p.B.Wall)), MedianCost(pairs.Select(p => p.A)), MedianCost(pairs.Select(p => p.B)));
    }

    /// <summary>
    /// The least that each cost. Neighbours on the machine only ever add to it, so each is run in turn until its three best
    /// times agree, or that often that it is no use.
    /// </summary>
    public static double[] BestInTurn(params Func<double>[] runs)
    {
        const int most = 10, fewest = 3;
        const double settled = 1.005;
        var seen = runs.Select(_ => new List<double>()).ToArray();
        for (var round = 0; round < most && !Array.TrueForAll(seen, IsSettled); round++)
            for (var i = 0; i < runs.Length; i++) seen[i].Add(runs[i]());
        return [.. seen.Select(s => s.Min())];

        static bool IsSettled(List<double> costs) => costs.Count >= fewest && costs.Order().ElementAt(fewest - 1) < costs.Min() * settled;
    }

    public static double Median(IEnumerable<double> values)
    {
        var sorted = values.Order().ToList();
        return sorted.Count % 2 == 1 ? sorted[sorted.Count / 2] : (sorted[sorted.Count / 2 - 1] + sorted[sorted.Count / 2]) / 2;
    }

    public static double Geomean(IEnumerable<double> values) => Math.Exp(values.Average(Math.Log));

    /// <summary>Size of .text and read-only data, as binutils' size counts it.</summary>
    public static long Text(string file) => long.Parse(ChildProcess.Capture("size", [file]).Output.Split('\n')[1].Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries)[0]);

    /// <summary>Size of what a program has in memory, as binutils' size counts it.</summary>
    public static long Allocated(string file) => long.Parse(ChildProcess.Capture("size", [file]).Output.Split('\n')[1].Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries)[3], CultureInfo.InvariantCulture);

    /// <summary>Instructions of a program that ends well, which valgrind counts: the same on every run.</summary>
    public static double Instructions(string program, IReadOnlyList<string> arguments, string folder, IReadOnlyDictionary<string, string?>? environment = null)
    {
        var run = ChildProcess.Capture("valgrind", ["--tool=callgrind", "--callgrind-out-file=/dev/null", program, .. arguments], environment, folder);
        if (run.ExitCode != 0) throw new WeftException($"{program} {string.Join(' ', arguments)} failed under valgrind with {run.ExitCode}:\n{run.Errors}");
        return double.Parse(run.Errors.Split('\n').First(l => l.Contains("Collected", StringComparison.Ordinal)).Split(' ')[^1], CultureInfo.InvariantCulture);
    }

    private static string FindRepository()
    {
        var folder = AppContext.BaseDirectory;
        while (!File.Exists(Path.Combine(folder, "Weft.slnx"))) folder = Path.GetDirectoryName(folder) ?? throw new WeftException("run this inside the repository");
        return folder;
    }

    private static Cost MedianCost(IEnumerable<Cost> costs)
    {
        var list = costs.ToList();
        return new Cost(Median(list.Select(c => c.Wall)), Median(list.Select(c => c.Cpu)));
    }

    public static unsafe Cost ChildrenUsage()
    {
        // struct rusage: ru_utime, ru_stime (two longs each), ...
        const int children = -1;
        var usage = stackalloc long[18];
        _ = getrusage(children, usage);
        return new Cost(0, usage[0] + usage[2] + (usage[1] + usage[3]) / 1e6);
    }

    [LibraryImport("libc")]
    private static unsafe partial int getrusage(int who, long* usage);
}
