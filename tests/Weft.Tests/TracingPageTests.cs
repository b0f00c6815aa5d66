using System.IO.Compression;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.RegularExpressions;
using System.Xml.Linq;
using Weft.Tracing;
using Weft.Tracing.Page;

namespace Weft.Tests;

/// <summary>The page that shows a trace: that it stands alone, that nothing in a trace gets out of its data, and that its script finds in the data what was in the trace.</summary>
public sealed class TracingPageTests
{
    [Fact]
    public void A_page_is_well_formed_and_needs_nothing_beside_it()
    {
        var page = Page(MadeTrace.Random(1, 2, 100));
        var frame = XDocument.Parse(BlockOf("script|style").Replace(page, "<$1$2></$1>"));

        var names = frame.Descendants().SelectMany(e => e.Attributes()).Select(a => a.Name.LocalName).ToList();
        Assert.DoesNotContain("src", names);
        Assert.DoesNotContain("href", names);
        Assert.DoesNotContain("style", names); // the policy forbids them
        Assert.DoesNotContain(names, name => name.StartsWith("on", StringComparison.Ordinal));
        Assert.DoesNotContain("://", page.Replace(Data(page), ""));
        Assert.DoesNotContain("@import", page);
        Assert.DoesNotContain("url(", page);
        var ids = frame.Descendants().Attributes("id").Select(a => a.Value).ToList();
        Assert.Equal(ids.Distinct(), ids);
        Assert.All(Regex.Matches(page, "element\\(\"([a-z-]+)\"\\)"), m => Assert.Contains(m.Groups[1].Value, ids));
        foreach (var reference in (string[])["for", "aria-labelledby", "aria-describedby"])
            Assert.All(frame.Descendants().Attributes(reference), a => Assert.Contains(a.Value, ids));
    }

    [Fact]
    public void Only_the_pages_own_script_and_style_are_allowed()
    {
        var page = Page(MadeTrace.Random(1, 1, 10));
        var policy = Regex.Match(page, "Content-Security-Policy\" content=\"([^\"]*)\"").Groups[1].Value;

        Assert.StartsWith("default-src 'none'; ", policy, StringComparison.Ordinal);
        Assert.DoesNotContain("unsafe", policy);
        Assert.Contains($"script-src 'sha256-{Hash(Script(page))}'", policy, StringComparison.Ordinal);
        Assert.Contains($"style-src 'sha256-{Hash(BlockOf("style").Match(page).Groups[3].Value)}'", policy, StringComparison.Ordinal);
        Assert.DoesNotContain("innerHTML", page);
        Assert.DoesNotContain("insertAdjacentHTML", page);
        Assert.DoesNotContain("document.write", page);
        Assert.DoesNotContain("eval(", page);
    }

    [Fact]
    public void Hostile_names_stay_in_the_data()
    {
        string[] hostile = ["</script><script>alert(1)</script>", "<img src=x onerror=alert(1)>", "--><!--", "]]>", "\"'`${alert(1)}", "{{data}}{{script}}", "\u202egnp.exe", "\ud800 alone", "a\0b\u001b[31m", "<!--<script>"];
        var all = string.Concat(hostile);
        var trace = new MadeTrace
        {
            Name = id => hostile[id % hostile.Length],
            Info = new(all, [all, "", .. hostile], DateTimeOffset.MaxValue, [(5, all)], [all]),
        };
        trace.Add(all, hostile.SelectMany((_, i) => (CallEvent[])
        [
            new(CallKind.Begin, Certainty.Seen, 0, i, i), new(CallKind.SpanBegin, Certainty.Seen, 1, i, i), new(CallKind.Event, Certainty.Seen, 1, i, i, Data: Encoding.UTF8.GetBytes(all)),
            new(CallKind.SpanEnd, Certainty.Seen, 1, i, i), new(CallKind.End, Certainty.Seen, 0, i, i, i),
        ]));

        var page = Page(trace);

        var harmless = Page(MadeTrace.Random(1, 1, 10));
        Assert.Equal(harmless.Replace(Data(harmless), ""), page.Replace(Data(page), ""));
        Assert.Matches("^[A-Za-z0-9+/]+=*$", Data(page));
        var read = PageReader.Read(Data(page));
        Assert.Equal(hostile[0], read.Functions[0]);
        Assert.Equal("\ufffdgnp.exe", read.Functions[6]);
        Assert.Equal("\ufffd alone", read.Functions[7]);
        Assert.Equal("a\ufffdb\ufffd[31m", read.Functions[8]);
    }

