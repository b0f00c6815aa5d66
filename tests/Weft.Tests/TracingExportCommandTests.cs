using System.Text.Json;
using Weft.Core;
using Weft.Tracing;

namespace Weft.Tests;

/// <summary>Exports of real logs, against what LLVM's own tool makes of the same log, or of ours.</summary>
public sealed class TracingExportCommandTests : IDisposable
{
    private readonly Harness harness = new();

    public void Dispose() => harness.Dispose();

    [TheoryNeeds("clang++-22", "llvm-xray-22", XRayPrograms.Runtime)]
    [InlineData(false)]
    [InlineData(true)]
    public void LLVM_s_tools_read_an_XRay_export_with_names_and_without_being_told_to_keep_going(bool flightData)
    {
        var (log, counts) = Log(flightData);
        Export(log, "xray", "-o", "out");
        Assert.Equal(counts, XRayPrograms.Account(harness, "out", "out.map"));

        var records = XRayPrograms.Records(harness, "out", "-y", "-m", "out.map");
        using var source = TraceSources.Open(log, program: harness.Path("program"));
        foreach (var thread in source.Threads)
            Assert.Equal(Calls(source, thread).Select(c => $"{Kind(c)} {source.Function(c.Id).Symbol}"), records.Where(r => r.Thread == thread.Id).Select(r => $"{r.Kind} {Mangled(source, r.Function)}"));

        Assert.Contains("""[label="app::fib(int)"]""", harness.Must("llvm-xray-22", "graph", "out", "-m", "out.map").Output);
        Assert.Contains("app::leaf(int)", harness.Must("llvm-xray-22", "stack", "out", "-m", "out.map").Output);
        var stacks = harness.Must("llvm-xray-22", "stack", "out", "-m", "out.map", "--all-stacks", "--stack-format=flame", "--aggregation-type=count").Output;
        Assert.Equal(Folded(stacks.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(l => l[(l.IndexOf(';') + 1)..].Replace("; ", " "))), Folded(Export(log, "folded", "--count").Split('\n', StringSplitOptions.RemoveEmptyEntries)));
    }

    /// <summary>What ends calls here leaves no records: LLVM's tool alone gives up on such a log.</summary>
    [Needs("clang++-22", "llvm-xray-22", XRayPrograms.Runtime)]
    public void Calls_left_by_exceptions_and_calls_without_end_are_balanced()
    {
        harness.Write("program.cc", """
            #include <cstdlib>
            #include <pthread.h>
            __attribute__((noinline)) void thrower(int n) { if (n == 0) throw 1; thrower(n - 1); asm volatile(""); }
            __attribute__((noinline)) void catcher() { try { thrower(3); } catch (int) { } asm volatile(""); }
            __attribute__((noinline)) void *leaver(void *) { pthread_exit(nullptr); }
            int main() {
                for (int i = 0; i < 10; i++) catcher();
                pthread_t thread; pthread_create(&thread, nullptr, leaver, nullptr); pthread_join(thread, nullptr);
                exit(0);
            }
            """);
        harness.Must("clang++-22", "-O1", "-pthread", "-fxray-instrument", "-fxray-instruction-threshold=1", "program.cc", "-o", "program");
        var log = XRayPrograms.Basic(harness, 1);
        Assert.NotEqual(0, harness.Run("llvm-xray-22", "account", log, "-m", "program").ExitCode);
        Export(log, "xray", "-o", "out");
        var expected = new Dictionary<string, long> { ["thrower(int)"] = 40, ["catcher()"] = 10, ["leaver(void*)"] = 1, ["main"] = 1 };
        Assert.Equal(expected, XRayPrograms.Account(harness, "out", "out.map"));
        harness.Must("llvm-xray-22", "stack", "out", "-m", "out.map");
        harness.Must("llvm-xray-22", "graph", "out", "-m", "out.map");
    }

    [Needs("clang++-22", "llvm-xray-22", XRayPrograms.Runtime)]
    public void An_XRay_export_is_read_back_as_it_was()
    {
        var (log, _) = Log(flightData: true);
        Export(log, "xray", "-o", "out");
        Assert.Equal(Export(log, "folded"), harness.Must(Harness.Weft, "tracing", "export", "out", "--format", "folded", "--program", "out.map").Output);
    }

