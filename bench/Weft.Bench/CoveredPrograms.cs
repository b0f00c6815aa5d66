using System.Globalization;
using Weft.Core;
using Weft.RealPrograms;

namespace Weft.Bench;

/// <summary>What coverage costs real programs that work, and their builds, beside the front ends' own coverage, in turn.</summary>
internal static class CoveredPrograms
{
    public const string FrontEnd = "front-end";

    public static readonly string Output = Path.Combine(DebianSource.Folder, "bench/covered");

    private static readonly string Profiles = Path.Combine(Output, "profiles");

    /// <summary>A line of a table: what is measured, and how for each build, the plain one first.</summary>
    public sealed record Line(string What, string Unit, params Func<double>[] Runs);

    /// <summary>
    /// Arguments pick programs, ways to count and sets of ripgrep's crates ("covered-programs ripgrep binary all"), all of them where
    /// none is named; "work" leaves out the programs' own tests, which take long to build.
    /// </summary>
    public static void Run(string[] arguments)
    {
        Directory.CreateDirectory(Output);
        var counters = Chosen(FrontEnd, "exact", "atomic", "binary");
        var tests = !arguments.Contains("work");
        foreach (var program in Chosen("sqlite", "ripgrep"))
        {
            if (program == "sqlite") new CoveredSqlite(counters, tests).Run();
            else new CoveredRipgrep(Chosen("all", "workspace"), counters, tests).Run();
        }

        string[] Chosen(params string[] all) => all.Intersect(arguments).ToArray() is { Length: > 0 } named ? named : all;
    }

    /// <summary>Weft's options for a way to count.</summary>
    public static string[] Options(string counters) => ["--with=coverage", "--coverage-counters=" + counters];

    /// <summary>CPU time of a command that leaves as many profiles as it has processes; both kinds of runtime are told the same names.</summary>
    public static double Cpu(string program, IReadOnlyList<string> arguments, string? folder = null)
    {
        // Anyone may write: SQLite's tests do not run as root.
        if (Directory.Exists(Profiles)) Directory.Delete(Profiles, recursive: true);
        Directory.CreateDirectory(Profiles);
        File.SetUnixFileMode(Profiles, (UnixFileMode)0b111_111_111);
        return Measured.Run(program, arguments, folder ?? Output, Quiet).Cpu;
    }

    public static double Instructions(string program, IReadOnlyList<string> arguments) => Measured.Instructions(program, arguments, Output, Quiet);

    public static void Table(string title, IEnumerable<string> builds, IEnumerable<Line> lines)
    {
        Console.WriteLine($"\n| {title} | {string.Join(" | ", builds.Skip(1))} | plain |\n|---|{string.Concat(Enumerable.Repeat("---|", builds.Count()))}");
        foreach (var line in lines.Where(l => l.Runs.Length > 0))
        {
            Terminal.Status("Measuring", line.What);
            // What is the same every time is measured once.
            var costs = line.Unit == "s" ? Measured.BestInTurn(line.Runs) : [.. line.Runs.Select(r => r())];
            Console.WriteLine($"| {line.What} | {string.Join(" | ", costs.Skip(1).Select(c => (c / costs[0]).ToString("F3", CultureInfo.InvariantCulture)))} | {costs[0].ToString(line.Unit == "s" ? "F2" : "N0", CultureInfo.InvariantCulture)} {line.Unit}".TrimEnd() + " |");
        }
    }

    private static Dictionary<string, string?> Quiet => new() { ["LLVM_PROFILE_FILE"] = Path.Combine(Profiles, "%p.profraw") };
}
