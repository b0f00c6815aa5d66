using System.Buffers.Binary;
using System.Diagnostics;
using System.Globalization;
using Weft.Tracing;

namespace Weft.Tests;

/// <summary>What becomes of a trace when processes and threads begin, end, fork and run out of room; programs say themselves how often they called.</summary>
public sealed class TracingRuntimeProcessTests : TracedPrograms
{
    [TheoryNeeds("clang-22")]
    [InlineData("return", 3, true)]
    [InlineData("exit", 3, true)]
    [InlineData("pthread_exit", 0, true)]
    [InlineData("_exit", 3, false)]
    [InlineData("quick_exit", 3, false)]
    [InlineData("abort", 134, false)]
    [InlineData("crash", 139, false)]
    [InlineData("kill", 137, false)]
    [InlineData("thread", 137, false)]
    public void However_a_program_ends_every_call_is_in_its_trace(string how, int code, bool inOrder)
    {
        var outcome = Record(Endings(), how);
        Assert.Equal(code, outcome.ExitCode);
        AssertSaid(outcome, expected: 1);
        Assert.Equal(inOrder, Complaints(Trace).Count == 0);
    }

    [Needs("clang-22")]
    public void What_a_killed_program_did_until_then_is_in_its_trace()
    {
        using var running = Start(Endings(), "slowly");
        Thread.Sleep(300);
        running.Kill();
        running.WaitForExit();
        var counts = Counts(Trace);
        Assert.True(counts["leaf"] > 50_000, $"{counts["leaf"]}");
        Assert.InRange(counts["leaf"], counts["call"] * 1000 + 49_000 - 1000, counts["call"] * 1000 + 49_000);
        Assert.StartsWith("main{ call{ leaf leaf", Tree(Trace), StringComparison.Ordinal);
    }

    [Needs("clang-22")]
    public void A_trace_can_be_read_while_it_is_written()
    {
        using var running = Start(Endings(), "slowly");
        long before = 0;
        for (var i = 0; i < 5; i++)
        {
            Thread.Sleep(100);
            var now = Counts(Trace)["leaf"];
            Assert.True(now > before, $"{now} after {before}");
            before = now;
        }
        running.Kill();
        running.WaitForExit();
    }

    [TheoryNeeds("clang-22")]
    [InlineData("exact")]
    [InlineData("coarse")]
    public void A_child_has_a_file_of_its_own_with_names(string clock)
    {
        Harness.Environment["WEFT_TRACING_CLOCK"] = clock;
        var outcome = Record(Endings(), "fork");
        Assert.Equal(3, outcome.ExitCode);
        AssertSaid(outcome, expected: 3);
        foreach (var trace in Traces)
        {
            using var source = TraceSources.Open(trace);
            Assert.Contains(source.Functions, f => f.Name == "leaf");
            Assert.True(trace == TraceOf(outcome.Output.TrimEnd().Split('\n')[^1]) || !Tree(trace).Contains("main{", StringComparison.Ordinal), trace);
        }
    }

    [Needs("clang-22")]
    public void Children_that_execute_something_else_or_nothing_leave_no_file()
    {
        var outcome = Record(Endings(), "fork-exec");
        Assert.Equal(3, outcome.ExitCode);
        AssertSaid(outcome, expected: 1, more: 2); // "executes" and "does_nothing" are traced themselves: these children have files
    }

    [Needs("clang-22")]
    public void A_program_that_executes_itself_has_a_trace_for_each_life()
    {
        var outcome = Record(Endings(), "again");
        Assert.Equal(3, outcome.ExitCode);
        Assert.Equal([50_000, 70], Traces.Order(StringComparer.Ordinal).Select(t => Counts(t)["leaf"]));
    }

    [Needs("clang-22")]
    public void A_program_that_closes_all_descriptors_keeps_its_own_files_and_its_trace()
    {
        var outcome = Record(Endings(), "close");
        Assert.Equal(3, outcome.ExitCode);
        AssertSaid(outcome, expected: 1);
        Assert.Equal("mine", File.ReadAllText(Harness.Path("own")));
    }

