using Weft.Core;
using Weft.RealPrograms;

namespace Weft.Bench;

/// <summary>What metering costs SQLite and ripgrep, and their builds, in turn; and whether they do the same work each time.</summary>
internal static class MeteredPrograms
{
    private static readonly string[] Variants = ["counting", "with a limit", "exact limit"];
    private static readonly Dictionary<string, string?> Cold = new() { ["WEFT_CC"] = "clang-22", ["WEFT_CACHE_SIZE"] = "0", ["WEFT_FORCE_LOWER"] = "1" };

    private sealed record Build(string Name, string Program, double Cpu);

    public static void Run()
    {
        Directory.CreateDirectory(MeteringBench.Output);
        Directory.CreateDirectory(CoveredPrograms.Output);
        var sqlite = Sqlite();
        Table("SQLite / plain", sqlite, "400,000 rows in the shell", CoveredSqlite.Statements(400_000), CoveredSqlite.Statements(20_000));
        var ripgrep = Ripgrep();
        foreach (var (name, _, arguments) in CargoBench.Searches)
            Table($"ripgrep, {name} / plain", ripgrep, "search", Search(arguments, RustPrograms.Corpus()), Search(arguments, Path.Combine(RustPrograms.Corpus(), "ext/misc")));
    }

    private static string[] Search(string[] pattern, string folder) => ["--no-config", "-uuu", "-j1", "--sort", "path", .. pattern, folder];

    private static void Table(string title, Build[] builds, string work, string[] much, string[] little)
    {
        CoveredPrograms.Line[] lines =
        [
            new(work + ", CPU", "s", [.. builds.Select<Build, Func<double>>(b => () => Measured.Run(b.Program, much, MeteringBench.Output).Cpu)]),
            new("less of it, instructions", "", [.. builds.Select<Build, Func<double>>(b => () => Measured.Instructions(b.Program, little, MeteringBench.Output))]),
            new("text", "bytes", [.. builds.Select<Build, Func<double>>(b => () => Measured.Text(b.Program))]),
            new("build, CPU", "s (once)", [.. builds.Select<Build, Func<double>>(b => () => b.Cpu)]),
        ];
        CoveredPrograms.Table(title, builds.Select(b => b.Name), lines);
        var units = builds.Skip(1).SelectMany(b => Enumerable.Range(0, 3).Select(_ => MeteringBench.Units(b.Program, little))).Distinct().ToList();
        Console.WriteLine($"\nUnits of the less, three runs of each: {string.Join(", ", units.Select(u => u.ToString("N0", System.Globalization.CultureInfo.InvariantCulture)))}.");
    }

    private static Build[] Sqlite()
    {
        var folder = Path.GetDirectoryName(new CPrograms("clang-22", "clang++-22", "clang").Sqlite())!;
        Build Compile(string name, params string[] compiler)
        {
            Terminal.Status("Building", "SQLite, " + name);
            var program = Path.Combine(MeteringBench.Output, "sqlite-" + name.Replace(' ', '-'));
            return new(name, program, Measured.Run(compiler[0], [.. compiler[1..], "-O2", "-w", "shell.c", "sqlite3.c", "-lpthread", "-ldl", "-lm", "-o", program], folder, Cold).Cpu);
        }
        return [Compile("plain", "clang-22"), .. Variants.Select(v => Compile(v, [Measured.Weft, "cc", .. MeteringBench.Options[v]]))];
    }

    private static Build[] Ripgrep()
    {
        var source = RustPrograms.Ripgrep();
        Build Compile(string name, params string[] options)
        {
            Terminal.Status("Building", "ripgrep, " + name);
            var target = Path.Combine(MeteringBench.Output, "ripgrep-" + name.Replace(' ', '-'));
            if (Directory.Exists(target)) Directory.Delete(target, recursive: true);
            var cpu = Measured.Run(Measured.Weft, ["cargo", "build", "--offline", "--release", "--target-dir", target, .. options], source, Cold).Cpu;
            return new(name, Directory.GetFiles(target, "rg", SearchOption.AllDirectories).Single(f => f.EndsWith($"{Measured.Triple}/release/rg", StringComparison.Ordinal)), cpu);
        }
        return [Compile("plain"), .. Variants.Select(v => Compile(v, MeteringBench.Options[v]))];
    }
}
