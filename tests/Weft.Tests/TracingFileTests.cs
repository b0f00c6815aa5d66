using System.Text;
using Weft.Core;
using Weft.Tracing;

namespace Weft.Tests;

/// <summary>What becomes of trace files, sound, cut, damaged and hostile, when they are read.</summary>
public sealed class TracingFileTests : IDisposable
{
    private readonly DirectoryInfo folder = Directory.CreateTempSubdirectory("weft-trace-");

    private string TracePath => Path.Combine(folder.FullName, "test.weft-trace");

    public void Dispose() => folder.Delete(recursive: true);

    [Fact]
    public void Everything_that_a_program_writes_is_read_as_it_was_written()
    {
        var writer = new TraceWriter().Function(1, "main", "main", "a.c", 7, types: 0x64).Function(2, "", "_Z3foov").Span(3, "load").EventType(9, "packet").Note(50, 2, "switched off");
        writer.Thread(1, 100, "main")
            .Enter(1, 10).Frame(0xFFF0).Values(41, 42).Begin(3, 20).Event(9, "hello", 30).Enter(2, 40).Landed(0xFF00, 50)
            .Other(17, 16, 0, new byte[16]).Pad(24).Exit(2, 60, clock: 2).Lost(5).End(3, 70).Exit(1, 80).Values(7).Tail(1, 90);
        using var trace = Open(writer.ToArray());

        Assert.Equal("/opt/prog", trace.Info.Program);
        Assert.Equal(["prog", "--fast"], trace.Info.Arguments);
        Assert.Equal(DateTimeOffset.FromUnixTimeSeconds(1_700_000_000), trace.Info.Started);
        Assert.Equal([(50L, "<_Z3foov>: switched off")], trace.Info.Notes);
        Assert.Empty(trace.Info.Complaints);
        var thread = Assert.Single(trace.Threads);
        Assert.Equal(new TraceThread(1, 100, 4321, "main"), thread);
        Assert.Equal(new TraceFunction(1, "main", "main", "a.c", 7, 0x401, new TraceModule(1, "/opt/prog", "abcd", 0x1000), 0x64), trace.Function(1));
        Assert.Equal("<_Z3foov>", trace.Function(2).Name); // demangled
        Assert.Equal("function #77", trace.Function(77).Name);
        Assert.Equal([1, 2], trace.Functions.Select(f => f.Id));
        Assert.Equal(("load", "span #4", "packet", "event #4"), (trace.SpanName(3), trace.SpanName(4), trace.EventType(9), trace.EventType(4)));
        Assert.Equal(
        [
            "Entry 10 1 fff0+ 29000000000000002a00000000000000", "SpanBegin 20 3 0", "Event 30 9 0 68656c6c6f", "Entry 40 2 0", "Landed 50 0 ff00", "Exit 60 2 0", "Lost 60 0 5",
            "SpanEnd 70 3 0", "Exit 80 1 0 0700000000000000", "TailExit 90 1 0",
        ], trace.Read(thread).Select(Show));
    }

    [Theory]
    [InlineData(1_000_000_000UL, 3_000_000_000UL, 3_000_000_000UL, 1_000_000_000L)] // 3 GHz
    [InlineData(1_000_000_000UL, 1_000_000UL, 25_000_000UL, 25_000_000_000L)] // 1 MHz
    [InlineData(86_400_000_000_000UL * 1000, 2_596_144_000UL * 86_400 * 1000, 2_596_144_000UL * 86_400 * 1000, 86_400_000_000_000L * 1000)] // a thousand days
    [InlineData(100UL, 300UL, 3_000_000_000UL, 1_500_000_000L)] // too close together: the estimate of 2 GHz
    [InlineData(1_000_000_000UL, 0UL, 3_000_000_000UL, 1_500_000_000L)]
    [InlineData(ulong.MaxValue, 1UL, 3_000_000_000UL, 1_500_000_000L)]
    public void Ticks_become_nanoseconds_without_overflow(ulong nanoseconds, ulong ticks, ulong at, long expected)
    {
        var writer = new TraceWriter();
        writer.Header[11] = 1;
        writer.Put64(40, 0);
        writer.Put64(56, TraceWriter.Start + ticks);
        writer.Put64(64, nanoseconds);
        writer.Put64(72, 2_000_000_000);
        writer.Thread().Enter(1, at);
        using var trace = Open(writer.ToArray());
        Assert.InRange(trace.Read(trace.Threads[0]).Single().Time, expected - expected / 1_000_000_000, expected + expected / 1_000_000_000);
    }

