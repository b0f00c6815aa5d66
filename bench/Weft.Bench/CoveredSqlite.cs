using Weft.Core;
using Weft.RealPrograms;

namespace Weft.Bench;

/// <summary>SQLite's shell with statements to answer, and some of SQLite's own tests. All of SQLite is counted, in every build alike.</summary>
internal sealed class CoveredSqlite(string[] counters, bool tests)
{
    private const int Many = 400_000, Few = 20_000;
    private static readonly Dictionary<string, string?> Clang22 = new() { ["WEFT_CC"] = "clang-22", ["WEFT_CACHE_SIZE"] = "0" };

    // Of each of its larger parts one; all of the quick tests take minutes.
    private static readonly string[] Tests = ["select1", "where", "join", "index", "trans", "func", "expr", "window1", "json101", "fts3aa", "corruptA", "vacuum"];

    private readonly string[] builds = ["plain", .. counters];

    public void Run()
    {
        var sources = Path.GetDirectoryName(new CPrograms("clang-22", "clang++-22", "clang").Sqlite())!;
        var compiled = builds.Select(b => Compile(b, sources)).ToArray();
        var folders = tests ? builds.Select(TestFolder).ToArray() : [];
        CoveredPrograms.Line[] lines =
        [
            new($"{Many:N0} rows in the shell, CPU", "s", [.. builds.Select<string, Func<double>>(b => () => CoveredPrograms.Cpu(Shell(b), Statements(Many)))]),
            new($"{Few:N0} rows in the shell, instructions", "", [.. builds.Select<string, Func<double>>(b => () => CoveredPrograms.Instructions(Shell(b), Statements(Few)))]),
            new($"{Tests.Length} files of its own tests, CPU", "s", [.. folders.Select<string, Func<double>>(f => () => CoveredPrograms.Cpu("setpriv", OwnTests(f), f))]),
            new("build of the shell, CPU", "s (once)", [.. compiled.Select<double, Func<double>>(c => () => c)]),
            new("allocated sections of the shell", "bytes", [.. builds.Select<string, Func<double>>(b => () => Measured.Allocated(Shell(b)))]),
        ];
        CoveredPrograms.Table("SQLite / plain", builds.Select(b => b == CoveredPrograms.FrontEnd ? "clang" : b), lines);
        foreach (var folder in folders) Directory.Delete(folder, recursive: true);
    }

    private static string[] OwnTests(string folder) => CPrograms.AsNobody(folder, "sh", "-c", $"for t in {string.Join(' ', Tests)}; do ./testfixture test/$t.test || exit 1; done");

    // Text that is the same in every run.
    public static string[] Statements(int rows) =>
        [":memory:", $"CREATE TABLE t(a INTEGER PRIMARY KEY, b TEXT); WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<{rows}) INSERT INTO t SELECT i, hex(i * 2654435761 % 4294967296) FROM n; CREATE INDEX u ON t(b); SELECT count(*) FROM t x JOIN t y ON x.b=y.b; SELECT substr(b,1,1), count(*) FROM t GROUP BY 1;"];

    private static string Shell(string build) => Path.Combine(CoveredPrograms.Output, "sqlite-" + build);

    private static string[] Compiler(string build) => build switch
    {
        "plain" => ["clang-22"],
        CoveredPrograms.FrontEnd => ["clang-22", "-fprofile-instr-generate", "-fcoverage-mapping"],
        _ => [Measured.Weft, "cc", .. CoveredPrograms.Options(build)],
    };

    /// <summary>Builds a shell; CPU seconds.</summary>
    private static double Compile(string build, string folder)
    {
        Terminal.Status("Building", "SQLite, " + build);
        var compiler = Compiler(build);
        return Measured.Run(compiler[0], [.. compiler[1..], "-O2", "-w", "shell.c", "sqlite3.c", "-lpthread", "-ldl", "-lm", "-o", Shell(build)], folder, Clang22).Cpu;
    }

    private static string TestFolder(string build)
    {
        Terminal.Status("Building", "SQLite's tests, " + build);
        foreach (var (name, value) in Clang22) Environment.SetEnvironmentVariable(name, value);
        return new CPrograms(string.Join(' ', Compiler(build)), "clang++-22", "covered-" + build).SqliteTestFolder();
    }
}