    [TheoryNeeds("clang-22")]
    [InlineData(3000, 4, "")]
    [InlineData(3000, 4, "ring")]
    [InlineData(3000, 4, "depth")]
    [InlineData(640, 64, "")]
    public void Threads_come_and_go(int threads, int atOnce, string mode)
    {
        if (mode == "ring") Harness.Environment["WEFT_TRACING_RING"] = "256K";
        if (mode == "depth") Harness.Environment["WEFT_TRACING_DEPTH"] = "100";
        // Less address space than buffers that are not given back would take.
        var outcome = Record("sh", "-c", "ulimit -v 1500000; exec \"$0\" \"$@\"", Endings(), "threads", "0", $"{threads}", $"{atOnce}");
        Assert.Equal(3, outcome.ExitCode);
        Assert.Equal("", outcome.Errors);
        Assert.Equal($"in_a_thread {threads}", outcome.Output.Split('\n')[0]);
        using var source = TraceSources.Open(Trace);
        if (mode == "ring")
        {
            Assert.True(new FileInfo(Trace).Length < (atOnce + 8) * (256 << 10), $"{new FileInfo(Trace).Length} bytes");
            return;
        }
        Assert.Equal(threads + 1, source.Threads.Count);
        if (mode.Length == 0 && atOnce == 4) Assert.InRange(BytesOnDisk(Trace), threads * 4096, threads * 8192 + (4 << 20));
        Assert.All(source.Threads.Skip(1), t => Assert.Equal("in_a_thread{ call{ leaf leaf leaf leaf leaf leaf leaf leaf leaf leaf } }", Tree(source, t)));
    }

    [Needs("clang-22")]
    public void A_size_limit_is_for_what_threads_use()
    {
        Harness.Environment["WEFT_TRACING_SIZE"] = "20M"; // 64 KB for each thread would be ten times that
        var outcome = Record(Endings(), "threads", "0", "3000", "4");
        Assert.Equal((3, ""), (outcome.ExitCode, outcome.Errors));
        Assert.Equal(30_000, Counts(Trace)["leaf"]);
    }

    // A block has room for an even number of records. leaf() makes two, and main{ call{ are two: every block begins with an entry
    // of leaf(). Whenever the clock's upper half changes, every 2^32 ticks, a single record says so, and the blocks after it begin
    // with an exit: its entry is in a block that the ring no longer has. "turn" is made to have one such record; runs in which the
    // clock changed by itself are repeated.
    [TheoryNeeds("clang-22")]
    [InlineData("return", "?main{ ?call{ leaf leaf")]
    [InlineData("turn", "?main{ ?call{ ?leaf leaf")]
    public void A_ring_has_the_latest_events(string how, string beginning)
    {
        Harness.Environment["WEFT_TRACING_RING"] = "256K";
        var program = Endings();
        var tries = 0;
        do Assert.Equal(3, Record(program, how, "100000").ExitCode);
        while (ClockTurned(Trace) && ++tries < 20);
        Assert.True(new FileInfo(Trace).Length < 1 << 20);
        Assert.Contains(Complaints(Trace), c => c.Contains("ring", StringComparison.Ordinal));
        var counts = Counts(Trace);
        Assert.InRange(counts["leaf"], 3 * 8184 / 2 - 100, 4 * 8184 / 2);
        var tree = Tree(Trace);
        Assert.StartsWith(beginning, tree, StringComparison.Ordinal);
        Assert.EndsWith("leaf leaf } say }", tree, StringComparison.Ordinal);
        Assert.DoesNotContain("?", tree[beginning.Length..], StringComparison.Ordinal);
    }

    [Needs("clang-22")]
    public void At_the_size_limit_it_says_so_once_and_the_trace_is_complete_up_to_there()
    {
        Harness.Environment["WEFT_TRACING_SIZE"] = "1M";
        var outcome = Record(Endings(), "return", "1000000");
        Assert.Equal((3, 1), (outcome.ExitCode, outcome.Errors.Split("size limit").Length - 1));
        Assert.InRange(new FileInfo(Trace).Length, 900_000, 1 << 20);
        var leafs = Counts(Trace)["leaf"];
        Assert.InRange(leafs, 13 * 8184 / 2, 16 * 8184 / 2);
        Assert.StartsWith("main{ call{ leaf leaf", Tree(Trace), StringComparison.Ordinal);
        Assert.Contains(Complaints(Trace), c => c.Contains("limit", StringComparison.Ordinal));
    }

