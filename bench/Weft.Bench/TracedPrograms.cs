using System.Globalization;
using Weft.Core;
using Weft.RealPrograms;

namespace Weft.Bench;

/// <summary>SQLite's shell and ripgrep: built for tracing and off, and every function traced, beside clang's XRay and uftrace.</summary>
internal static class TracedPrograms
{
    private static readonly Dictionary<string, string?> Clang22 = new() { ["WEFT_CC"] = "clang-22", ["WEFT_CACHE_SIZE"] = "0" };

    public static void Run()
    {
        DebianSource.Install("uftrace");
        Directory.CreateDirectory(TracingBench.Output);
        Sqlite();
        Ripgrep();
    }

    private static string Out(string name) => Path.Combine(TracingBench.Output, name);

    private static void Sqlite()
    {
        Terminal.Status("Building", "SQLite");
        var folder = Path.GetDirectoryName(new CPrograms("clang-22", "clang++-22", "clang").Sqlite())!;
        string[] build = ["-O2", "-w", "shell.c", "sqlite3.c", "-lpthread", "-ldl", "-lm", "-o"];
        Measured.Run("clang-22", [.. build, Out("sqlite-plain")], folder);
        Measured.Run("clang-22", ["-pg", .. build, Out("sqlite-pg")], folder);
        Measured.Run(Measured.Weft, ["cc", "--with=tracing", .. build, Out("sqlite-default")], folder, Clang22);
        Measured.Run(Measured.Weft, ["cc", "--with=tracing", "--tracing-threshold=1", .. build, Out("sqlite-all")], folder, Clang22);
        Sizes(folder);
        const int many = 400_000, few = 20_000;
        static string Statements(int rows) => $"CREATE TABLE t(a INTEGER PRIMARY KEY, b TEXT); WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<{rows}) INSERT INTO t SELECT i, hex(randomblob(8)) FROM n; CREATE INDEX u ON t(b); SELECT count(*) FROM t x JOIN t y ON x.b=y.b; SELECT substr(b,1,1), count(*) FROM t GROUP BY 1;";
        Func<double> Shell(int rows, string name, string? clock = null, string? ring = null) => () => Measured.Run(Out(name), [":memory:", Statements(rows)], TracingBench.Output, clock == null ? null : Recording(clock, ring)).Cpu;
        Func<double> Uftrace(string name) => () => Measured.Run("uftrace", ["record", "-d", Out("uftrace-sqlite"), Out(name), ":memory:", Statements(few)], TracingBench.Output).Cpu;
        void Table(string title, string[] rows, params Func<double>[] runs)
        {
            var best = Measured.BestInTurn(runs);
            Console.WriteLine($"\n| {title} | CPU / plain |\n|---|---|");
            for (var i = 0; i < rows.Length; i++) Console.WriteLine($"| {rows[i]} | {best[i + 1] / best[0]:F3} |");
        }
        Table($"SQLite's shell, {many:N0} rows, off", ["default threshold (target 1.01)", "every function"], Shell(many, "sqlite-plain"), Shell(many, "sqlite-default"), Shell(many, "sqlite-all"));
        Table($"SQLite's shell, {few:N0} rows, traced", ["default threshold (ring)", "every function (ring)", "every function (all to a file)", "every function, order only (ring)", "uftrace record, -pg"],
            Shell(few, "sqlite-plain"), Shell(few, "sqlite-default", "exact", "4M"), Shell(few, "sqlite-all", "exact", "4M"), Shell(few, "sqlite-all", "exact"), Shell(few, "sqlite-all", "none", "4M"), Uftrace("sqlite-pg"));
        Shell(few, "sqlite-all", "exact")();
        Uftrace("sqlite-pg")();
        Volume("weft, every function", new FileInfo(Out("p.weft-trace")).Length, Calls(Out("p.weft-trace")));
        Volume("uftrace", new DirectoryInfo(Out("uftrace-sqlite")).EnumerateFiles().Sum(f => f.Length), 0);
    }

    private static Dictionary<string, string?> Recording(string clock, string? ring)
    {
        File.Delete(Out("p.weft-trace"));
        return new Dictionary<string, string?> { ["WEFT_TRACING"] = "on", ["WEFT_TRACING_CLOCK"] = clock, ["WEFT_TRACING_RING"] = ring, ["WEFT_TRACING_SIZE"] = "8G", ["WEFT_TRACING_FILE"] = Out("p.weft-trace") };
    }

