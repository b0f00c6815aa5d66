using System.Diagnostics;
using Weft.Core;

namespace Weft.Bench;

/// <summary>One function of SQLite's 240,000 lines is edited: compiled, made a patch and applied by hand, against compiled, linked and started.</summary>
internal static class HotpatchSavedSqlite
{
    private const int Edits = 3;
    private const string Edited = "sqlite3_result_text(context, sqlite3_libversion(), -1, SQLITE_STATIC);";
    private static readonly string[] Libraries = ["-lpthread", "-ldl", "-lm"];

    private sealed record Times(double Compile, double Build, double Apply)
    {
        public double All => Compile + Build + Apply;
    }

    public static void Run()
    {
        var folder = HotpatchSqlite.Sources();
        var source = Path.Combine(folder, "sqlite3.c");
        var text = File.ReadAllText(source);
        if (!text.Contains(Edited, StringComparison.Ordinal)) throw new WeftException("SQLite's versionFunc is not what it was");
        string[] weft = [Measured.Weft, "cc", "--with=hotpatch"], clang = ["clang-22"];
        foreach (var compiler in (ReadOnlySpan<string[]>)[weft, clang])
            foreach (var file in (ReadOnlySpan<string>)["sqlite3", "shell"]) Compile(compiler, file, folder);
        Link(weft, folder);
        Link(clang, folder);
        File.Copy(Shell(weft), HotpatchBench.Out("saved-sqlite"), overwrite: true); // what runs is another file than the next link's
        using var shell = new SpokenProgram(HotpatchBench.Out("saved-sqlite"), [":memory:"], folder);
        List<Times> patched = [], started = [];
        for (var i = 1; i <= Edits; i++)
        {
            Terminal.Status("Measuring", $"SQLite, edit {i}");
            File.WriteAllText(source, text.Replace(Edited, $"sqlite3_result_text(context, \"edit {i}\", -1, SQLITE_STATIC);", StringComparison.Ordinal));
            patched.Add(new(Seconds(() => Compile(weft, "sqlite3", folder)), Seconds(() => Build(i)), Seconds(() => Apply(shell, i))));
            started.Add(new(Seconds(() => Compile(clang, "sqlite3", folder)), Seconds(() => Link(clang, folder)), Seconds(() => Start(folder, i))));
        }
        File.WriteAllText(source, text);
        Console.WriteLine("\n| SQLite, -O2, one function changed | compile | patch, or link | apply, or start | together | beyond compiling |\n|---|---|---|---|---|---|");
        Row("weft cc, weft hotpatch build, weft hotpatch apply", patched);
        Row("clang, link, start", started);
    }

    private static void Row(string name, List<Times> times)
    {
        string Median(Func<Times, double> part) => $"{Measured.Median(times.Select(part)):F2} s";
        Console.WriteLine($"| {name} | {Median(t => t.Compile)} | {Median(t => t.Build)} | {Median(t => t.Apply)} | {Median(t => t.All)} | {Median(t => t.Build + t.Apply)} |");
    }

    private static string Object(string[] compiler, string file) => HotpatchBench.Out($"saved-{file}-{(compiler.Length > 1 ? "weft" : "clang")}.o");

    private static string Shell(string[] compiler) => HotpatchBench.Out("saved-" + (compiler.Length > 1 ? "weft" : "clang"));

    private static void Compile(string[] compiler, string file, string folder) =>
        Measured.Run(compiler[0], [.. compiler[1..], "-O2", "-w", "-c", file + ".c", "-o", Object(compiler, file)], folder, HotpatchBench.Clang22);

    private static void Link(string[] compiler, string folder) =>
        Measured.Run(compiler[0], [.. compiler[1..], Object(compiler, "shell"), Object(compiler, "sqlite3"), .. Libraries, "-o", Shell(compiler)], folder, HotpatchBench.Clang22);

    private static string Patch(int edit) => HotpatchBench.Out($"saved-{edit}.patch");

    private static void Build(int edit) =>
        HotpatchBench.Must(Measured.Weft, ["hotpatch", "build", "--program", HotpatchBench.Out("saved-sqlite"), .. Enumerable.Range(1, edit - 1).SelectMany<int, string>(e => ["--after", Patch(e)]), "-o", Patch(edit), Object(["weft", "cc"], "sqlite3")]);

    private static void Apply(SpokenProgram shell, int edit)
    {
        HotpatchBench.Must(Measured.Weft, "hotpatch", "apply", "--pid", $"{shell.Id}", Patch(edit));
        AssertVersion(shell, edit);
    }

    private static void Start(string folder, int edit)
    {
        using var shell = new SpokenProgram(Shell(["clang-22"]), [":memory:"], folder);
        AssertVersion(shell, edit);
    }

    private static void AssertVersion(SpokenProgram shell, int edit)
    {
        shell.Say("select sqlite_version();");
        if (shell.Next().Line is var said && said != $"edit {edit}") throw new WeftException($"SQLite says '{said}' after edit {edit}");
    }

    private static double Seconds(Action action)
    {
        var start = Stopwatch.GetTimestamp();
        action();
        return Stopwatch.GetElapsedTime(start).TotalSeconds;
    }
}
