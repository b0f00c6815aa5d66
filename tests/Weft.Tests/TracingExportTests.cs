using System.Text;
using System.Text.Json;
using System.Xml.Linq;
using Weft.Tracing;

namespace Weft.Tests;

public sealed class TracingExportTests
{
    /// <summary>Names that break a format which does not expect them.</summary>
    private static readonly string[] Nasty = ["main", "f<\"T\", 'x'>(&&)", "a;b [u8; 4]", "line\nbreak\ttab", "back\\slash", "</title></svg>", "\u0001\u001b[31m", "half \ud800 pair", "ünïcödé 漢字 😀", ""];

    [Fact]
    public void Chrome_has_every_call_with_its_names_and_times()
    {
        var trace = Sample();
        var events = ChromeEvents(trace);
        var expected = trace.Calls(trace.Threads[0]).Where(e => e.Kind is CallKind.Begin or CallKind.End).Select(e => (e.Kind == CallKind.Begin ? "B" : "E", e.Time / 1000m));
        Assert.Equal(expected, events.Where(e => Text(e, "ph") is "B" or "E" && e.GetProperty("tid").GetInt64() == 101).Select(e => (Text(e, "ph"), e.GetProperty("ts").GetDecimal())));
        Assert.All(events, e => Assert.Equal(77, e.GetProperty("pid").GetInt64()));
        Assert.Equal("main", Text(events.First(e => Text(e, "ph") == "B"), "name"));
        Assert.Equal("lib \"two\".so", Text(events.First(e => Text(e, "name") == "leaf"), "cat"));
        Assert.Equal(["program", "first", "second"], events.Where(e => Text(e, "name") is "process_name" or "thread_name").Select(e => Text(e.GetProperty("args"), "name")));
        Assert.Equal(["tail call", "unwound", "open"], events.Where(e => Text(e, "ph") == "E" && e.TryGetProperty("args", out _)).Select(e => Text(e.GetProperty("args"), "end")));
    }

    [Fact]
    public void Chrome_has_spans_events_and_losses()
    {
        var events = ChromeEvents(Sample());
        Assert.Equal([("b", "span 5", "1.5"), ("e", "span 5", "1.5")], events.Where(e => Text(e, "ph") is "b" or "e").Select(e => (Text(e, "ph"), Text(e, "name"), Text(e, "id"))));
        Assert.Equal([("type 6", "hello"), ("type 7", "00ff")], events.Where(e => Text(e, "ph") == "i" && Text(e, "cat") == "event").Select(e => (Text(e, "name"), Text(e.GetProperty("args"), "data"))));
        Assert.Equal(9, Assert.Single(events, e => Text(e, "name") == "lost events").GetProperty("args").GetProperty("count").GetInt32());
    }

    [Theory]
    [InlineData(0, "0")]
    [InlineData(999, "0.999")]
    [InlineData(1_000, "1")]
    [InlineData(1_010, "1.010")]
    [InlineData(1_152_921_504_606_846_976, "1152921504606846.976")]
    public void Chrome_keeps_nanoseconds(long time, string expected)
    {
        var trace = new MadeUpTrace("f").Thread(1, "");
        var written = Written(o => ChromeExport.Write(o, trace, _ => [new CallEvent(CallKind.Begin, Certainty.Seen, 0, time, 1)]));
        Assert.Contains($"\"ts\":{expected}}}", written);
    }

    [Fact]
    public void Perfetto_has_every_call_with_its_names_and_times()
    {
        var trace = Sample();
        var packets = PerfettoTrace.Decode(Bytes(o => PerfettoExport.Write(o, trace, trace.Calls)));
        foreach (var thread in trace.Threads)
        {
            var expected = trace.Calls(thread).Where(e => e.Kind is CallKind.Begin or CallKind.End).Select(e => e.Kind == CallKind.Begin ? $"{e.Time} {trace.Function(e.Id).Name}" : $"{e.Time} end");
            Assert.Equal(expected, packets.Slices[$"{thread.Name} {thread.Id}"]);
        }
        Assert.Equal("program 77", packets.Process);
        var spans = trace.Calls(trace.Threads[0]).Where(e => e.Kind is CallKind.SpanBegin or CallKind.SpanEnd).Select(e => e.Kind == CallKind.SpanBegin ? $"{e.Time} span 5" : $"{e.Time} end");
        Assert.Equal(spans, packets.Slices["first 101 > span 5"]);
        Assert.Equal(["type 6 data=hello", "type 7 data=00ff", "lost events count=9"], packets.Instants);
    }