    [Needs("clang-22", "can-mount")]
    public void A_full_disk_costs_events_and_nothing_else()
    {
        Directory.CreateDirectory(Harness.Path("disk"));
        Harness.Must("mount", "-t", "tmpfs", "-o", "size=600k", "tmpfs", "disk");
        try
        {
            Harness.Environment["WEFT_TRACING_FILE"] = Harness.Path("disk/full.trace");
            var outcome = Record(Endings(), "threads", "100000", "8", "4");
            Assert.Equal((3, 1), (outcome.ExitCode, outcome.Errors.Split("disk is full").Length - 1));
            Assert.StartsWith("in_a_thread 8\n", outcome.Output, StringComparison.Ordinal);
            var trace = Harness.Path("disk/full.trace");
            Assert.True(Counts(trace)["leaf"] > 10_000);
            Assert.Contains(Complaints(trace), c => c.Contains("full", StringComparison.Ordinal));
        }
        finally
        {
            Harness.Must("umount", "disk");
        }
    }

    [Needs("clang-22")]
    public void A_limit_on_file_sizes_does_not_end_the_program()
    {
        var outcome = Record("sh", "-c", "ulimit -f 2000; exec \"$0\" \"$@\"", Endings(), "return", "200000");
        Assert.Equal(3, outcome.ExitCode);
        Assert.Contains("weft: tracing: the trace has reached its size limit", outcome.Errors, StringComparison.Ordinal);
        Assert.True(Counts(Trace)["leaf"] > 10_000);
    }

    [TheoryNeeds("clang-22")]
    [InlineData("/proc/none/p.trace")]
    [InlineData("file/p.trace")]
    [InlineData("folder")]
    public void Where_no_file_can_be_made_the_program_runs_and_says_so(string path)
    {
        Harness.Write("file", "in place of a folder");
        Directory.CreateDirectory(Harness.Path("folder"));
        Harness.Environment["WEFT_TRACING_FILE"] = path;
        var outcome = Record(Endings(), "return");
        Assert.Equal(3, outcome.ExitCode);
        if (path == "folder") Assert.Equal("", outcome.Errors); // as "folder.1": a trace never replaces what is there
        else Assert.True(outcome.Errors.StartsWith("weft: tracing: cannot create '", StringComparison.Ordinal) && outcome.Errors.Contains(path) && outcome.Errors.TrimEnd().Split('\n').Length == 1, outcome.Errors);
        Assert.Contains(" leaf 50000", outcome.Output, StringComparison.Ordinal);
    }

    /// <summary>Whether the upper half of the clock changed by itself before a trace's last block: it is at another one there than at the start.</summary>
    private static bool ClockTurned(string trace)
    {
        var bytes = File.ReadAllBytes(trace);
        uint At(int offset) => BinaryPrimitives.ReadUInt32LittleEndian(bytes.AsSpan(offset));
        return Enumerable.Range(1, bytes.Length / TraceWriter.Block - 1).Select(i => i * TraceWriter.Block)
            .Any(block => At(block) == 0x42544657 && (ushort)At(block + 4) == 1 && At(block + 28) != At(36));
    }

    private long BytesOnDisk(string file) => 512 * long.Parse(Harness.Must("stat", "-c", "%b", file).Output, CultureInfo.InvariantCulture);

    private string Endings() => Build("endings.c", "-O1", "-D_GNU_SOURCE");

    private string TraceOf(string said) => Harness.Path($"{said.Split(' ')[0]}.trace");

    /// <summary>Lines <c>PROCESS leaf COUNT</c>: each process's trace has as many calls; there are no more traces than such lines.</summary>
    private void AssertSaid(Outcome outcome, int expected, int more = 0)
    {
        var lines = outcome.Output.Split('\n', StringSplitOptions.RemoveEmptyEntries).Where(l => l.Contains(" leaf ")).ToList();
        Assert.Equal(expected, lines.Count);
        foreach (var line in lines)
            Assert.Equal((line, long.Parse(line.Split(' ')[2], CultureInfo.InvariantCulture)), (line, Counts(TraceOf(line))["leaf"]));
        Assert.Equal(expected + more, Traces.Count);
    }

    private Process Start(string program, params string[] arguments)
    {
        var info = new ProcessStartInfo(program, arguments) { WorkingDirectory = Harness.Folder, RedirectStandardOutput = true, UseShellExecute = false };
        info.Environment["WEFT_TRACING"] = "on";
        info.Environment["WEFT_TRACING_FILE"] = Harness.Path("%p.trace");
        return Process.Start(info)!;
    }
}