    [Fact]
    public void Clocks_that_wrap_stand_still_or_run_backwards_give_times_that_never_decrease()
    {
        var writer = new TraceWriter();
        writer.Thread().Enter(1, 5).Enter(2, 9_000_000_000).Enter(3, 0, clock: 1).Exit(3, 8_000_000_000).Exit(2, 9_000_000_007).Record(1 << 5 | 1, 0);
        using var trace = Open(writer.ToArray());
        Assert.Equal([5, 9_000_000_000, 9_000_000_000, 9_000_000_000, 9_000_000_007, 9_000_000_007], trace.Read(trace.Threads[0]).Select(e => e.Time));
    }

    [Fact]
    public void An_event_that_a_signal_interrupted_at_the_turn_of_the_clocks_upper_half_is_not_dated_a_turn_late()
    {
        const ulong whole = 1UL << 32, turn = (TraceWriter.Start / whole + 1) * whole - TraceWriter.Start;
        var writer = new TraceWriter();
        var log = writer.Thread().Enter(1, turn - 1000).Enter(2, turn + 10).Exit(2, turn + 30);
        log.Enter(3, turn - 5).Frame(7).Pad(16).Record(4 << 5 | 1 << 2, 0).Event(1, "x", turn + 40); // 3 had looked at the clock before the handler, 2, was called
        log.Enter(5, turn + whole - 100).Exit(5, turn + whole - 50).Enter(6, turn + whole + 7); // a thread that slept
        using var trace = Open(writer.ToArray());
        Assert.Equal([turn - 1000, turn + 10, turn + 30, turn + 30, turn + 30, turn + 40, turn + whole - 100, turn + whole - 50, turn + whole + 7], trace.Read(trace.Threads[0]).Select(e => (ulong)e.Time));
    }

    [Fact]
    public void Blocks_may_lie_in_any_order_and_threads_come_by_their_first_event()
    {
        var writer = new TraceWriter { Order = count => Enumerable.Range(0, count).Reverse() };
        var late = writer.Thread(1, 50, "late");
        var early = writer.Thread(2, 40, "early");
        for (var i = 0; i < 20_000; i++) late.Enter(i + 1, (ulong)(i + 100));
        for (var i = 0; i < 20_000; i++) early.Enter(i + 1, (ulong)i + 1);
        using var trace = Open(writer.ToArray());
        Assert.Equal(["early", "late"], trace.Threads.Select(t => t.Name));
        foreach (var thread in trace.Threads) Assert.Equal(Enumerable.Range(1, 20_000), trace.Read(thread).Select(e => e.Id));
        Assert.Empty(trace.Info.Complaints);
    }

    [Fact]
    public void A_ring_begins_anywhere_and_tells_of_every_gap()
    {
        var writer = new TraceWriter();
        writer.Put32(92, 1);
        writer.Put32(88, 9);
        var thread = writer.Thread();
        thread.Number = 17;
        thread.Enter(1, 1).NextBlock().Enter(2, 2);
        thread.Number = 30;
        thread.NextBlock().Enter(3, 3);
        using var trace = Open(writer.ToArray());
        Assert.Equal(["Entry 1 1 0", "Entry 2 2 0", "Lost 2 0 0", "Entry 3 3 0"], trace.Read(trace.Threads[0]).Select(Show));
        Assert.Contains("ring", Assert.Single(trace.Info.Complaints));
    }