    [Needs("clang++-22", "llvm-xray-22", XRayPrograms.Runtime)]
    public void A_Chrome_export_has_the_calls_that_LLVM_s_has()
    {
        var (log, _) = Log(flightData: false);
        using var ours = JsonDocument.Parse(Export(log, "chrome"));
        using var theirs = JsonDocument.Parse(harness.Must("llvm-xray-22", "convert", "-f", "trace_event", "-y", "-m", "program", log).Output);
        Assert.Equal(Names(theirs, "B", "tid"), Names(ours, "B", "tid"));
    }

    [Needs("clang++-22", XRayPrograms.Runtime)]
    public void Filters_choose_what_is_exported()
    {
        var (log, counts) = Log(flightData: false);
        Assert.Equal($"app::leaf(int) {counts["app::leaf(int)"]}\n", Export(log, "folded", "--count", "--filter", "app::leaf*"));
        using var source = TraceSources.Open(log);
        using var json = JsonDocument.Parse(Export(log, "speedscope", "--tid", $"{source.Threads[1].Id}"));
        Assert.Equal(1, json.RootElement.GetProperty("profiles").GetArrayLength());
    }

    [Needs("clang++-22", XRayPrograms.Runtime)]
    public void Arguments_that_XRay_logged_are_shown()
    {
        var (log, _) = Log(flightData: true);
        using var json = JsonDocument.Parse(Export(log, "chrome"));
        var calls = json.RootElement.GetProperty("traceEvents").EnumerateArray().Where(e => e.GetProperty("ph").GetString() == "B" && e.GetProperty("name").GetString() == "app::argument(long)");
        Assert.Contains("(-3)", calls.Select(c => c.GetProperty("args").GetProperty("arguments").GetString()));
    }

    [Needs("clang++-22", XRayPrograms.Runtime)]
    public void Every_format_is_written_to_a_file_as_to_a_pipe()
    {
        var (log, _) = Log(flightData: false);
        foreach (var format in (string[])["chrome", "perfetto", "speedscope", "folded", "flamegraph", "html"])
        {
            var printed = harness.Must("/bin/sh", "-c", $"'{Harness.Weft}' tracing export '{log}' --program program --format {format} > printed");
            Assert.Equal("", printed.Errors);
            Export(log, format, "-o", "written");
            Assert.Equal(File.ReadAllBytes(harness.Path("printed")), File.ReadAllBytes(harness.Path("written")));
            Assert.NotEmpty(File.ReadAllBytes(harness.Path("written")));
        }
    }

    [Needs("clang++-22", XRayPrograms.Runtime)]
    public void What_cannot_be_asked_for_is_said_in_a_sentence()
    {
        var (log, _) = Log(flightData: false);
        Told(ExitCode.Usage, "'nonsense' is not one of chrome", "--format", "nonsense");
        Told(ExitCode.Usage, "--format", []);
        Told(ExitCode.Usage, "-o FILE", "--format", "xray");
        Told(ExitCode.Usage, "--count", "--format", "chrome", "--count");
        Told(ExitCode.Failure, "'nowhere'", "--format", "chrome", "--program", "nowhere");
        Told(ExitCode.Failure, "cannot write 'no/such/folder'", "--format", "chrome", "-o", "no/such/folder");

        void Told(ExitCode code, string mention, params string[] arguments) => Harness.AssertToldWell(harness.RunWeft(["tracing", "export", log, .. arguments]), code, mention);
    }

    [Needs("clang++-22", XRayPrograms.Runtime)]
    public void A_full_disk_is_told_of_and_leaves_nothing_behind()
    {
        var (log, _) = Log(flightData: false);
        foreach (var format in (string[])["chrome", "perfetto", "speedscope", "folded", "flamegraph", "html"])
            Harness.AssertToldWell(harness.Run("/bin/sh", "-c", $"'{Harness.Weft}' tracing export '{log}' --format {format} > /dev/full"), ExitCode.Failure, "No space left");
        Harness.AssertToldWell(harness.RunWeft("tracing", "export", log, "--format", "chrome", "-o", "/dev/full"), ExitCode.Failure, "cannot write '/dev/full'");
        harness.Must(Harness.Weft, "tracing", "export", log, "--format", "chrome", "-o", "/dev/null");
        Assert.Equal(0, new FileInfo("/dev/null").Length);
    }