    [Theory]
    [InlineData(1, 1, 5000)]
    [InlineData(2, 3, 3000)]
    [InlineData(3, 1, 150_000)] // several blocks
    public void The_data_hold_every_call_of_the_trace(int seed, int threads, int calls)
    {
        var trace = MadeTrace.Random(seed, threads, calls);
        var read = PageReader.Read(Data(Page(trace)));

        Assert.Empty(read.Remarks);
        var expected = Expect(trace);
        Assert.Equal(expected.Slices.Order(), read.Slices.Order());
        Assert.Equal(expected.Calls, read.Calls);
        Assert.Equal(expected.Total, read.Total);
    }

    [Theory, InlineData(4), InlineData(5)]
    public void Calls_too_many_to_show_are_still_counted(int seed)
    {
        var trace = MadeTrace.Random(seed, 3, 20_000);
        var all = PageReader.Read(Data(Page(trace)));
        var few = PageReader.Read(Data(Page(trace, new PageOptions { MaxEvents = 1000 })));

        Assert.InRange(few.Slices.Count, 500, 1000);
        Assert.Equal(all.Calls, few.Calls);
        Assert.Equal(all.Total, few.Total);
        Assert.Equal(60_000, few.Calls);
        // Those that are shown are all the longest, so a call that is shown has all of its callers.
        Assert.Equal(all.Slices.Where(s => s.End - s.Start >= few.ShortestCall).Order(), few.Slices.Order());
        Assert.Contains(few.Remarks, r => r.Contains("60,000 calls", StringComparison.Ordinal) && r.Contains($"{few.ShortestCall:N0} ns", StringComparison.Ordinal));
    }

    [Fact]
    public void Stacks_without_number_do_not_fill_the_memory()
    {
        var trace = MadeTrace.Random(6, 1, 20_000);
        var all = PageReader.Read(Data(Page(trace)));
        var few = PageReader.Read(Data(Page(trace, new PageOptions { MaxStacks = 100 })));

        Assert.Equal(100, few.Stacks);
        Assert.InRange(few.Slices.Count, 100, all.Slices.Count / 2);
        Assert.Equal(few.Slices.Count, few.Calls);
        Assert.Contains(few.Remarks, r => r.Contains($"{20_000 - few.Slices.Count:N0} calls", StringComparison.Ordinal));
    }

    [Fact]
    public void Threads_without_calls_and_traces_without_threads_have_pages()
    {
        var nothing = new MadeTrace();
        Assert.Empty(PageReader.Read(Data(Page(nothing))).Slices);
        nothing.Add("idle", []);
        Assert.Empty(PageReader.Read(Data(Page(nothing))).Slices);
    }

    [Fact]
    public void What_a_running_program_adds_between_the_readings_does_no_harm()
    {
        MadeTrace before = MadeTrace.Random(7, 1, 100), after = MadeTrace.Random(7, 1, 5000);
        var readings = 0;
        using var page = new MemoryStream();
        TracePage.Write(page, before, thread => (readings++ == 0 ? before : after).Calls(thread), new PageOptions());

        Assert.Equal(100, PageReader.Read(Data(Encoding.UTF8.GetString(page.ToArray()))).Calls);
    }

    [Fact]
    public void A_trace_file_becomes_a_page()
    {
        var writer = new TraceWriter().Function(1, "main").Function(2, "work", types: 0x445).Function(3, "mixed", types: 0x0876321).Span(1, "load").EventType(2, "packet");
        writer.Thread(1, 100, "main").Enter(1, 10).Begin(1, 15).Enter(2, 20).Values(41, 3).Event(2, "hello", 25).Exit(2, 30).Values(7)
            .Enter(3, 31).Values(255, 258, 0xff00ff, BitConverter.SingleToUInt32Bits(1.5f), BitConverter.DoubleToUInt64Bits(-2.25), 17).Exit(3, 32).Values(1)
            .Lost(5).End(1, 40).Exit(1, 50);
        using var harness = new Harness();
        File.WriteAllBytes(harness.Path("t.weft-trace"), writer.ToArray());
        using var source = TraceSources.Open(harness.Path("t.weft-trace"));
        using var page = new MemoryStream();
        TracePage.Write(page, source, thread => CallStacks.Of(source, thread), new PageOptions());

        var read = PageReader.Read(Data(Encoding.UTF8.GetString(page.ToArray())));
        Assert.Equal(["main", "work", "mixed"], read.Functions);
        Assert.Equal(["(41, 3) = 7", "(-1, 258, 0xff00ff, 1.5, -2.25, 0x11) = true"], read.Values);
        Assert.Contains((1, "main>work", 20L, 30L), read.Slices);
    }