    [Fact]
    public void A_stream_that_lacks_its_first_block_says_so_too()
    {
        var writer = new TraceWriter();
        writer.Thread().Enter(1, 1).NextBlock().Exit(1, 2);
        var bytes = writer.ToArray();
        bytes[2 * TraceWriter.Block] = 0; // the magic number of the thread's first
        using var trace = Open(bytes);
        Assert.Equal(["Lost 1 0 0", "Exit 2 1 0"], trace.Read(trace.Threads[0]).Select(Show));
        Assert.Contains("1 of 4 blocks are damaged", Assert.Single(trace.Info.Complaints));
    }

    [Fact]
    public void A_file_that_is_being_written_is_read_up_to_where_the_program_is()
    {
        var writer = new TraceWriter();
        writer.Put32(88, 0);
        writer.Thread(1).Enter(1, 1).NextBlock().Enter(2, 2).LeaveOpen = true;
        writer.Thread(2).NextBlock().LeaveOpen = true; // a thread that has logged nothing yet
        byte[] bytes = [.. writer.ToArray(), .. new byte[5 * TraceWriter.Block]]; // room ahead
        using var trace = Open(bytes);
        Assert.Equal(["Entry 1 1 0", "Entry 2 2 0"], trace.Read(Assert.Single(trace.Threads)).Select(Show));
        Assert.Contains("still runs", Assert.Single(trace.Info.Complaints));
    }

    [Fact]
    public void A_place_in_a_ring_that_was_used_again_meanwhile_counts_as_gone()
    {
        var writer = new TraceWriter();
        writer.Put32(92, 1);
        writer.Thread().Enter(1, 1).NextBlock().Enter(2, 2);
        using var trace = Open(writer.ToArray());
        using (var file = File.OpenHandle(TracePath, FileMode.Open, FileAccess.Write, FileShare.ReadWrite)) RandomAccess.Write(file, [3], 2 * TraceWriter.Block + 16);
        Assert.Equal(["Entry 2 2 0"], trace.Read(trace.Threads[0]).Select(Show));
    }

    [Fact]
    public void What_state_a_trace_is_in_is_complained_of()
    {
        var writer = new TraceWriter();
        writer.Put32(88, 7);
        writer.Put64(80, 12);
        using var trace = Open([.. writer.ToArray(), 1, 2, 3]);
        Assert.Collection(trace.Info.Complaints, c => Assert.Contains("cut short", c), c => Assert.Contains("disk was full", c), c => Assert.Contains("size limit", c), c => Assert.Contains("12 events were lost", c));
    }

    [Fact]
    public void An_entry_of_metadata_that_comes_twice_replaces_the_first()
    {
        var writer = new TraceWriter().Function(1, "old").Function(1, "new");
        for (var i = 2; i < 3000; i++) writer.Function(i, $"function_with_a_name_of_some_length_{i}"); // several blocks
        writer.Function(2, "late");
        using var trace = Open(writer.ToArray());
        Assert.Equal(("new", "late", "function_with_a_name_of_some_length_2999"), (trace.Function(1).Name, trace.Function(2).Name, trace.Function(2999).Name));
        Assert.Equal(2999, trace.Functions.Count);
    }

    [Fact]
    public void Names_cannot_drive_a_terminal()
    {
        using var trace = Open(new TraceWriter().Function(1, "a\u001b[2Jb\u009bc").ToArray());
        Assert.Equal("a?[2Jb?c", trace.Function(1).Name);
    }

