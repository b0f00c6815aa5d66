using System.Diagnostics;
using System.Globalization;
using Weft.Core;
using Weft.Coverage.PerTest;

namespace Weft.Cli.Testing;

/// <summary>A program with Rust's test harness, whose tests run one by one; what it prints is what it would print itself.</summary>
/// <param name="command">The program, perhaps below an emulator.</param>
/// <param name="arguments">Its own.</param>
/// <param name="run">Gets what tests reach.</param>
internal sealed class LibtestProgram(IReadOnlyList<string> command, LibtestArguments arguments, RecordedRun run)
{
    private const int TestsFailed = 101, DotsInLine = 88;

    // A sentence of the harness's help; programs that have their own main function have it not.
    private static ReadOnlySpan<byte> HelpText => "The FILTER string is tested against the name of all tests"u8;

    public static bool Recognises(string program)
    {
        try { return File.ReadAllBytes(program).AsSpan().IndexOf(HelpText) >= 0; }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException) { return false; } // who runs it says what is wrong
    }

    public int RunAll()
    {
        var watch = Stopwatch.StartNew();
        var listed = List([.. arguments.Filters, .. arguments.OnlyIgnored ? ["--ignored"] : Array.Empty<string>()]);
        var ignored = arguments.OnlyIgnored || arguments.IncludesIgnored ? [] : List([.. arguments.Filters, "--ignored"]).ToHashSet();
        var filteredOut = arguments.Filters.Count > 0 || arguments.OnlyIgnored ? List([]).Count - listed.Count : 0;
        Console.Out.Write($"\nrunning {listed.Count} {(listed.Count == 1 ? "test" : "tests")}\n");
        var failed = new List<TestResult>();
        var (passed, shown) = (0, new List<TestResult>());
        foreach (var (result, index) in Run(listed, ignored).Select((r, i) => (r, i)))
        {
            Print(result, index);
            if (result.Folder != null) run.Add(Path.GetFileName(command[^1]), result.Name, TestKind.Single, result.Passed, result.Folder);
            if (result.Folder != null && result.Passed) passed++;
            if (result.Passed && arguments.ShowOutput && result.Output.Length > 0) shown.Add(result);
            if (!result.Passed) failed.Add(result);
        }
        if (arguments.Quiet) Console.Out.Write("\n");
        PrintOutputs("successes", shown);
        PrintOutputs("failures", failed);
        Console.Out.Write(string.Create(CultureInfo.InvariantCulture, $"\ntest result: {(failed.Count == 0 ? "ok" : "FAILED")}. {passed} passed; {failed.Count} failed; {ignored.Count} ignored; 0 measured; {filteredOut} filtered out; finished in {watch.Elapsed.TotalSeconds:0.00}s\n\n"));
        return failed.Count == 0 ? 0 : TestsFailed;
    }

    private List<string> List(IReadOnlyList<string> chosen)
    {
        var answer = ChildProcess.Capture(command[0], [.. command.Skip(1), .. chosen, "--list", "--format", "terse"], run.EnvironmentOf(run.NewFolder()));
        if (answer.ExitCode != 0) throw new WeftException($"'{command[^1]}' does not list its tests:\n{answer.Output}{answer.Errors}".TrimEnd(), null, (ExitCode)answer.ExitCode);
        return [.. answer.Output.Split('\n').Select(line => line.LastIndexOf(": ", StringComparison.Ordinal) is var at and > 0 && line[(at + 2)..] is "test" or "bench" ? line[..at] : null).OfType<string>()];
    }

    /// <summary>Several at a time, told in the order of the list.</summary>
    private ParallelQuery<TestResult> Run(List<string> tests, HashSet<string> ignored) => tests.AsParallel().AsOrdered()
        .WithDegreeOfParallelism(int.Min(arguments.Threads, 512)).WithMergeOptions(ParallelMergeOptions.NotBuffered).WithExecutionMode(ParallelExecutionMode.ForceParallelism)
        .Select(name => ignored.Contains(name) ? new TestResult(name, null, true, $"test {name} ... ignored", "", "") : Run(name));

    private TestResult Run(string name)
    {
        var folder = run.NewFolder();
        string[] options = ["--exact", name, .. arguments.OnlyIgnored || arguments.IncludesIgnored ? ["--include-ignored"] : Array.Empty<string>(), .. arguments.NoCapture ? ["--nocapture"] : Array.Empty<string>(), .. arguments.ShowOutput ? ["--show-output"] : Array.Empty<string>()];
        var ended = ChildProcess.Capture(command[0], [.. command.Skip(1), .. options], run.EnvironmentOf(folder));
        return TestResult.Of(name, folder, ended, arguments.NoCapture);
    }

    private void Print(TestResult result, int index)
    {
        // With --nocapture the lines of a test are all there is of it; else only what the harness could not capture.
        if (arguments.NoCapture && result.Output.Length > 0) Console.Out.Write(result.Output);
        if (arguments.Quiet) Console.Out.Write((result.Folder == null ? "i" : result.Passed ? "." : "F") + (index % DotsInLine == DotsInLine - 1 ? "\n" : ""));
        else Console.Out.Write(result.Line + "\n");
        Console.Out.Flush();
        if (result.Errors.Length > 0 && (result.Passed || arguments.NoCapture)) Console.Error.Write(result.Errors);
    }

    private void PrintOutputs(string title, List<TestResult> results)
    {
        if (results.Count == 0) return;
        Console.Out.Write($"\n{title}:\n\n");
        if (!arguments.NoCapture)
            foreach (var result in results) Console.Out.Write($"---- {result.Name} stdout ----\n{result.Output}{result.Errors}\n\n");
        Console.Out.Write($"{title}:\n{string.Concat(results.Select(r => $"    {r.Name}\n"))}");
    }
}
