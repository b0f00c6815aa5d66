using System.CommandLine;
using System.Globalization;
using System.Text;
using Weft.Core;
using Weft.Metering;
using Weft.Toolchain.Clang;

namespace Weft.Cli.Commands;

/// <summary>
/// Builds one bundled program in C and in Rust, plain and metered, without and with optimisation, and shows that the units
/// counted are the same at both levels, what the counting costs, and where a limit ends it. Then come <see cref="InterruptsDemo"/>, <see cref="TracingDemo"/>, <see cref="CoverageDemo"/> and <see cref="HotpatchDemo"/>.
/// </summary>
internal static class DemoCommand
{
    // Stopped: the last line that it prints with a limit of so many percent of its units.
    private sealed record Row(string Language, string Level, string ReportFile, MeteringReport Report, double Seconds, double PlainSeconds, string Stopped)
    {
        public ulong Units => Report.Total;

        public double Ratio => Seconds / PlainSeconds;
    }

    public static Command Create()
    {
        var folder = new Option<string>("--out") { HelpName = "DIR", Description = "Where the demo is built [default: weft-demo]" };
        var command = new Command("demo", "Build and run a bundled program with every instrument and show what they say.") { folder };
        command.SetAction(parsed => Run(Path.GetFullPath(parsed.GetValue(folder) ?? "weft-demo")));
        return command;
    }

    private static int Run(string folder)
    {
        foreach (var name in (string[])["demo.c", "demo.rs", "interrupts.c", "tracing.c", "hotpatch.c"]) Unpack(name, Path.Combine(folder, name));
        Unpack("demo.toml", Path.Combine(folder, "Cargo.toml"));
        Unpack("demo.toml", Path.Combine(folder, "coverage/Cargo.toml"));
        Unpack("coverage.rs", Path.Combine(folder, "coverage/demo.rs"));
        var rows = new List<Row>();
        var compiler = ClangDoor.FindCompiler();
        if (compiler != null) rows.AddRange(((string[])["-O0", "-O2"]).Select(level => C(folder, compiler, level)));
        else Terminal.Note("no clang that weft cc works with: the C half of the demo is left out (see weft doctor)");
        var hasCargo = ChildProcess.Find("cargo") != null;
        if (hasCargo) rows.AddRange(((string[])["0", "3"]).Select(level => Rust(folder, level)));
        else Terminal.Note("no cargo found: the Rust half of the demo is left out (see weft doctor)");
        if (rows.Count == 0) throw new WeftException("neither clang nor cargo was found", "weft doctor says how to get them");
        var interrupts = compiler == null ? null : InterruptsDemo.Run(folder, compiler);
        var tracing = compiler == null ? null : TracingDemo.Run(folder, compiler);
        var coverage = hasCargo && DoctorCommand.HasProfilerBuiltins() ? CoverageDemo.Run(folder) : null;
        var hotpatch = compiler == null ? null : HotpatchDemo.Run(folder, compiler);
        return Print(rows, interrupts, tracing, coverage, hotpatch, folder);
    }

    private static Row C(string folder, IReadOnlyList<string> compiler, string level)
    {
        Terminal.Status("Building", $"demo.c {level}");
        var source = Path.Combine(folder, "demo.c");
        string plain = Path.Combine(folder, "demo-c-plain" + level), metered = Path.Combine(folder, "demo-c-metered" + level);
        Must(ChildProcess.Capture(compiler[0], [.. compiler.Skip(1), level, source, "-o", plain]), "the plain demo does not compile");
        Must(ChildProcess.Capture(Self, ["cc", "--with=metering", level, source, "-o", metered]), "the metered demo does not compile");
        var report = metered + ".json";
        var expected = Measure(() => ChildProcess.Capture(plain, []));
        var actual = Measure(() => ChildProcess.Capture(metered, [], new Dictionary<string, string?> { ["WEFT_METERING_REPORT"] = report }));
        return Result("C", level, expected, actual, report, limited => ChildProcess.Capture(metered, [], limited));
    }

    private static Row Rust(string folder, string level)
    {
        Terminal.Status("Building", $"demo.rs opt-level {level}");
        var report = Path.Combine(folder, $"demo-rust-metered-{level}.json");
        string[] run = ["run", "--quiet", "--release", "--config", $"profile.release.opt-level={level}"];
        Dictionary<string, string?> environment = new() { ["CARGO_TARGET_DIR"] = Path.Combine(folder, "target"), ["WEFT_METERING_REPORT"] = report };
        var expected = Measure(() => ChildProcess.Capture("cargo", run, environment, folder));
        var actual = Measure(() => ChildProcess.Capture(Self, ["cargo", .. run, "--with", "metering"], environment, folder));
        environment.Remove("WEFT_METERING_REPORT");
        return Result("Rust", level, expected, actual, report, limited => ChildProcess.Capture(Self, ["cargo", .. run, "--with", "metering"], environment.Concat(limited).ToDictionary(), folder));
    }

