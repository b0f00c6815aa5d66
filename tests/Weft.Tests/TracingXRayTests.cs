using Weft.Core;
using Weft.Tracing;

namespace Weft.Tests;

public sealed class TracingXRayTests : IDisposable
{
    private readonly Harness harness = new();

    public void Dispose() => harness.Dispose();

    [TheoryNeeds("clang++-22", "llvm-xray-22", XRayPrograms.Runtime)]
    [InlineData(false, 3)]
    [InlineData(false, 18)]
    [InlineData(true, 3)]
    [InlineData(true, 18)]
    public void Every_record_is_the_one_that_LLVM_reads(bool flightData, int size)
    {
        XRayPrograms.Build(harness);
        var file = flightData ? XRayPrograms.FlightData(harness, size) : XRayPrograms.Basic(harness, size);
        var expected = XRayPrograms.Records(harness, file);
        using var log = TraceSources.Open(file);
        var start = expected.Min(r => r.Clock);
        Assert.Equal(expected.Select(r => r.Thread).Distinct(), log.Threads.Select(t => t.Id)); // both by the first record
        foreach (var thread in log.Threads)
        {
            Assert.Equal(expected.Where(r => r.Thread == thread.Id).Select(r => XRayPrograms.Describe(r, start)), log.Read(thread).Select(XRayPrograms.Describe));
            Assert.Equal(expected[0].Process, thread.Process);
        }
        Assert.Empty(log.Info.Complaints);
    }

    [TheoryNeeds("clang++-22", "llvm-xray-22", XRayPrograms.Runtime)]
    [InlineData("-fxray-function-index", "-no-pie")]
    [InlineData("-fno-xray-function-index", "-pie")]
    public void Functions_are_called_as_LLVM_calls_them(params string[] options)
    {
        var program = XRayPrograms.Build(harness);
        harness.Must("clang++-22", ["-O1", "-pthread", "-fxray-instrument", "-fxray-instruction-threshold=1", "program.cc", "-o", "program", .. options]);
        var file = XRayPrograms.Basic(harness, 5);
        var expected = XRayPrograms.Records(harness, file, "-y", "-m", program, "--no-demangle").Where(r => r.Function != $"{r.Id}").Select(r => (r.Id, r.Function)).Distinct().Order();
        using var log = TraceSources.Open(file, program: program);
        Assert.True(expected.Count() >= 6);
        Assert.Equal(expected, expected.Select(e => (e.Id, log.Function(e.Id).Name)));
        Assert.Equal("_ZN3app8argumentEl", Assert.Single(log.Functions, f => f.Symbol.Contains("argument")).Name);
        Assert.Equal("#4711", log.Function(4711).Name);
    }

    /// <summary>Compared with what LLVM counts although calls of this program end in each other's tail calls.</summary>
    [TheoryNeeds("clang-22", "llvm-xray-22", XRayPrograms.Runtime)]
    [InlineData("-O0")]
    [InlineData("-O2")]
    public void Calls_of_a_C_program_are_as_many_as_LLVM_counts(string level)
    {
        harness.Write("program.c", """
            #include <stdlib.h>
            #define NOINLINE __attribute__((noinline))
            NOINLINE int leaf(int x) { __asm__ volatile(""); return x + 1; }
            NOINLINE int even(int n);
            NOINLINE int odd(int n) { __asm__ volatile(""); return n == 0 ? leaf(n) : even(n - 1); }
            NOINLINE int even(int n) { __asm__ volatile(""); return n == 0 ? leaf(n) : odd(n - 1); }
            int main(int count, char **arguments) { int sum = 0; for (int i = 0; i < 100 * count; i++) sum += even(i % 7) + leaf(i); return sum == 0; }
            """);
        harness.Must("clang-22", level, "-fxray-instrument", "-fxray-instruction-threshold=1", "program.c", "-o", "program");
        var file = XRayPrograms.Basic(harness, 1);
        using var log = TraceSources.Open(file, program: harness.Path("program"));
        var counts = CallStacks.Of(log, Assert.Single(log.Threads)).Where(c => c.Kind == CallKind.Begin).GroupBy(c => log.Function(c.Id).Name).ToDictionary(g => g.Key, g => g.LongCount());
        Assert.Equal(XRayPrograms.Account(harness, file, "program", "-k", "-d"), counts);
    }

    [Needs("clang++-22", XRayPrograms.Runtime)]
    public void Threads_can_be_read_twice_and_interleaved()
    {
        XRayPrograms.Build(harness);
        using var log = TraceSources.Open(XRayPrograms.Basic(harness, 14));
        var separately = log.Threads.SelectMany(t => log.Read(t).Take(1000)).Select(e => (e.Kind, e.Time, e.Id)).Order();
        var readers = log.Threads.Select(t => log.Read(t).GetEnumerator()).ToList();
        var together = Enumerable.Range(0, 1000).SelectMany(_ => readers.Where(r => r.MoveNext()).Select(r => r.Current)).Select(e => (e.Kind, e.Time, e.Id)).Order();
        Assert.Equal(separately, together);
    }