    [Needs("clang++-22", "can-mount", XRayPrograms.Runtime)]
    public void An_export_that_does_not_fit_leaves_the_one_before()
    {
        var (log, _) = Log(flightData: false);
        var disk = Directory.CreateDirectory(harness.Path("disk")).FullName;
        harness.Must("mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", disk);
        try
        {
            harness.Write("disk/out", "before");
            Harness.AssertToldWell(harness.RunWeft("tracing", "export", log, "--format", "chrome", "-o", "disk/out"), ExitCode.Failure, "No space left", "disk/out");
            Harness.AssertToldWell(harness.RunWeft("tracing", "export", log, "--format", "xray", "-o", "disk/out"), ExitCode.Failure, "No space left", "disk/out");
            Assert.Equal(["out"], Directory.GetFiles(disk).Select(Path.GetFileName));
            Assert.Equal("before", File.ReadAllText(harness.Path("disk/out")));
        }
        finally
        {
            harness.Must("umount", disk);
        }
    }

    [Needs("clang++-22", XRayPrograms.Runtime)]
    public void A_reader_that_has_seen_enough_ends_it_quietly()
    {
        var (log, _) = Log(flightData: false);
        foreach (var format in (string[])["chrome", "perfetto", "speedscope"])
        {
            var outcome = harness.Run("/bin/sh", "-c", $"'{Harness.Weft}' tracing export '{log}' --format {format} | head -c 10 | wc -c");
            Assert.Equal(("10\n", ""), (outcome.Output, outcome.Errors));
        }
    }

    [Needs("clang++-22", "script", XRayPrograms.Runtime)]
    public void Bytes_are_not_thrown_at_a_terminal()
    {
        var (log, _) = Log(flightData: false);
        var outcome = harness.Run("script", "-qec", $"'{Harness.Weft}' tracing export '{log}' --format perfetto", "/dev/null");
        Assert.Contains("is not text for a terminal", outcome.Output);
        Assert.Equal((int)ExitCode.Usage, outcome.ExitCode);
    }

    /// <summary>A log, and its calls by function as we count them.</summary>
    private (string Log, Dictionary<string, long> Counts) Log(bool flightData)
    {
        var program = XRayPrograms.Build(harness);
        var log = flightData ? XRayPrograms.FlightData(harness, 9) : XRayPrograms.Basic(harness, 9);
        var counts = Export(log, "folded", "--count").Split('\n', StringSplitOptions.RemoveEmptyEntries)
            .Select(l => (Name: l[(l.LastIndexOf(';') + 1)..l.LastIndexOf(' ')], Count: long.Parse(l[l.LastIndexOf(' ')..])))
            .GroupBy(l => l.Name).ToDictionary(g => g.Key, g => g.Sum(l => l.Count));
        Assert.True(File.Exists(program) && counts.Count >= 5);
        return (log, counts);
    }

    private string Export(string log, string format, params string[] options) =>
        harness.Must(Harness.Weft, ["tracing", "export", log, "--program", "program", "--format", format, .. options]).Output;

    private static IEnumerable<CallEvent> Calls(ITraceSource source, TraceThread thread) => CallStacks.Of(source, thread).Where(c => c.Kind is CallKind.Begin or CallKind.End);

    private static string Kind(CallEvent call) => call.Kind == CallKind.Begin ? "function-enter" : call.Certainty == Certainty.Tail ? "function-tail-exit" : "function-exit";

    private static string Mangled(ITraceSource source, string name) => source.Functions.Single(f => f.Symbol == name || f.Symbol.Contains(name[(name.LastIndexOf(':') + 1)..].Split('(')[0])).Symbol;

    /// <summary>Values by stack, threads added up.</summary>
    private static Dictionary<string, long> Folded(IEnumerable<string> lines) =>
        lines.Select(l => l.TrimEnd(';')).GroupBy(l => l[..l.LastIndexOf(' ')].TrimEnd(';', ' ')).ToDictionary(g => g.Key, g => g.Sum(l => long.Parse(l[(l.LastIndexOf(' ') + 1)..])));

    private static List<(string, string)> Names(JsonDocument trace, string phase, string thread) =>
        [.. trace.RootElement.GetProperty("traceEvents").EnumerateArray().Where(e => e.GetProperty("ph").GetString() == phase).Select(e => (e.GetProperty(thread).ToString(), e.GetProperty("name").GetString()!)).OrderBy(e => e.Item1, StringComparer.Ordinal)];
}
