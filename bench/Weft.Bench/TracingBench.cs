using System.Globalization;
using System.Text;
using Weft.Core;
using Weft.RealPrograms;

namespace Weft.Bench;

/// <summary>What tracing costs an event, a program that is built for it, and the tools; beside LLVM XRay and uftrace, in turn.</summary>
internal sealed class TracingBench
{
    private const int Functions = 20_000;

    internal static readonly string Output = Path.Combine(DebianSource.Folder, "bench/tracing");

    private readonly string sources = Path.Combine(Measured.Repository, "bench");

    public static void Run()
    {
        DebianSource.Install("uftrace");
        Directory.CreateDirectory(Output);
        var bench = new TracingBench();
        bench.Events();
        bench.Kernels();
        bench.Patching();
        bench.Tools();
    }

    // ---- Events ----

    private void Events()
    {
        var source = Path.Combine(sources, "tracing/events.c");
        string plain = Clang("plain", source), woven = Woven("woven", source), fdr = Clang("fdr", source, "-DFDR", "-fxray-instrument", "-fxray-instruction-threshold=1", "-lstdc++"), mcount = Clang("mcount", source, "-pg");
        (string Name, Func<int, double[]> Run)[] rows =
        [
            ("plain", threads => Events(plain, threads)),
            ("weft, built in and off", threads => Events(woven, threads)),
            ("weft, exact (ring)", threads => Events(woven, threads, "exact", "1M")),
            ("weft, exact (streaming to a file)", threads => Events(woven, threads, "exact")),
            ("weft, coarse clock", threads => Events(woven, threads, "coarse", "1M")),
            ("weft, order only", threads => Events(woven, threads, "none", "1M")),
            ("LLVM XRay, FDR mode", threads => Events(fdr, threads)),
            ("uftrace record, -pg", threads => Parse(ChildProcess.Capture("uftrace", ["record", "-d", Path.Combine(Output, "uftrace"), mcount, "20", $"{threads}"]).Output)),
            ("weft, exact, arguments and results (ring)", threads => Events(woven, threads, "exact", "1M", "WEFT_TRACING_ARGS=on")),
            ("weft, exact, filtered by what calls (ring)", threads => Events(woven, threads, "exact", "1M", "WEFT_TRACING_FILTER=*")),
            ("weft, exact, threads left out", threads => Events(woven, threads, "exact", "1M", "WEFT_TRACING_THREADS=nobody")),
        ];
        var best = new double[rows.Length, 3, 2];
        int[] threads = [1, 2, 4];
        for (var round = 0; round < 10; round++)
            for (var row = 0; row < rows.Length; row++)
                for (var t = 0; t < threads.Length; t++)
                {
                    Terminal.Progress($"events: round {round + 1}, {rows[row].Name}");
                    var costs = rows[row].Run(threads[t]);
                    for (var i = 0; i < 2; i++)
                        if (round == 0 || costs[i] < best[row, t, i]) best[row, t, i] = costs[i];
                }
        Terminal.Progress("");
        double Event(int row, int t, int which) => (best[row, t, which] - best[0, t, which]) / 2;
        Console.WriteLine("\n| CPU time | recursive, ns a call | ns an event | leaf, ns a call | ns an event | 2 threads, ns an event | 4 threads | of FDR | of uftrace |\n|---|---|---|---|---|---|---|---|---|");
        for (var row = 0; row < rows.Length; row++)
        {
            var of = row < 2 ? "" : $"{Event(row, 0, 0) / Event(6, 0, 0):F2} | {Event(row, 0, 0) / Event(7, 0, 0):F2}";
            Console.WriteLine($"| {rows[row].Name} | {best[row, 0, 0]:F2} | {Event(row, 0, 0):F2} | {best[row, 0, 1]:F2} | {Event(row, 0, 1):F2} | {Event(row, 1, 0):F2} | {Event(row, 2, 0):F2} | {(row < 2 ? " | " : of)} |");
        }
    }

    private static double[] Events(string program, int threads, string? clock = null, string? ring = null, string? setting = null)
    {
        var environment = clock == null ? null : Recording(clock, ring);
        if (setting?.Split('=') is [var variable, var value]) environment![variable] = value;
        return Parse(Must(program, ["20", $"{threads}"], environment));
    }