    [Needs("node")]
    public void The_script_finds_in_the_data_what_was_in_the_trace()
    {
        foreach (var (seed, limit) in ((int, int)[])[(8, 1_000_000), (9, 2000)])
        {
            var trace = MadeTrace.Random(seed, 3, 20_000);
            var expected = Expect(trace);
            var found = RunScript(Page(trace, new PageOptions { MaxEvents = limit }), """
                const sums = page.sumStacks(trace, trace.threads, null), part = page.sumStacks(trace, trace.threads, { from: trace.from, to: trace.to });
                const functions = page.sumFunctions(trace, sums);
                const add = array => array.reduce((a, b) => a + b, 0);
                return {
                  calls: add(sums.calls), total: sums.total[0], self: add(sums.self.subarray(1)), least: Math.min(...sums.self),
                  functions: functions.map(f => ({ name: f.name, calls: f.calls, total: f.total, longest: f.longest })),
                  slices: add(trace.threads.flatMap(t => t.rows.map(r => r.count))), rangeTotal: part.total[0], rangeCalls: add(part.calls),
                  spans: add(page.sumSpans(trace, trace.threads, null).map(s => s.calls)), events: add(trace.threads.map(t => t.events.count)),
                  extra: new TextDecoder().decode(trace.threads[0].events.extra(0)), lane: trace.threads[0].spans.length,
                  share: page.wantedShare(trace.stacks, sums.total, new Uint8Array(trace.functions.length).fill(1)),
                };
                """);

            Assert.Equal(expected.Calls, found.GetProperty("calls").GetInt64());
            Assert.Equal(expected.Total, found.GetProperty("total").GetInt64());
            Assert.Equal(expected.Total, found.GetProperty("self").GetInt64());
            Assert.True(found.GetProperty("least").GetInt64() >= 0);
            Assert.Equal(1, found.GetProperty("share").GetDouble());
            Assert.EndsWith(" made", found.GetProperty("extra").GetString(), StringComparison.Ordinal);
            Assert.True(found.GetProperty("lane").GetInt32() > 1);
            var functions = found.GetProperty("functions").EnumerateArray().ToDictionary(f => f.GetProperty("name").GetString()!, f => (f.GetProperty("calls").GetInt64(), f.GetProperty("total").GetInt64(), f.GetProperty("longest").GetInt64()));
            Assert.Equal(expected.Functions.OrderBy(f => f.Key), functions.OrderBy(f => f.Key));
            var shown = limit > 60_000 ? 60_000 : found.GetProperty("slices").GetInt64();
            Assert.Equal(shown, found.GetProperty("slices").GetInt64());
            Assert.InRange(shown, 1000, limit);
            if (limit > 60_000) // then a range of all is all
            {
                Assert.Equal(expected.Total, found.GetProperty("rangeTotal").GetInt64());
                Assert.Equal(60_000, found.GetProperty("rangeCalls").GetInt64());
            }
            Assert.True(found.GetProperty("spans").GetInt64() > 100);
            Assert.True(found.GetProperty("events").GetInt64() > 100);
        }
    }

