using System.Diagnostics;
using System.Text.Json;
using Weft.Core;
using Weft.Tracing;

namespace Weft.Tests;

/// <summary>Figures that traces come to, and the commands that print them.</summary>
public sealed class TracingReportTests : IDisposable
{
    private readonly Harness harness = new();

    public void Dispose() => harness.Dispose();

    [Fact]
    public void Recursion_counts_its_time_once_and_its_calls_all()
    {
        // main 0-100: fib 10-60 { fib 20-50 { fib 30-40 } }, leaf 70-75
        using var log = new Log(Calls((0, 1), (10, 2), (20, 2), (30, 2), (40, -2), (50, -2), (60, -2), (70, 3), (75, -3), (100, -1)));
        var functions = CallStatistics.Of(new CallFilter(log, new FilterOptions())).Functions.ToDictionary(f => f.Id);
        Assert.Equal((1L, 100L, 45L, 100L, 100L, 100L), Figures(functions[1]));
        Assert.Equal((3L, 50L, 50L, 10L, 50L, 30L), Figures(functions[2]));
        Assert.Equal((1L, 5L, 5L, 5L, 5L, 5L), Figures(functions[3]));

        static (long, long, long, long, long, long) Figures(FunctionStatistics f) => (f.Calls, f.Total, f.Self, f.Min, f.Max, f.Average);
    }