    [Fact]
    public void Speedscope_has_every_call_of_every_thread()
    {
        var trace = Sample();
        using var json = JsonDocument.Parse(Written(o => SpeedscopeExport.Write(o, trace, trace.Calls)));
        Assert.Equal("https://www.speedscope.app/file-format-schema.json", Text(json.RootElement, "$schema"));
        var frames = json.RootElement.GetProperty("shared").GetProperty("frames").EnumerateArray().Select(f => Text(f, "name")).ToArray();
        var profiles = json.RootElement.GetProperty("profiles").EnumerateArray().ToArray();
        Assert.Equal(["first (101)", "second (102)"], profiles.Select(p => Text(p, "name")));
        foreach (var (profile, thread) in profiles.Zip(trace.Threads))
        {
            var expected = trace.Calls(thread).Where(e => e.Kind is CallKind.Begin or CallKind.End).Select(e => (e.Kind == CallKind.Begin ? "O" : "C", trace.Function(e.Id).Name, e.Time)).ToList();
            Assert.Equal(expected, profile.GetProperty("events").EnumerateArray().Select(e => (Text(e, "type"), frames[e.GetProperty("frame").GetInt32()], e.GetProperty("at").GetInt64())));
            Assert.Equal((expected[0].Time, expected[^1].Time), (profile.GetProperty("startValue").GetInt64(), profile.GetProperty("endValue").GetInt64()));
        }
    }

    [Fact]
    public void Folded_stacks_add_up_to_the_time_of_the_outermost_calls()
    {
        var trace = Sample();
        var lines = Written(o => FoldedExport.Write(o, trace, trace.Calls, count: false)).Split('\n', StringSplitOptions.RemoveEmptyEntries);
        var outermost = trace.Threads.SelectMany(trace.Calls).Where(e => e.Kind == CallKind.End && e.Depth == 0).Sum(e => e.Time - e.Start);
        Assert.Equal(outermost, lines.Sum(l => long.Parse(l[(l.LastIndexOf(' ') + 1)..])));
        Assert.Equal(["main", "main;leaf", "main;work", "main;work;leaf"], lines.Select(l => l[..l.LastIndexOf(' ')]));
        Assert.Equal("main 2\nmain;leaf 2\nmain;work 2\nmain;work;leaf 2\n", Written(o => FoldedExport.Write(o, trace, trace.Calls, count: true)));
    }

    [Fact]
    public void Runaway_recursion_is_folded_at_a_thousand_calls()
    {
        var trace = new MadeUpTrace("f", "g").Thread(1, "");
        for (var i = 0; i < 5000; i++) trace.Begin(1 + i % 2);
        for (var i = 0; i < 5000; i++) trace.End();
        var lines = Written(o => FoldedExport.Write(o, trace, trace.Calls, count: true)).Split('\n', StringSplitOptions.RemoveEmptyEntries);
        Assert.Equal(1001, lines.Length);
        Assert.EndsWith("f;g;(deeper) 4000", lines[^1]);
    }

    [Fact]
    public void The_flame_graph_has_a_box_for_every_stack_inside_its_caller_s()
    {
        var trace = Sample();
        var svg = XDocument.Parse(Written(o => FlamegraphExport.Write(o, trace, trace.Calls, count: false)));
        var boxes = svg.Descendants().Where(e => e.Name.LocalName == "rect").ToList();
        Assert.Equal(5, boxes.Count);
        Assert.All(boxes, b => Assert.InRange((double)b.Attribute("x")! + (double)b.Attribute("width")!, 10, 1190.01));
        var titles = svg.Descendants().Where(e => e.Name.LocalName == "title").Select(t => t.Value).ToList();
        Assert.Contains("leaf [lib \"two\".so]\n2.00 us, 11.11%, 2.00 us in itself, 2 calls", titles);
        Assert.Contains("main", string.Concat(svg.Descendants().Where(e => e.Name.LocalName == "text").Select(t => t.Value)));
    }