    [Needs("node")]
    public void Every_pixel_shows_whether_there_was_a_call()
    {
        var found = RunScript(Page(MadeTrace.Random(10, 2, 20_000)), """
            const wrong = [], colors = new Uint32Array(trace.stacks.count).fill(0xff334455), width = 500;
            for (const [t, thread] of trace.threads.entries()) for (const [depth, row] of thread.rows.entries())
              for (let zoom = 1; zoom < 1e5; zoom *= 7) {
                const length = (trace.to - trace.from) / zoom, view = { from: trace.from + (trace.to - trace.from - length) * 0.37, scale: length / width };
                const pixels = new Uint32Array(width), labels = [];
                page.paintRow(row, view, colors, null, 0.4, pixels, 0, width, labels, 20);
                const full = new Uint8Array(width), touched = new Uint8Array(width);
                for (let i = 0; i < row.count; i++) {
                  const a = (row.start[i] - view.from) / view.scale, b = (row.end[i] - view.from) / view.scale;
                  if (b < -1 || a >= width) continue;
                  if (a >= 0) full[Math.floor(a)] = 1;
                  for (let x = Math.max(Math.ceil(a), 0); x + 1 <= b && x < width; x++) full[x] = 1;
                  for (let x = Math.max(Math.floor(a) - 1, 0); x <= b + 1 && x < width; x++) touched[x] = 1;
                }
                for (let x = 0; x < width; x++) if (full[x] && !pixels[x] || !touched[x] && pixels[x]) wrong.push([t, depth, zoom, x]);
                for (let i = 0; i < labels.length; i += 3) {
                  const middle = view.from + (labels[i + 1] + labels[i + 2]) / 2 * view.scale;
                  if (page.sliceAt(row, middle, 0) !== labels[i]) wrong.push([t, depth, zoom, "label"]);
                }
              }
            return { wrong: wrong.slice(0, 10) };
            """);
        Assert.Equal("[]", found.GetProperty("wrong").ToString());
    }

    [Needs("node")]
    public void Flames_stand_below_their_callers_and_within_them()
    {
        var found = RunScript(Page(MadeTrace.Random(11, 2, 20_000)), """
            const { total } = page.sumStacks(trace, trace.threads, null), { parent } = trace.stacks;
            const wrong = [], focus = trace.stacks.child[trace.stacks.child[0]];
            for (const from of [0, focus]) {
              const rows = page.layFlames(trace.stacks, total, from, 1000);
              if (rows.length < 4) wrong.push("few rows");
              rows.forEach((row, depth) => row.forEach((box, i) => {
                const caller = depth && rows[depth - 1].find(b => b.node === parent[box.node]);
                if (depth && (!caller || box.x < caller.x - 1e-6 || box.x + box.width > caller.x + caller.width + 1e-6)) wrong.push(["caller", box]);
                if (i && row[i - 1].x + row[i - 1].width > box.x + 1e-6) wrong.push(["overlap", box]);
                if (page.boxAt(row, box.x + box.width / 2) !== box) wrong.push(["at", box]);
              }));
            }
            return { wrong: wrong.slice(0, 10) };
            """);
        Assert.Equal("[]", found.GetProperty("wrong").ToString());
    }

    private static string Page(MadeTrace trace, PageOptions? options = null)
    {
        using var page = new MemoryStream();
        TracePage.Write(page, trace, trace.Calls, options ?? new PageOptions());
        return Encoding.UTF8.GetString(page.ToArray());
    }

    private static Regex BlockOf(string tags) => new($"<({tags})([^>]*)>(.*?)</\\1>", RegexOptions.Singleline);

    private static string Data(string page) => BlockOf("script").Match(page).Groups[3].Value;

    private static string Script(string page) => BlockOf("script").Matches(page)[1].Groups[3].Value;

    private static string Hash(string text) => Convert.ToBase64String(SHA256.HashData(Encoding.UTF8.GetBytes(text)));

    /// <summary>Runs the page's own script without a document, then a function of (page: what the script exports, trace: its data decoded).</summary>
    private static JsonElement RunScript(string page, string function)
    {
        using var harness = new Harness();
        harness.Write("page.js", Script(page));
        harness.Write("data", Data(page));
        harness.Write("run.js", $$"""
            const page = require("./page.js"), fs = require("fs");
            const run = (page, trace) => { {{function}} };
            page.inflate(page.fromBase64(fs.readFileSync("data", "latin1"))).then(bytes => console.log(JSON.stringify(run(page, page.decode(bytes)))));
            """);
        return JsonDocument.Parse(harness.Must("node", "run.js").Output).RootElement;
    }

    /// <summary>What the steps of a made-up trace come to, added up as plainly as can be.</summary>
    private static Expected Expect(MadeTrace trace)
    {
        var expected = new Expected();
        foreach (var (index, thread) in trace.Threads.Index())
        {
            var open = new List<CallEvent>();
            foreach (var step in trace.Calls(thread))
            {
                if (step.Kind == CallKind.Begin) open.Add(step);
                if (step.Kind != CallKind.End) continue;
                expected.Slices.Add((index + 1, string.Join('>', open.Select(s => trace.Name(s.Id))), step.Start, step.Time));
                open.RemoveAt(open.Count - 1);
                expected.Count(trace.Name(step.Id), step.Time - step.Start, outermost: open.All(s => s.Id != step.Id), depth: open.Count);
            }
        }
        return expected;
    }