    private static Row Result(string language, string level, (string Results, double Seconds) plain, (string Results, double Seconds) metered, string report, Func<Dictionary<string, string?>, ChildProcess.Captured> run)
    {
        if (plain.Results != metered.Results) throw new WeftException($"the metered {language} demo printed '{metered.Results}' where the plain one printed '{plain.Results}'", "this is a bug in Weft");
        var read = MeteringReport.Read(report);
        var stopped = run(new() { ["WEFT_METERING_LIMIT"] = (read.Total / 100 * Share).ToString(CultureInfo.InvariantCulture) });
        const int reached = 124;
        if (stopped.ExitCode != reached) throw new WeftException($"the {language} demo with a limit ended with exit code {stopped.ExitCode}, not {reached}:\n{stopped.Errors.TrimEnd()}", "this is a bug in Weft");
        return new(language, level, report, read, metered.Seconds, plain.Seconds, stopped.Output.TrimEnd().Split('\n')[^1]);
    }

    // Of the units, in percent.
    private const int Share = 60;

    public static (string Results, double Seconds) Measure(Func<ChildProcess.Captured> run)
    {
        var best = double.MaxValue;
        var results = "";
        for (var i = 0; i < 3; i++)
        {
            var lines = Must(run(), "the demo does not run").Output.Split('\n');
            results = lines.First(l => l.StartsWith("results ", StringComparison.Ordinal));
            best = Math.Min(best, double.Parse(lines.First(l => l.StartsWith("seconds ", StringComparison.Ordinal)).AsSpan(8), CultureInfo.InvariantCulture));
        }
        return (results, best);
    }

    private static int Print(List<Row> rows, InterruptsDemo? interrupts, TracingDemo? tracing, CoverageDemo? coverage, HotpatchDemo? hotpatch, string folder)
    {
        Console.Out.Write($"\n  {"program",-8}{"level",-6}{"units",16}{"plain",11}{"metered",11}{"ratio",8}\n");
        foreach (var row in rows)
            Console.Out.Write($"  {row.Language,-8}{row.Level,-6}{row.Units,16:N0}{row.PlainSeconds * 1000,8:F1} ms{row.Seconds * 1000,8:F1} ms{row.Ratio,7:F2}x\n");
        var same = rows.GroupBy(r => r.Language).All(g => g.Select(r => (r.Units, r.Stopped)).Distinct().Count() == 1);
        var stops = string.Join(", ", rows.DistinctBy(r => r.Language).Select(r => $"{r.Language} '{r.Stopped}'"));
        var verdict = same
            ? $"The units do not depend on the level of optimisation.\nNor does where a limit of {Share} % of them (WEFT_METERING_LIMIT) ends the program; the last line it prints: {stops}."
            : "The units, or where a limit ends the program, differ between levels: they should not.";
        Console.Out.Write($"\n{verdict}\nTo see them again: weft metering report {Terminal.ShellQuote(rows[0].ReportFile)}\n");
        interrupts?.Print(Console.Out);
        tracing?.Print(Console.Out);
        coverage?.Print(Console.Out);
        hotpatch?.Print(Console.Out);
        var page = Path.Combine(folder, "index.html");
        AtomicFile.Write(page, Encoding.UTF8.GetBytes(Page(rows, interrupts, tracing, coverage, hotpatch, verdict)));
        Console.Out.Write($"\nThe same as a page: {page}\n");
        return (int)(same ? ExitCode.Success : ExitCode.CheckFailed);
    }

    private static string Page(List<Row> rows, InterruptsDemo? interrupts, TracingDemo? tracing, CoverageDemo? coverage, HotpatchDemo? hotpatch, string verdict)
    {
        var page = new DemoPage();
        page.Heading("Metering: a deterministic count of the work a program did");
        page.Text("One program, in C and in Rust, built plainly and with metering. " + verdict);
        page.Table(["program", "units", "plain, ms", "metered, ms", "ratio"],
            rows.Select(r => (string[])[$"{r.Language} {r.Level}", $"{r.Units:N0}", $"{r.PlainSeconds * 1000:F1}", $"{r.Seconds * 1000:F1}", $"{r.Ratio:F2}"]));
        foreach (var row in rows.DistinctBy(r => r.Language))
        {
            page.Heading($"Where the {row.Language} program spent them");
            page.Functions(row.Report, top: 12);
        }
        interrupts?.Write(page);
        tracing?.Write(page);
        coverage?.Write(page);
        hotpatch?.Write(page);
        return page.ToString();
    }

    public static ChildProcess.Captured Must(ChildProcess.Captured result, string what) =>
        result.ExitCode == 0 ? result : throw new WeftException($"{what}:\n{result.Errors.TrimEnd()}", "weft doctor shows what is missing");

    public static string Self => Environment.ProcessPath ?? throw new WeftException("cannot find Weft's own program file");

    private static void Unpack(string name, string path)
    {
        using var resource = typeof(DemoCommand).Assembly.GetManifestResourceStream("demo/" + name)!;
        using var content = new MemoryStream();
        resource.CopyTo(content);
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        AtomicFile.Write(path, content.ToArray());
    }
}