    [Fact]
    public void Calls_without_begin_or_end_count_but_say_nothing_of_what_is_usual()
    {
        using var log = new Log(Calls((0, 2), (7, -2), (10, -1), (20, 2), (50, 3)));
        var functions = CallStatistics.Of(new CallFilter(log, new FilterOptions())).Functions.ToDictionary(f => f.Id);
        Assert.Equal((1L, 10L, 0L), (functions[1].Calls, functions[1].Total, functions[1].Whole));
        Assert.Equal((2L, 37L, 1L, 7L), (functions[2].Calls, functions[2].Total, functions[2].Whole, functions[2].Percentile(0.99)));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void Percentiles_are_within_a_hundredth_of_what_sorting_says(int seed)
    {
        var random = new Random(seed);
        var durations = Enumerable.Range(0, 5000).Select(_ => (long)Math.Exp(random.NextDouble() * 40)).ToList();
        var histogram = new DurationHistogram();
        foreach (var duration in durations) histogram.Add(duration);
        durations.Sort();
        foreach (var part in (double[])[0.001, 0.1, 0.5, 0.9, 0.99, 0.999, 1])
        {
            var exact = durations[(int)Math.Ceiling(part * durations.Count) - 1];
            Assert.InRange(histogram.Percentile(part), exact - exact / 100.0, exact + exact / 100.0);
        }
        histogram.Add(0);
        histogram.Add(long.MaxValue);
        Assert.Equal(0, histogram.Percentile(0));
        Assert.InRange(histogram.Percentile(1), long.MaxValue / 100 * 99, long.MaxValue);
        Assert.Equal(0, new DurationHistogram().Percentile(0.5));
    }

    [Fact]
    public void Threads_are_merged_by_time_and_each_is_opened_when_its_time_comes()
    {
        using var log = new Log(Calls((5, 1), (100, -1)), Calls((1, 2), (2, -2)), [], Calls((50, 3), (60, -3)));
        var opened = new List<int>();
        var merged = Timeline.Merge(new CallFilter(log, new FilterOptions()), Read, c => c.Time).Select(c => (c.Time, c.Id)).ToList();
        Assert.Equal([(1L, 2), (2, 2), (5, 1), (50, 3), (60, 3), (100, 1)], merged);
        Assert.Equal([3, 2, 1, 4], opened);

        IEnumerable<CallEvent> Read(TraceThread thread)
        {
            opened.Add(thread.Index);
            return CallStacks.Of(log, thread);
        }
    }

    [Fact]
    public void A_tree_has_who_calls_whom_and_the_other_way_round()
    {
        // main { a { c } b { c { c } } }
        using var log = new Log(Calls((0, 1), (10, 2), (15, 4), (20, -4), (30, -2), (40, 3), (50, 4), (60, 4), (70, -4), (90, -4), (95, -3), (100, -1)));
        var filter = new CallFilter(log, new FilterOptions());
        Assert.Equal(["1:1:100:25", "1/2:1:20:15", "1/2/4:1:5:5", "1/3:1:55:15", "1/3/4:1:40:30", "1/3/4/4:1:10:10"], Show(CallTree.Of(filter)));
        Assert.Equal(["4:2:45:35", "4/4:1:10:10"], Show(CallTree.Of(filter, id => id == 4)));
        Assert.Equal(new[] { "4:3:45:45", "4/2:1:5:5", "4/2/1:1:5:5", "4/3:1:40:30", "4/3/1:1:40:30", "4/4:1:10:10", "4/4/3:1:10:10", "4/4/3/1:1:10:10" }.Order(StringComparer.Ordinal), Show(CallTree.CallersOf(filter, id => id == 4)).Order(StringComparer.Ordinal));

        static IEnumerable<string> Show(CallTree tree) => tree.Branches.Skip(1).Select(b => $"{Way(tree, b)}:{b.Calls}:{b.Total}:{b.Self}");
        static string Way(CallTree tree, CallTree.Branch b) => b.Parent == 0 ? $"{b.Function}" : $"{Way(tree, tree.Branches[b.Parent])}/{b.Function}";
    }

    [Fact]
    public void Replay_shows_calls_as_they_were()
    {
        var writer = new TraceWriter().Function(1, "main").Function(2, "ns::add(int, int)", types: 0x444).Function(3, "half", types: 0x88).Function(4, "spin").Span(1, "load").EventType(2, "packet").Note(4_000, 2, "switched off");
        writer.Thread(1).Enter(1, 1_000).Begin(1, 1_500).Enter(2, 2_000).Values(40, unchecked((uint)-2)).Exit(2, 3_234).Values(38).Event(2, "hello", 3_500).End(1, 4_500)
            .Enter(3, 5_000).Values((ulong)BitConverter.DoubleToInt64Bits(5)).Enter(4, 6_000).Tail(4, 6_100).Exit(3, 2_007_000).Values((ulong)BitConverter.DoubleToInt64Bits(2.5)).Lost(3);
        writer.Thread(2, 77).Exit(2, 2_500).Enter(4, 2_600).Enter(4, 2_700).Exit(1, 2_800);
        writer.Put32(88, 17); // functions were switched on while they ran
        var output = harness.Must(Harness.Weft, "tracing", "replay", Write(writer)).Output;
        Assert.Equal("""
            # DURATION     TID     FUNCTION
                       [  4321] | main() {
                       [  4321] |   /* load begins */
              1.234 us [  4321] |   ns::add(40, -2) = 38;
                       [    77] | main() { /* begin not seen */
              0.000 us [    77] |   ns::add(int, int); /* begin not seen */
                       [    77] |   spin() {
              0.100 us [    77] |     spin(); /* left by an exception or jump */
              0.200 us [    77] |   } /* spin(): left by an exception or jump */
              0.300 us [    77] | } /* main() */
                       [  4321] |   /* packet: hello */
                       [  weft] | /* ns::add(int, int): switched off */
              3.000 us [  4321] |   /* load ends */
                       [  4321] |   half(5) {
              0.100 us [  4321] |     spin(); /* tail call */
              2.002 ms [  4321] |   } = 2.5; /* half() */
              2.006 ms [  4321] | } /* main(): end not seen */
                       [  4321] | /* 3 events are missing here */

            """, output);
    }

    [Fact]
    public void The_report_is_a_table_CSV_and_JSON_of_the_same_figures()
    {
        var file = Write(Sample());
        var lines = harness.Must(Harness.Weft, "tracing", "report", file).Output.Split('\n');
        Assert.Equal("calls       total        self         min         avg         p50         p90         p99         max  function", lines[0]);
        Assert.Equal("    1    1.000 ms  994.000 us    1.000 ms    1.000 ms    1.000 ms    1.000 ms    1.000 ms    1.000 ms  main", lines[1]);
        Assert.EndsWith("-           -           -           -           -           -  worker", lines[2]);

        var csv = harness.Must(Harness.Weft, "tracing", "report", file, "--csv", "--sort", "calls", "--top", "1").Output.Split('\n');
        Assert.Equal("function,calls,total_ns,self_ns,min_ns,avg_ns,p50_ns,p90_ns,p99_ns,max_ns,symbol,module,file,line", csv[0]);
        Assert.Equal("\"foo(int, int)\",3,6000,6000,1000,2000,2008,3000,3000,3000,_Z3fooii,/opt/prog,a.c,7", csv[1]); // the median is the middle of its bucket
        Assert.Equal(["", ""], csv[2..].Append("").Take(2));

        using var json = JsonDocument.Parse(harness.Must(Harness.Weft, "tracing", "report", file, "--json").Output);
        Assert.Equal("/opt/prog", json.RootElement.GetProperty("program").GetString());
        var worker = json.RootElement.GetProperty("functions").EnumerateArray().Single(f => f.GetProperty("function").GetString() == "worker");
        Assert.Equal((JsonValueKind.Null, 500_000), (worker.GetProperty("p99_ns").ValueKind, worker.GetProperty("total_ns").GetInt64()));

        Assert.Equal("tid,begin_ns,end_ns,busy_ns,calls,events,gaps,name\n4321,0,1000000,1000000,4,0,0,\n4322,100000,600000,500000,1,1,0,pool\n", harness.Must(Harness.Weft, "tracing", "report", file, "--csv", "--threads").Output);
    }

    [Fact]
    public void The_graph_is_of_the_program_or_of_one_function()
    {
        var file = Write(Sample());
        Assert.Equal("""
                 total        self         calls  function
              1.000 ms  994.000 us             1  main
              6.000 us    6.000 us             3  └─ foo(int, int)
            500.000 us  500.000 us             1  worker

            """.Replace("            ", ""), harness.Must(Harness.Weft, "tracing", "graph", file).Output.Replace("            ", ""));
        var output = harness.Must(Harness.Weft, "tracing", "graph", file, "foo").Output;
        Assert.Contains("6.000 us    6.000 us             3  foo(int, int)\n\nWhat calls it", output);
        Assert.EndsWith("6.000 us    6.000 us             3  └─ main\n", output);
        Harness.AssertToldWell(harness.RunWeft("tracing", "graph", file, "fooo"), ExitCode.Failure, "no function matches 'fooo'", "'foo'");
    }

    [Fact]
    public void A_diff_is_sorted_by_change()
    {
        var (old, changed) = (Write(Sample(), "old"), Sample());
        changed.Thread(3).Enter(2, 0).Exit(2, 50_000).Enter(9, 60_000).Exit(9, 60_001);
        var csv = harness.Must(Harness.Weft, "tracing", "diff", old, Write(changed, "new"), "--csv").Output.Split('\n');
        Assert.Equal("function,self_old_ns,self_new_ns,self_change_ns,total_old_ns,total_new_ns,total_change_ns,calls_old,calls_new,calls_change", csv[0]);
        Assert.Equal("\"foo(int, int)\",6000,56000,50000,6000,56000,50000,3,4,1", csv[1]);
        Assert.Equal("function #9,0,1,1,0,1,1,0,1,1", csv[2]);
        Assert.Equal(6, csv.Length);
        using var json = JsonDocument.Parse(harness.Must(Harness.Weft, "tracing", "diff", old, old, "--json", "--top", "2").Output);
        Assert.All(json.RootElement.GetProperty("functions").EnumerateArray(), f => Assert.Equal(0, f.GetProperty("self_change_ns").GetInt64()));
        Assert.Contains("+50.000 us", harness.Must(Harness.Weft, "tracing", "diff", old, harness.Path("new.weft-trace")).Output);
    }

    [Fact]
    public void Functions_are_listed_with_where_they_are()
    {
        var file = Write(Sample());
        var lines = harness.Must(Harness.Weft, "tracing", "functions", file).Output.Split('\n');
        Assert.Equal(["id", "calls", "function", "source", "module"], lines[0].Split(' ', StringSplitOptions.RemoveEmptyEntries));
        Assert.Equal(" 2      3  foo(int, int)  a.c:7   prog", lines[1]);
        Assert.Contains("never called", lines[^2]);
        Assert.Contains("\"foo(int, int)\",_Z3fooii,a.c,7,/opt/prog", harness.Must(Harness.Weft, "tracing", "functions", file, "--csv").Output);
    }

    [Fact]
    public void Modules_are_chosen_by_path_and_by_name()
    {
        var writer = new TraceWriter().Module(2, "/usr/lib/libx.so.1").Function(1, "main").Function(2, "inner", module: 2);
        writer.Thread().Enter(1, 1).Enter(2, 2).Enter(1, 3).Exit(1, 4).Exit(2, 5).Exit(1, 6);
        var file = Write(writer);
        foreach (var pattern in (string[])["libx.so.1", "libx*", "/usr/lib/*"])
            Assert.Equal("  0.003 us    0.003 us             1  inner", harness.Must(Harness.Weft, "tracing", "graph", file, "--module", pattern).Output.Split('\n')[1]);
        Assert.Contains("the trace has prog, libx.so.1", harness.Must(Harness.Weft, "tracing", "report", file, "--module", "liby*").Errors);
    }

    [Fact]
    public void Without_a_file_it_is_the_newest_trace()
    {
        Harness.AssertToldWell(harness.RunWeft("tracing", "report"), ExitCode.Usage, "weft-out", "--with=tracing");
        Directory.CreateDirectory(harness.Path("weft-out"));
        Directory.CreateDirectory(harness.Path("elsewhere"));
        File.Move(Write(Sample(), "old"), harness.Path("weft-out/old.weft-trace"));
        File.SetLastWriteTimeUtc(harness.Path("weft-out/old.weft-trace"), DateTime.UtcNow.AddHours(-1));
        var writer = new TraceWriter().Function(1, "newest");
        writer.Thread().Enter(1, 1).Exit(1, 2);
        File.Move(Write(writer, "new"), harness.Path("weft-out/new.weft-trace"));
        foreach (var command in (string[])["replay", "report", "graph", "functions"]) Assert.Contains("newest", harness.Must(Harness.Weft, "tracing", command).Output);
        File.Move(harness.Path("weft-out/old.weft-trace"), harness.Path("elsewhere/old.weft-trace"));
        harness.Environment["WEFT_OUT"] = "elsewhere";
        Assert.Contains("main", harness.Must(Harness.Weft, "tracing", "report").Output);
        Assert.Contains("main", harness.Must(Harness.Weft, "tracing", "graph", "foo").Output); // a function, of the newest trace
    }

    [Fact]
    public void What_is_wrong_with_a_trace_is_warned_of_beside_the_data()
    {
        var writer = Sample();
        writer.Put32(88, 2);
        var outcome = harness.Must(Harness.Weft, "tracing", "report", Write(writer), "-F", "fooo", "-F", "main");
        Assert.Contains("main", outcome.Output);
        Assert.Matches("^warning: .*disk was full.*\nwarning: .*has not closed it.*\nwarning: no function matches 'fooo'; 4 functions are in the trace; did you mean 'foo'[?]\n$", outcome.Errors);
    }

    [Theory]
    [InlineData("replay")]
    [InlineData("report")]
    [InlineData("graph")]
    public void A_trace_with_nothing_in_it_says_why(string command)
    {
        Assert.Contains("none of the 1 functions", harness.Must(Harness.Weft, "tracing", command, Write(new TraceWriter().Function(1, "main"))).Errors);
        Assert.Contains("--with tracing", harness.Must(Harness.Weft, "tracing", command, Write(new TraceWriter())).Errors);
        Assert.Contains("filters", harness.Must(Harness.Weft, "tracing", command, Write(Sample()), "-t", "1h").Errors);
        Harness.AssertToldWell(harness.RunWeft("tracing", command, harness.Write("empty.weft-trace", "")), ExitCode.Failure, "is empty");
    }

    [Theory]
    [InlineData("'5' is not a time", "report", "-t", "5")]
    [InlineData("'2s~1s' is not a range", "report", "-r", "2s~1s")]
    [InlineData("'1s' is not a range", "report", "-r", "1s")]
    [InlineData("'0' is not a positive number", "replay", "-D", "0")]
    [InlineData("'size' is not one of total", "report", "--sort", "size")]
    [InlineData("--json and --csv", "report", "--json", "--csv")]
    [InlineData("NEW", "diff", "a")]
    public void A_wrong_command_line_is_told(string mention, params string[] arguments) => Harness.AssertToldWell(harness.RunWeft(["tracing", .. arguments]), ExitCode.Usage, mention);

    [Fact]
    public void Nobody_reading_on_is_no_failure()
    {
        var writer = new TraceWriter().Function(1, "main");
        var thread = writer.Thread();
        for (var i = 0; i < 200_000; i++) thread.Enter(1, (ulong)i * 2).Exit(1, (ulong)i * 2 + 1);
        var outcome = harness.Run("/bin/sh", "-c", $"{{ '{Harness.Weft}' tracing replay '{Write(writer)}'; echo $? >&2; }} | head -2");
        Assert.Equal(("0\n", 3), (outcome.Errors, outcome.Output.Split('\n').Length));
    }

    [Fact]
    public void Recursion_of_any_depth_is_shown()
    {
        const int depth = 50_000;
        var writer = new TraceWriter().Function(1, "down");
        var thread = writer.Thread();
        for (var i = 0; i < depth; i++) thread.Enter(1, (ulong)i);
        for (var i = 0; i < depth; i++) thread.Exit(1, (ulong)(depth + i));
        var file = Write(writer);
        Assert.Equal(2 * depth + 1, harness.Must(Harness.Weft, "tracing", "replay", file).Output.Split('\n').Length);
        Assert.Equal(depth + 2, harness.Must(Harness.Weft, "tracing", "graph", file).Output.Split('\n').Length);
    }

    [Fact]
    public void A_trace_is_read_while_it_is_written()
    {
        var writer = Sample();
        writer.Put32(88, 0);
        writer.Thread(5).Enter(1, 5).LeaveOpen = true;
        var path = Write(writer);
        using var held = new FileStream(path, FileMode.Open, FileAccess.ReadWrite, FileShare.ReadWrite);
        var watch = Stopwatch.StartNew();
        Assert.Contains("main", harness.Must(Harness.Weft, "tracing", "report", path).Output);
        Assert.InRange(watch.Elapsed, TimeSpan.Zero, TimeSpan.FromSeconds(60));
    }

    /// <summary>main() calls foo() three times; a worker has not ended.</summary>
    private static TraceWriter Sample()
    {
        var writer = new TraceWriter().Function(1, "main").Function(2, "foo(int, int)", "_Z3fooii", "a.c", 7).Function(3, "worker").Function(4, "never called");
        writer.Thread(1).Enter(1, 0).Enter(2, 10_000).Exit(2, 11_000).Enter(2, 20_000).Exit(2, 22_000).Enter(2, 30_000).Exit(2, 33_000).Exit(1, 1_000_000);
        writer.Thread(2, 0, "pool").Enter(3, 100_000).Event(1, "", 600_000);
        return writer;
    }

    private static List<RawEvent> Calls(params (long Time, int Function)[] calls) => [.. calls.Select(c => new RawEvent(c.Function > 0 ? RawKind.Entry : RawKind.Exit, c.Time, Math.Abs(c.Function)))];

    private string Write(TraceWriter writer, string name = "test")
    {
        var path = harness.Path($"{name}.weft-trace");
        File.WriteAllBytes(path, writer.ToArray());
        return path;
    }
}