    private static Dictionary<string, string?> Recording(string clock, string? ring)
    {
        foreach (var old in Directory.EnumerateFiles(Output, "*.weft-trace*")) File.Delete(old);
        return new Dictionary<string, string?> { ["WEFT_TRACING"] = "on", ["WEFT_TRACING_CLOCK"] = clock, ["WEFT_TRACING_RING"] = ring, ["WEFT_TRACING_SIZE"] = "4G", ["WEFT_TRACING_FILE"] = Path.Combine(Output, "t.weft-trace") };
    }

    private static double[] Parse(string text) => [.. text.Trim().Split('\n')[^1].Split(' ').Select(n => double.Parse(n, CultureInfo.InvariantCulture))];

    // ---- Built in and off ----

    private void Kernels()
    {
        var kernels = Path.Combine(sources, "kernels");
        Console.WriteLine("\n| kernel, built in and off | run time / plain |\n|---|---|");
        List<double> ratios = [];
        foreach (var file in Directory.GetFiles(kernels, "*.c").Order(StringComparer.Ordinal).Where(f => Path.GetFileName(f) != "main.c"))
        {
            var name = Path.GetFileNameWithoutExtension(file);
            Terminal.Progress("kernel " + name);
            string plain = Kernel("plain", file, "clang-22"), woven = Kernel("woven", file, Measured.Weft, "cc", "--with=tracing");
            var best = Measured.BestInTurn(() => Pass(plain), () => Pass(woven));
            ratios.Add(best[1] / best[0]);
            Terminal.Progress("");
            Console.WriteLine($"| {name} | {best[1] / best[0]:F3} |");
        }
        Console.WriteLine($"| **geometric mean** (target 1.01) | **{Math.Exp(ratios.Average(Math.Log)):F3}** |");
    }

    private string Kernel(string variant, string file, params string[] compiler)
    {
        var program = Path.Combine(Output, $"{Path.GetFileNameWithoutExtension(file)}-{variant}");
        // Where a loop lies in a cache line decides more than a sled does: in both builds at the start of one.
        string[] options = ["-std=c11", "-O2", "-mbranches-within-32B-boundaries", "-mllvm", "-x86-experimental-pref-innermost-loop-alignment=6", "-I", Path.Combine(sources, "../runtime/include")];
        var environment = new Dictionary<string, string?> { ["WEFT_CC"] = "clang-22" };
        Measured.Run("clang-22", [.. options, "-c", Path.Combine(sources, "kernels/main.c"), "-o", Path.Combine(Output, "main.o")], Output);
        Measured.Run(compiler[0], [.. compiler[1..], .. options, "-c", file, "-o", program + ".o"], Output, environment);
        Measured.Run(compiler[0], [.. compiler[1..], program + ".o", Path.Combine(Output, "main.o"), "-o", program, "-lpthread", "-lm"], Output, environment);
        return program;
    }

    private static double Pass(string kernel)
    {
        using var result = System.Text.Json.JsonDocument.Parse(Must(kernel, []));
        return result.RootElement.GetProperty("fastest_pass_nanoseconds").GetDouble();
    }

    // ---- Patching ----

    private void Patching()
    {
        var source = Path.Combine(Output, "patching.c");
        var text = new StringBuilder("#include <stdio.h>\n#include <time.h>\n#ifdef FDR\nint __xray_patch(void); int __xray_unpatch(void);\n#define ON __xray_patch()\n#define OFF __xray_unpatch()\n#else\n#include <weft/tracing.h>\n#define ON weft_tracing_on(0, WEFT_TRACING_CLOCK_EXACT)\n#define OFF weft_tracing_off(0)\n#endif\n");
        for (var i = 0; i < Functions; i++) text.Append(CultureInfo.InvariantCulture, $"__attribute__((noinline)) int f{i}(int n) {{ __asm__ volatile(\"\" : \"+r\"(n)); return n + {i}; }}\n");
        text.Append("""
            static double now(void) { struct timespec t; clock_gettime(CLOCK_MONOTONIC, &t); return t.tv_sec * 1e9 + t.tv_nsec; }
            int main(void)
            {
                double start = now(), first, best = 1e18;
                ON;
                first = now() - start;
                OFF;
                for (int i = 0; i < 9; i++) {
                    start = now();
                    ON;
                    double taken = now() - start;
                    best = taken < best ? taken : best;
                    OFF;
                }
                printf("%.3f %.3f\n", first / 1e6, best / 1e6);
                return 0;
            }
            """);
        File.WriteAllText(source, text.ToString());
        Terminal.Progress("building 20,000 functions");
        string woven = Woven("patching", source), xray = Clang("patching-xray", source, "-DFDR", "-fxray-instrument", "-fxray-instruction-threshold=1", "-lstdc++");
        var environment = new Dictionary<string, string?> { ["WEFT_TRACING_FILE"] = Path.Combine(Output, "patching.weft-trace"), ["WEFT_TRACING_RING"] = "1M" };
        double[] Best(Func<double[]> run) => Enumerable.Range(0, 5).Select(_ => run()).Aggregate((a, b) => [Math.Min(a[0], b[0]), Math.Min(a[1], b[1])]);
        double[] ours = Best(() => Parse(Must(woven, [], environment))), theirs = Best(() => Parse(Must(xray, [])));
        Terminal.Progress("");
        Console.WriteLine($"\n| {Functions:N0} functions, {2 * Functions:N0} sleds | the first time, with names into the trace | again (target 1 ms) |\n|---|---|---|\n| weft | {ours[0]:F2} ms | {ours[1]:F2} ms |\n| LLVM XRay | {theirs[0]:F2} ms | {theirs[1]:F2} ms |");
    }