    [Theory]
    [InlineData("", "is empty")]
    [InlineData("\u007fELF and so on", "is not a trace")]
    [InlineData("WEFTTRC", "is not a trace")]
    [InlineData("WEFTTRC\0", "ends within")]
    public void What_is_no_trace_is_told_with_its_name(string content, string mention)
    {
        var told = Assert.Throws<WeftException>(() => Open(Encoding.UTF8.GetBytes(content)));
        Assert.Contains(mention, told.Message);
        Assert.Contains("test.weft-trace", told.Message);
        Assert.NotNull(told.Help);
    }

    [Fact]
    public void A_newer_version_is_refused_and_another_architecture_is_not()
    {
        var writer = new TraceWriter();
        writer.Header[10] = 2;
        Open(writer.ToArray()).Dispose();
        writer.Put16(8, 2);
        var told = Assert.Throws<WeftException>(() => Open(writer.ToArray()));
        Assert.Contains("version 2", told.Message);
        Assert.Contains("newer", told.Help);
    }

    [Fact]
    public void What_cannot_be_opened_is_told()
    {
        Assert.Contains("folder", Assert.Throws<WeftException>(() => TraceSources.Open(folder.FullName)).Message);
        Assert.Contains("--with tracing", Assert.Throws<WeftException>(() => TraceSources.Open(Path.Combine(folder.FullName, "none"))).Help);
        Assert.Throws<WeftException>(() => TraceSources.Open("a\0b"));
    }

    [Fact]
    public void Cut_at_every_byte_what_is_left_is_read()
    {
        var whole = Rich().ToArray();
        // Where blocks are empty, one cut is as any other.
        var lengths = Enumerable.Range(0, whole.Length).Where(n => n is < 512 or > 8150 and < 8300 || n % TraceWriter.Block < 700 || n % 997 == 0).Reverse();
        var all = ReadAll(whole);
        var most = all;
        foreach (var length in lengths)
        {
            using (var file = File.OpenWrite(TracePath)) file.SetLength(length);
            var read = ReadAll();
            Assert.True(read <= most, $"{length} bytes have {read} events, more had {most}");
            most = read;
        }
        Assert.Equal((17, 0), (all, most));
    }

    [Fact]
    public void No_bit_that_flips_does_worse_than_a_sentence()
    {
        var whole = Rich().ToArray();
        ReadAll(whole);
        var places = Enumerable.Range(0, whole.Length).Where(n => n is < 128 or > 250 and < 270 || n >= TraceWriter.Block && n % TraceWriter.Block < 400);
        foreach (var place in places)
        {
            using var file = File.OpenHandle(TracePath, FileMode.Open, FileAccess.Write, FileShare.ReadWrite);
            for (var bit = 0; bit < 8; bit++)
            {
                RandomAccess.Write(file, [(byte)(whole[place] ^ 1 << bit)], place);
                ReadAll();
            }
            RandomAccess.Write(file, [whole[place]], place);
        }
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(4)]
    public void Random_bytes_do_no_worse_than_a_sentence(int seed)
    {
        var random = new Random(seed);
        for (var round = 0; round < 50; round++)
        {
            var bytes = Rich().ToArray();
            for (var block = TraceWriter.Block; round % 2 == 0 && block < bytes.Length; block += TraceWriter.Block) random.NextBytes(bytes.AsSpan(block + 64, TraceWriter.Block - 64)); // sound heads, nonsense in them
            for (var i = 0; i < 200; i++) bytes[random.Next(8, bytes.Length)] = (byte)random.Next(256);
            ReadAll(bytes);
        }
    }