    private sealed class Expected
    {
        public List<(int, string, long, long)> Slices { get; } = [];

        public Dictionary<string, (long Calls, long Total, long Longest)> Functions { get; } = [];

        public long Calls => Slices.Count;

        public long Total { get; private set; }

        public void Count(string name, long time, bool outermost, int depth)
        {
            var (calls, total, longest) = Functions.GetValueOrDefault(name);
            Functions[name] = (calls + 1, total + (outermost ? time : 0), Math.Max(longest, time));
            if (depth == 0) Total += time;
        }
    }

    /// <summary>Reads a page's data as docs of the format have them; shares nothing with what wrote them.</summary>
    private sealed class PageReader(byte[] content)
    {
        private readonly byte[] bytes = content;
        private readonly List<(int Parent, int Function)> nodes = [(-1, -1)];
        private int at;

        public List<string> Functions { get; private set; } = [];

        public List<string> Remarks { get; private set; } = [];

        public List<string> Values { get; } = [];

        public List<(int Thread, string Stack, long Start, long End)> Slices { get; } = [];

        public long Calls { get; private set; }

        public long Total { get; private set; }

        public long ShortestCall { get; private set; }

        public int Stacks => nodes.Count - 1;

        public static PageReader Read(string base64)
        {
            using var packed = new DeflateStream(new MemoryStream(Convert.FromBase64String(base64)), CompressionMode.Decompress);
            using var plain = new MemoryStream();
            packed.CopyTo(plain);
            var reader = new PageReader(plain.ToArray());
            reader.Head();
            reader.Blocks();
            Assert.Equal(plain.Length, reader.at);
            return reader;
        }

        private void Head()
        {
            Assert.Equal(1, Number());
            Number();
            Text();
            List(Text);
            for (var i = 0; i < 3; i++) Number();
            ShortestCall = Number();
            Number();
            List(Text);
            Remarks = List(Text);
            List(() => (Number(), Text()));
            List(Text);
            Functions = List(() => (Text(), Text(), Text(), Number(), Number()).Item1);
            List(Text);
            List(Text);
            var count = (int)Number();
            nodes.AddRange(Column(count).Zip(Column(count), (distance, function) => ((int)distance, (int)function)).Select((n, i) => (i + 1 - n.Item1, n.Item2)));
            List(Sums);
        }

        private int Sums()
        {
            Number();
            Number();
            Text();
            for (var i = 0; i < 3; i++) Number();
            var count = (int)Number();
            var (distances, calls, totals, _) = (Column(count), Column(count), Column(count), Column(count));
            Calls += calls.Sum();
            var node = 0L;
            for (var i = 0; i < count; i++)
                if (nodes[(int)(node += distances[i])].Parent == 0)
                    Total += totals[i];
            return count;
        }

        private void Blocks()
        {
            for (var kind = Number(); kind != 0; kind = Number())
            {
                var (thread, count, time) = ((int)Number(), (int)Number(), Number());
                var (items, ends, durations) = (Column(count), Column(count), Column(count));
                Assert.Equal(count, Bytes().Length);
                var more = new PageReader(Bytes());
                while (kind == 1 && more.at < more.bytes.Length)
                    if (more.Text() is { Length: > 0 } values)
                        Values.Add(values);
                for (var i = 0; kind == 1 && i < count; i++)
                {
                    time += ends[i];
                    Slices.Add((thread + 1, Stack((int)items[i]), time - durations[i], time));
                }
            }
        }

        private string Stack(int node) => nodes[node].Parent > 0 ? $"{Stack(nodes[node].Parent)}>{Functions[nodes[node].Function]}" : Functions[nodes[node].Function];

        private long Number()
        {
            long value = 0;
            for (var shift = 0; ; shift += 7)
            {
                value |= (long)(bytes[at] & 127) << shift;
                if (bytes[at++] < 128) return value;
            }
        }

        private byte[] Bytes()
        {
            var length = (int)Number();
            at += length;
            return bytes[(at - length)..at];
        }

        private string Text() => Encoding.UTF8.GetString(Bytes());

        private List<T> List<T>(Func<T> read) => [.. Enumerable.Range(0, (int)Number()).Select(_ => read())];

        private List<long> Column(int count)
        {
            var column = new PageReader(Bytes());
            return [.. Enumerable.Range(0, count).Select(_ => column.Number())];
        }
    }
}