    private static long Calls(string trace) =>
        ChildProcess.Capture(Measured.Weft, ["tracing", "report", trace, "--csv"]).Output.Split('\n').Skip(1).Sum(l => l.Split(',') is [.., var count, _, _, _, _, _, _, _, _, _, _, _, _] && long.TryParse(count, NumberStyles.None, CultureInfo.InvariantCulture, out var calls) ? calls : 0);

    private static void Volume(string name, long bytes, long calls) => Console.WriteLine($"| {name}: file, calls | {bytes / 1e6:N0} MB{(calls > 0 ? $", {calls:N0}" : "")} |");

    private static void Sizes(string folder)
    {
        Console.WriteLine("\n| sqlite3.o, allocated sections / plain | weft | LLVM XRay |\n|---|---|---|");
        long Object(string name, params string[] compiler)
        {
            Measured.Run(compiler[0], [.. compiler[1..], "-O2", "-w", "-c", "sqlite3.c", "-o", Out(name)], folder, Clang22);
            return Measured.Allocated(Out(name));
        }
        double plain = Object("plain.o", "clang-22");
        Console.WriteLine($"| default threshold (target 1.04) | {Object("default.o", Measured.Weft, "cc", "--with=tracing") / plain:F3} | {Object("xray.o", "clang-22", "-fxray-instrument") / plain:F3} |");
        Console.WriteLine($"| every function (target 1.15) | {Object("all.o", Measured.Weft, "cc", "--with=tracing", "--tracing-threshold=1") / plain:F3} | {Object("xray1.o", "clang-22", "-fxray-instrument", "-fxray-instruction-threshold=1") / plain:F3} |");
    }

    private static void Ripgrep()
    {
        Terminal.Status("Building", "ripgrep");
        var source = RustPrograms.Ripgrep();
        var target = Out("ripgrep");
        var environment = new Dictionary<string, string?> { ["WEFT_FORCE_LOWER"] = "1" };
        string[] build = ["cargo", "build", "--offline", "--release", "--target-dir", target];
        string Build(string name, params string[] options)
        {
            Measured.Run(Measured.Weft, [.. build, .. options], source, environment);
            var variant = options.Length == 0 ? "plain" : "tracing*";
            var program = Directory.GetDirectories(Path.Combine(target, "weft"), variant).OrderByDescending(Directory.GetLastWriteTimeUtc).Select(d => Path.Combine(d, $"{Measured.Triple}/release/rg")).First(File.Exists);
            File.Copy(program, Out(name), overwrite: true);
            return Out(name);
        }
        string plain = Build("rg-plain"), normal = Build("rg-default", "--with", "tracing"), all = Build("rg-all", "--with", "tracing", "--tracing-threshold", "1");
        Console.WriteLine($"\n| ripgrep, allocated sections / plain | |\n|---|---|\n| default threshold | {(double)Measured.Allocated(normal) / Measured.Allocated(plain):F3} |\n| every function | {(double)Measured.Allocated(all) / Measured.Allocated(plain):F3} |");
        Console.WriteLine("\n| ripgrep, CPU / plain | default threshold, off (target 1.01) | every function, off | every function, traced (ring) | file, calls |\n|---|---|---|---|---|");
        foreach (var (name, _, pattern) in CargoBench.Searches)
        {
            string[] arguments = ["--no-config", "-uuu", "--sort", "path", .. pattern, RustPrograms.Corpus()];
            Func<double> Search(string rg, string? clock = null, string? ring = null) => () => Measured.Run(rg, arguments, TracingBench.Output, clock == null ? null : Recording(clock, ring)).Cpu;
            var best = Measured.BestInTurn(Search(plain), Search(normal), Search(all), Search(all, "exact", "4M"));
            Search(all, "exact")();
            Console.WriteLine($"| {name} | {best[1] / best[0]:F3} | {best[2] / best[0]:F3} | {best[3] / best[0]:F2} | {new FileInfo(Out("p.weft-trace")).Length / 1e6:N0} MB, {Calls(Out("p.weft-trace")):N0} |");
        }
    }
}
