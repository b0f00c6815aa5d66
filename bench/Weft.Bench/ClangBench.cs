using Weft.RealPrograms;

namespace Weft.Bench;

/// <summary>The SQLite amalgamation by plain clang and by <c>weft cc</c>, in turn.</summary>
internal static class ClangBench
{
    /// <summary>A second of what a database does most.</summary>
    internal const string Work = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<1500000) SELECT sum(i*i % 97), count(DISTINCT i % 1013), max(hex(i)) FROM n;";

    public static void Run()
    {
        DebianSource.Install("tcl", "make", "gcc");
        var source = DebianSource.Unpack("sqlite3");
        if (!File.Exists(Path.Combine(source, "sqlite3.c")))
        {
            DebianSource.Must("sh", ["./configure", "--disable-tcl"], source);
            DebianSource.Must("make", ["sqlite3.c", "shell.c"], source);
        }
        var folder = Directory.CreateDirectory(Path.Combine(DebianSource.Folder, "bench/sqlite")).FullName;
        string Out(string name) => Path.Combine(folder, name);
        string[] Arguments(string output) => ["-O2", "-DSQLITE_THREADSAFE=1", "-o", Out(output), Path.Combine(source, "shell.c"), Path.Combine(source, "sqlite3.c"), "-lpthread", "-ldl", "-lm"];
        var lowered = new Dictionary<string, string?> { ["WEFT_CACHE_SIZE"] = "0", ["WEFT_FORCE_LOWER"] = "1", ["WEFT_CC"] = "clang-22" };
        var build = Measured.InTurn(5, () => Measured.Run(Measured.Weft, ["cc", .. Arguments("through")], folder, lowered), () => Measured.Run("clang-22", Arguments("plain"), folder), warm: false);
        var weaving = Measured.InTurn(1, () => Measured.Run(Measured.Weft, ["cc", "--with=metering", .. Arguments("metered")], folder, lowered), () => Measured.Run("clang-22", Arguments("plain"), folder));

        Cost Query(string shell) => Measured.Run(Out(shell), [":memory:", Work], folder);
        var run = Measured.InTurn(9, () => Query("through"), () => Query("plain"));
        var metering = Measured.InTurn(5, () => Query("metered"), () => Query("plain"));

        Console.WriteLine("| SQLite shell, weft cc / clang-22 -O2 | ratio | target | weft | clang |\n|---|---|---|---|---|");
        Row("run time, no instrument (CPU)", run.CpuRatio, "1.01", $"{run.First.Cpu:F2} s", $"{run.Second.Cpu:F2} s");
        Row("text size", (double)Measured.Text(Out("through")) / Measured.Text(Out("plain")), "1.02", $"{Measured.Text(Out("through"))}", $"{Measured.Text(Out("plain"))}");
        Row("build, no instrument (CPU)", build.CpuRatio, "1.05", $"{build.First.Cpu:F1} s", $"{build.Second.Cpu:F1} s");
        Row("build, no instrument (wall)", build.WallRatio, "1.15", $"{build.First.Wall:F1} s", $"{build.Second.Wall:F1} s");
        Row("build with metering (CPU)", weaving.CpuRatio, "-", $"{weaving.First.Cpu:F1} s", $"{weaving.Second.Cpu:F1} s");
        Row("run time with metering (CPU)", metering.CpuRatio, "-", $"{metering.First.Cpu:F2} s", $"{metering.Second.Cpu:F2} s");
        Row("text size with metering", (double)Measured.Text(Out("metered")) / Measured.Text(Out("plain")), "-", $"{Measured.Text(Out("metered"))}", $"{Measured.Text(Out("plain"))}");
    }

    private static void Row(string what, double ratio, string target, string weft, string plain) => Console.WriteLine($"| {what} | {ratio:F3} | {target} | {weft} | {plain} |");
}