    [Fact]
    public void Logs_that_no_program_writes_take_neither_memory_nor_time()
    {
        const int count = 1_500_000;
        var writer = new TraceWriter();
        LogWriter deep = writer.Thread(1), landing = writer.Thread(2), exits = writer.Thread(3), ids = writer.Thread(4), losses = writer.Thread(5);
        for (var i = 0; i < count; i++) deep.Enter(1, 1);
        for (var i = 0; i < count / 3; i++) landing.Enter(2, 1).Frame(1000).Landed(500, 1); // never one that is over
        for (var i = 0; i < count; i++) exits.Exit(i & 0xFFFF | 1, 1);
        for (var i = 0; i < count; i++) ids.Enter((i * 7919 & 0x3FFFFFF) + 1, 1);
        for (var i = 0; i < count; i++) losses.Lost(uint.MaxValue);
        var before = GC.GetTotalMemory(forceFullCollection: true);
        var started = System.Diagnostics.Stopwatch.StartNew();
        using var trace = Open(writer.ToArray());
        foreach (var thread in trace.Threads) AssertBalanced(CallStacks.Of(trace, thread));
        Assert.InRange(GC.GetTotalMemory(forceFullCollection: true) - before, long.MinValue, 400L << 20);
        Assert.InRange(started.Elapsed, TimeSpan.Zero, TimeSpan.FromSeconds(60));
    }

    /// <summary>A little of everything.</summary>
    private static TraceWriter Rich()
    {
        var writer = new TraceWriter().Functions("main", "foo", "bar").Span(1, "span").EventType(1, "event").Note(3, 1, "note");
        writer.Thread(1, 10, "main").Enter(1, 1).Frame(1000).Enter(2, 2).Frame(900).Values(1, 2).Begin(1, 3).Event(1, "data and more", 4).Exit(2, 5).Values(3).Enter(3, 6).Frame(800).Landed(950, 6).Tail(1, 7).Enter(3, 8).Lost(3).End(1, 9_000_000_000)
            .NextBlock().Enter(1, 9_000_000_001).Exit(1, 9_000_000_002).Pad(64).Enter(2, 9_000_000_003);
        writer.Thread(2, 11, "worker").Enter(2, 4).Exit(3, 5).Exit(2, 6).LeaveOpen = true;
        return writer;
    }

    /// <summary>How many events there are; 0 if the file is refused.</summary>
    private int ReadAll(ReadOnlySpan<byte> bytes)
    {
        File.WriteAllBytes(TracePath, bytes);
        return ReadAll();
    }

    private int ReadAll()
    {
        try
        {
            using var trace = TraceSources.Open(TracePath);
            var count = 0;
            foreach (var thread in trace.Threads)
            {
                count += trace.Read(thread).Count();
                AssertBalanced(CallStacks.Of(trace, thread));
            }
            foreach (var function in trace.Functions) Assert.NotNull(FunctionNames.Plain(function.Name));
            Assert.NotNull(trace.Info.Complaints);
            return count;
        }
        catch (WeftException e)
        {
            Assert.NotNull(e.Help);
            return 0;
        }
    }

    /// <summary>Ends match begins, depths fit, and no time is before another.</summary>
    internal static void AssertBalanced(IEnumerable<CallEvent> events)
    {
        var open = new Stack<CallEvent>();
        var last = 0L;
        foreach (var e in events)
        {
            Assert.True(e.Time >= last, "a time is before another");
            last = e.Time;
            switch (e.Kind)
            {
                case CallKind.Begin:
                    if (e.Depth != open.Count) Assert.Fail($"{e} begins where {open.Count} are open");
                    open.Push(e);
                    break;
                case CallKind.End:
                    var begin = open.Pop();
                    if (begin.Id != e.Id || begin.Time != e.Start || begin.Depth != e.Depth) Assert.Fail($"{e} ends {begin}");
                    break;
                default:
                    if (e.Depth != open.Count) Assert.Fail($"{e} where {open.Count} are open");
                    break;
            }
        }
        Assert.Empty(open);
    }

    private static string Show(RawEvent e) => $"{e.Kind} {e.Time} {e.Id} {e.Value:x}{(e.HasFrame ? "+" : "")} {Convert.ToHexStringLower(e.Data.Span)}".Trim();

    private ITraceSource Open(ReadOnlySpan<byte> bytes)
    {
        File.WriteAllBytes(TracePath, bytes);
        return TraceSources.Open(TracePath, symbol => $"<{symbol}>");
    }
}