    [Fact]
    public void Any_name_keeps_every_format_valid()
    {
        var trace = new MadeUpTrace(Nasty).Thread(1, Nasty[1]).Thread(2, Nasty[^3]);
        for (var i = 1; i <= Nasty.Length; i++) trace.Begin(i);
        for (var i = 1; i <= Nasty.Length; i++) trace.End();
        var names = ChromeEvents(trace).Where(e => Text(e, "ph") == "B").Select(e => Text(e, "name"));
        Assert.Equal(Nasty.Select(n => n.Replace('\ud800', '\ufffd')), names);
        JsonDocument.Parse(Written(o => SpeedscopeExport.Write(o, trace, trace.Calls))).Dispose();
        XDocument.Parse(Written(o => FlamegraphExport.Write(o, trace, trace.Calls, count: true)));
        Assert.Equal(2 * Nasty.Length, PerfettoTrace.Decode(Bytes(o => PerfettoExport.Write(o, trace, trace.Calls))).Slices.Values.Sum(s => s.Count));
        var folded = Written(o => FoldedExport.Write(o, trace, trace.Calls, count: true)).Split('\n', StringSplitOptions.RemoveEmptyEntries);
        Assert.Equal(Nasty.Length, folded.Length);
        Assert.Equal(Nasty.Length, folded[^1].Split(';').Length);
    }

    [Fact]
    public void A_trace_without_events_is_valid_in_every_format()
    {
        foreach (var trace in (MadeUpTrace[])[new MadeUpTrace(), new MadeUpTrace("f").Thread(1, "")])
        {
            JsonDocument.Parse(Written(o => ChromeExport.Write(o, trace, trace.Calls))).Dispose();
            JsonDocument.Parse(Written(o => SpeedscopeExport.Write(o, trace, trace.Calls))).Dispose();
            XDocument.Parse(Written(o => FlamegraphExport.Write(o, trace, trace.Calls, count: false)));
            PerfettoTrace.Decode(Bytes(o => PerfettoExport.Write(o, trace, trace.Calls)));
            Assert.Equal("", Written(o => FoldedExport.Write(o, trace, trace.Calls, count: false)));
            XRayExport.Write(Stream.Null, Stream.Null, trace, trace.Calls);
        }
    }

    /// <summary>An event may cost no memory: there are billions in some traces.</summary>
    [Fact]
    public void Memory_does_not_grow_with_the_trace()
    {
        const int count = 300_000;
        var trace = new MadeUpTrace("f", "g").Thread(1, "");
        foreach (var export in (Action<Stream, Func<TraceThread, IEnumerable<CallEvent>>>[])
                 [
                     (o, c) => ChromeExport.Write(o, trace, c), (o, c) => PerfettoExport.Write(o, trace, c), (o, c) => SpeedscopeExport.Write(o, trace, c),
                     (o, c) => FoldedExport.Write(o, trace, c, count: false), (o, c) => FlamegraphExport.Write(o, trace, c, count: false), (o, c) => XRayExport.Write(o, o, trace, c),
                 ])
        {
            var before = GC.GetAllocatedBytesForCurrentThread();
            export(Stream.Null, _ => Many(count));
            Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 1 << 20);
        }
    }

    private static IEnumerable<CallEvent> Many(int count)
    {
        yield return new CallEvent(CallKind.Begin, Certainty.Seen, 0, 0, 1);
        for (var i = 1; i < count; i += 2)
        {
            yield return new CallEvent(CallKind.Begin, Certainty.Seen, 1, i, 2);
            yield return new CallEvent(CallKind.End, Certainty.Tail, 1, i + 1, 2, i);
        }
        yield return new CallEvent(CallKind.End, Certainty.Seen, 0, count, 1);
    }

    private static MadeUpTrace Sample() => new MadeUpTrace("main", "work", "leaf")
        .Thread(101, "first").Begin(1).Begin(2).Begin(3).End(Certainty.Tail).End()
        .Other(CallKind.SpanBegin, 5).Begin(3).Other(CallKind.Event, 6, "hello"u8.ToArray()).Other(CallKind.SpanEnd, 5).End(Certainty.Unwound)
        .Other(CallKind.Event, 7, [0, 255]).End(Certainty.Open).Other(CallKind.Lost, 9)
        .Thread(102, "second").Begin(1).Begin(2).Begin(3).End().End().Begin(3).End().End();

    private static List<JsonElement> ChromeEvents(MadeUpTrace trace)
    {
        using var json = JsonDocument.Parse(Written(o => ChromeExport.Write(o, trace, trace.Calls)));
        return [.. json.RootElement.GetProperty("traceEvents").EnumerateArray().Select(e => e.Clone())];
    }

    private static string Text(JsonElement element, string name) => element.TryGetProperty(name, out var value) ? value.GetString()! : "";

    private static byte[] Bytes(Action<Stream> write)
    {
        using var stream = new MemoryStream();
        write(stream);
        return stream.ToArray();
    }

    private static string Written(Action<Stream> write) => new UTF8Encoding(false, throwOnInvalidBytes: true).GetString(Bytes(write));
}
