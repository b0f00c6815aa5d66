using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using Weft.Core;

namespace Weft.Bench;

/// <summary>From the moment that a file is saved until the program prints something else: patched while it runs, or built and started again.</summary>
internal static class HotpatchSaves
{
    private const int Edits = 9, ReleaseEdits = 2; // a release build takes a minute and more, of which little is ours

    public static void Run()
    {
        GeneratedWorkspace ours = new(HotpatchBench.Out("saved/watched")), theirs = new(HotpatchBench.Out("saved/plain"));
        Console.WriteLine($"\n| {ours.Lines:N0} lines of Rust in three crates, one function's body changed: from the save to what it prints | weft hotpatch watch | cargo build and start | target |\n|---|---|---|---|");
        Row("cargo build", Edits, ours, theirs);
        Row("cargo build --release", ReleaseEdits, ours, theirs, "--release");
    }

    private static void Row(string name, int edits, GeneratedWorkspace ours, GeneratedWorkspace theirs, params string[] options)
    {
        Terminal.Status("Building", "the workspace: " + name);
        ours.Edit(0);
        theirs.Edit(0);
        var program = Path.Combine(theirs.Folder, "target", options.Length == 0 ? "debug" : "release", "app");
        void Build() => Measured.Run("cargo", ["build", "--offline", .. options], theirs.Folder);
        Build();
        // An earlier run of the bench has made the same edits: it must not have done the work.
        var cache = HotpatchBench.Out("saved/cache");
        if (Directory.Exists(cache)) Directory.Delete(cache, recursive: true);
        using var watched = new SpokenProgram(Measured.Weft, ["hotpatch", "watch", "--offline", .. options], ours.Folder, ("XDG_CACHE_HOME", cache));
        var (before, _) = watched.Next();
        watched.Said("save a source file");
        Thread.Sleep(3000); // as long as it takes to save something
        List<double> patched = [], started = [];
        for (var i = 1; i <= edits; i++)
        {
            Terminal.Status("Measuring", $"{name}, edit {i}");
            patched.Add(Patched(watched, ours, i, ulong.Parse(before, CultureInfo.InvariantCulture)));
            watched.Said("Finished"); // what is still being built when the patch is in must not be part of what comes next
            Thread.Sleep(500);
            started.Add(Started(theirs, i, Build, program));
            Thread.Sleep(500);
        }
        Console.WriteLine($"| {name} | {Times(patched)} | {Times(started)} | 1 s |");
    }

    /// <summary>The median, the least and the most.</summary>
    public static string Times(IReadOnlyList<double> seconds) => string.Create(CultureInfo.InvariantCulture, $"{Measured.Median(seconds):0.00} s ({seconds.Min():0.00} to {seconds.Max():0.00})");

    private static double Patched(SpokenProgram watched, GeneratedWorkspace workspace, int edit, ulong before)
    {
        var start = Stopwatch.GetTimestamp();
        workspace.Edit(edit);
        var (line, at) = watched.Next();
        if (ulong.Parse(line, CultureInfo.InvariantCulture) != before + (ulong)edit) throw new WeftException($"the patched program says {line} after edit {edit}, and said {before} before the first");
        return Stopwatch.GetElapsedTime(start, at).TotalSeconds;
    }

    private static double Started(GeneratedWorkspace workspace, int edit, Action build, string program)
    {
        var start = Stopwatch.GetTimestamp();
        workspace.Edit(edit);
        build();
        using var started = new SpokenProgram(program, [], workspace.Folder);
        return Stopwatch.GetElapsedTime(start, started.Next().At).TotalSeconds;
    }
}

/// <summary>A program whose lines are waited for. It ends with the object.</summary>
internal sealed class SpokenProgram : IDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(5);

    private readonly Process process;
    private readonly BlockingCollection<(string Line, long At)> lines = [], messages = [];

    public SpokenProgram(string program, IReadOnlyList<string> arguments, string folder, params ReadOnlySpan<(string Name, string Value)> environment)
    {
        var start = new ProcessStartInfo(program, arguments) { WorkingDirectory = folder, RedirectStandardInput = true, RedirectStandardOutput = true, RedirectStandardError = true, UseShellExecute = false };
        start.Environment["WEFT_CC"] = "clang-22";
        foreach (var (name, value) in environment) start.Environment[name] = value;
        process = Process.Start(start)!;
        process.OutputDataReceived += (_, line) => Keep(lines, line.Data);
        process.ErrorDataReceived += (_, line) => Keep(messages, line.Data);
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();
    }

    public int Id => process.Id;

    public void Say(string line)
    {
        process.StandardInput.WriteLine(line);
        process.StandardInput.Flush();
    }

    /// <summary>The next line that it prints, and when it did.</summary>
    public (string Line, long At) Next() => Take(lines);

    /// <summary>Waits for a line on standard error that has the text.</summary>
    public string Said(string text)
    {
        while (Take(messages) is var (line, _))
            if (line.Contains(text, StringComparison.Ordinal)) return line;
        throw new UnreachableException();
    }

    /// <summary>What a watch has started ends before it.</summary>
    public void Dispose()
    {
        if (!process.HasExited) process.Kill(entireProcessTree: true);
        process.WaitForExit();
        process.Dispose();
    }

    private (string Line, long At) Take(BlockingCollection<(string, long)> from) =>
        from.TryTake(out var taken, Patience) ? taken : throw new WeftException($"{process.ProcessName} says nothing more:\n{string.Join('\n', messages.Select(m => m.Line))}");

    private static void Keep(BlockingCollection<(string, long)> where, string? line)
    {
        if (line != null) where.Add((line, Stopwatch.GetTimestamp()));
    }
}