    // ---- Tools ----

    private void Tools()
    {
        var source = Path.Combine(sources, "tracing/events.c");
        string woven = Woven("woven", source), mcount = Clang("mcount", source, "-pg"), xray = Clang("log", source, "-DFDR", "-DFLUSH", "-fxray-instrument", "-fxray-instruction-threshold=1", "-lstdc++");
        string trace = Path.Combine(Output, "t.weft-trace"), logs = Path.Combine(Output, "uftrace-tools"), chrome = Path.Combine(Output, "chrome.json");
        Must(woven, ["14", "1"], Recording("exact", null));
        ChildProcess.Capture("uftrace", ["record", "-d", logs, mcount, "14", "1"]);
        foreach (var old in Directory.EnumerateFiles(Output, "xray-log.*")) File.Delete(old);
        ChildProcess.Capture(xray, ["14", "1"], null, Output);
        var log = Directory.EnumerateFiles(Output, "xray-log.*").OrderByDescending(f => new FileInfo(f).Length).First();
        var export = Measured.InTurn(5, () => Measured.Run(Measured.Weft, ["tracing", "export", trace, "--format", "chrome", "-o", chrome], Output), () => Measured.Run("llvm-xray-22", ["convert", "--output-format=trace_event", "--symbolize", $"--instr_map={xray}", log, "-o", chrome + ".xray"], Output));
        var report = Measured.InTurn(5, () => Measured.Run(Measured.Weft, ["tracing", "report", trace], Output), () => Measured.Run("uftrace", ["report", "-d", logs], Output));
        Console.WriteLine($"\n| {new FileInfo(trace).Length / 8:N0} events | weft | peer | wall time, ratio | target |\n|---|---|---|---|---|");
        Console.WriteLine($"| Chrome format, against llvm-xray convert | {export.First.Wall:F2} s | {export.Second.Wall:F2} s | {export.WallRatio:F2} | 0.5 |");
        Console.WriteLine($"| report, against uftrace report | {report.First.Wall:F2} s | {report.Second.Wall:F2} s | {report.WallRatio:F2} | 1 |");
    }

    // ---- Programs ----

    private static string Clang(string name, string source, params string[] options)
    {
        var program = Path.Combine(Output, name);
        Measured.Run("clang-22", ["-O2", source, "-o", program, .. options, "-lpthread"], Output);
        return program;
    }

    private static string Woven(string name, string source)
    {
        var program = Path.Combine(Output, name);
        Measured.Run(Measured.Weft, ["cc", "--with=tracing", "--tracing-threshold=1", "-O2", source, "-o", program, "-lpthread"], Output, new Dictionary<string, string?> { ["WEFT_CC"] = "clang-22" });
        return program;
    }

    internal static string Must(string program, IReadOnlyList<string> arguments, IReadOnlyDictionary<string, string?>? environment = null)
    {
        var result = ChildProcess.Capture(program, arguments, environment, Output);
        return result.ExitCode == 0 ? result.Output : throw new WeftException($"{program} failed with {result.ExitCode}:\n{result.Errors}");
    }
}