    /// <summary>LLVM's tool does not read this log: its runtime forgets the data when it counts how much of a buffer is used, and cuts the last record.</summary>
    [Needs("clang++-22", XRayPrograms.Runtime)]
    public void Typed_events_are_read_as_far_as_they_were_written()
    {
        harness.Write("typed.cc", """
            #include "xray/xray_interface.h"
            #include "xray/xray_log_interface.h"
            __attribute__((noinline)) void event() { __xray_customevent("custom", 6); __xray_typedevent(7, "typed", 5); }
            int main() {
                __xray_log_select_mode("xray-fdr"); __xray_log_init_mode("xray-fdr", "func_duration_threshold_us=0");
                __xray_patch(); event(); event(); __xray_unpatch(); __xray_log_finalize(); __xray_log_flushLog();
            }
            """);
        harness.Must("clang++-22", "-fxray-instrument", "-fxray-instruction-threshold=1", "typed.cc", "-o", "typed");
        harness.Environment["XRAY_OPTIONS"] = $"xray_logfile_base={harness.Path("log-")}";
        harness.Must(harness.Path("typed"));
        using var log = TraceSources.Open(Directory.GetFiles(harness.Folder, "log-*").Single());
        var events = log.Read(Assert.Single(log.Threads)).Where(e => e.Kind == RawKind.Event).Select(e => $"{log.EventType(e.Id)}: {System.Text.Encoding.UTF8.GetString(e.Data.Span)}");
        Assert.Equal(["custom event: custom", "typed event 7: typed"], events);
        Assert.NotEmpty(log.Info.Complaints);
    }

    [Fact]
    public void Old_flight_data_has_buffers_of_one_size()
    {
        var buffer = new byte[128];
        byte[] start = [0x01, 9, 0, 0, 0, .. new byte[11], 0x09, .. new byte[15], 0x05, 0, 0, 100, .. new byte[12]];
        byte[] records = [0x10, 0, 0, 0, 5, 0, 0, 0, 0x12, 0, 0, 0, 7, 0, 0, 0, 0x03, .. new byte[15]];
        start.CopyTo(buffer, 0);
        records.CopyTo(buffer, start.Length);
        buffer.AsSpan(start.Length + records.Length).Fill(0xFF); // what was in memory
        byte[] header = [1, 0, 1, 0, 3, 0, 0, 0, .. BitConverter.GetBytes(1_000_000_000L), 128, .. new byte[15]];
        using var log = TraceSources.Open(Write([.. header, .. buffer, .. buffer]));
        Assert.Equal(["5 function-enter 1", "12 function-exit 1", "12 function-enter 1", "12 function-exit 1"], log.Read(Assert.Single(log.Threads)).Select(XRayPrograms.Describe));
        Assert.Empty(log.Info.Complaints);
    }

    [Theory]
    [InlineData(new byte[0])]
    [InlineData(new byte[] { 4, 0, 0, 0 })]
    [InlineData(new byte[] { 6, 0, 1, 0 })]
    [InlineData(new byte[] { 3, 0, 0, 0, 1 })]
    public void What_is_no_log_is_refused_by_name(byte[] content) =>
        Assert.Contains($"'{harness.Path("log")}'", Assert.Throws<WeftException>(() => TraceSources.Open(Write(content)).Dispose()).Message);

    [Needs("clang++-22", XRayPrograms.Runtime)]
    public void A_program_without_a_map_is_refused_by_name()
    {
        XRayPrograms.Build(harness);
        var file = XRayPrograms.Basic(harness, 2);
        foreach (var program in (string[])["/bin/true", file, harness.Path("nowhere")])
            Assert.Contains($"'{program}'", Assert.Throws<WeftException>(() => TraceSources.Open(file, program: program).Dispose()).Message);
    }

    [Needs("clang++-22", XRayPrograms.Runtime)]
    public void Cut_anywhere_what_is_left_is_a_beginning_of_what_was()
    {
        XRayPrograms.Build(harness);
        foreach (var file in (string[])[XRayPrograms.Basic(harness, 1), XRayPrograms.FlightData(harness, 1)])
        {
            var whole = File.ReadAllBytes(file);
            var all = Everything(Write(whole)).ToDictionary(t => t.Thread, t => t.Events);
            using var shrinking = File.OpenHandle(Write(whole), FileMode.Open, FileAccess.Write, FileShare.ReadWrite);
            for (var length = whole.Length - 1; length >= XRayLogHeader; length--)
            {
                RandomAccess.SetLength(shrinking, length);
                foreach (var (thread, events) in Everything(harness.Path("log")))
                    Assert.Equal(all[thread].Take(events.Count).Select(e => (e.Kind, e.Id)), events.Select(e => (e.Kind, e.Id)));
            }
        }
    }

    [Needs("clang++-22", XRayPrograms.Runtime)]
    public void Damage_anywhere_is_survived_in_little_memory()
    {
        XRayPrograms.Build(harness);
        var random = new Random(22);
        foreach (var file in (string[])[XRayPrograms.Basic(harness, 3), XRayPrograms.FlightData(harness, 3), harness.Path("noise")])
        {
            var whole = File.Exists(file) ? File.ReadAllBytes(file) : [5, 0, 1, 0, .. new byte[28], .. Enumerable.Range(0, 40_000).Select(_ => (byte)(random.Next(4) == 0 ? 0x0F : random.Next(256)))];
            for (var i = 0; i < 400; i++)
            {
                var damaged = (byte[])whole.Clone();
                for (var flips = 0; flips < 8; flips++) damaged[random.Next(4, damaged.Length)] ^= (byte)(1 << random.Next(8));
                var before = GC.GetAllocatedBytesForCurrentThread();
                foreach (var (_, events) in Everything(Write(damaged)))
                    Assert.True(events.Zip(events.Skip(1)).All(p => p.First.Time <= p.Second.Time));
                Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 200 << 20);
            }
        }
    }

    private const int XRayLogHeader = 32;

    private List<(long Thread, List<RawEvent> Events)> Everything(string path)
    {
        using var log = TraceSources.Open(path);
        return [.. log.Threads.Select(t => (t.Id, log.Read(t).ToList()))];
    }

    private string Write(byte[] content)
    {
        var path = harness.Path("log");
        File.WriteAllBytes(path, content);
        return path;
    }
}
