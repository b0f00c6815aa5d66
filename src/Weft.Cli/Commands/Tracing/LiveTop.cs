using System.Globalization;
using Weft.Core;
using Weft.Tracing;

namespace Weft.Cli.Commands.Tracing;

/// <summary>The busiest functions of the last second, from the trace file as the program writes it: the program notices nothing.</summary>
internal static class LiveTop
{
    private const int Rows = 20;

    private struct Usage
    {
        public long Calls, Total, Self;
        public int Active;
    }

    public static void Run(LiveProcess process, string trace, int seconds)
    {
        var interactive = !Console.IsOutputRedirected && !Console.IsInputRedirected;
        for (var i = 0; i < seconds; i++)
        {
            Thread.Sleep(1000);
            if (interactive) Console.Write("\u001b[H\u001b[2J");
            Show(process, trace);
            if (interactive && Console.KeyAvailable)
            {
                Console.ReadKey(intercept: true);
                return;
            }
            if (!Directory.Exists($"/proc/{process.Id}")) throw new WeftException($"process {process.Id} has ended", $"its trace is {trace}");
        }
    }

    private static void Show(LiveProcess process, string trace)
    {
        using var source = (TraceFile)TraceSources.Open(trace);
        var now = source.Now;
        var from = Math.Max(0, now - 1_000_000_000);
        source.Since = from;
        var usage = new Dictionary<int, Usage>();
        var oldest = from; // what all threads still have
        long events = 0;
        foreach (var thread in source.Threads)
        {
            var (count, first) = Count(CallStacks.Of(source, thread), from, usage);
            events += count;
            if (count > 0) oldest = Math.Max(oldest, first);
        }
        var window = now - oldest < 900_000_000 ? string.Create(CultureInfo.InvariantCulture, $"last second, of which the trace has {(now - oldest) / 1e6:0} ms") : "last second";
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"process {process.Id}, {window}: {events:N0} events, {source.Threads.Count} threads, {usage.Count} functions"));
        Console.WriteLine($"{"calls",12} {"total ms",10} {"self ms",10} {"avg us",10}  function");
        foreach (var (id, row) in usage.OrderByDescending(u => u.Value.Self).Take(Rows))
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{row.Calls,12:N0} {row.Total / 1e6,10:0.000} {row.Self / 1e6,10:0.000} {row.Total / 1e3 / Math.Max(1, row.Calls),10:0.000}  {source.Function(id).Name}"));
    }

    private static (long Events, long First) Count(IEnumerable<CallEvent> calls, long from, Dictionary<int, Usage> usage)
    {
        long events = 0, start = long.MaxValue;
        var inner = new List<long>(); // time spent in the calls of each open call
        foreach (var call in calls)
        {
            if (call.Kind is not (CallKind.Begin or CallKind.End)) continue;
            start = Math.Min(start, call.Time);
            if (call.Time >= from) events++;
            ref var row = ref System.Runtime.InteropServices.CollectionsMarshal.GetValueRefOrAddDefault(usage, call.Id, out _);
            if (call.Kind == CallKind.Begin)
            {
                row.Active++;
                inner.Add(0);
                continue;
            }
            var taken = Math.Max(0, call.Time - Math.Max(from, call.Start));
            row.Calls += call.Time >= from ? 1 : 0;
            if (--row.Active == 0) row.Total += taken;
            row.Self += Math.Max(0, taken - inner[^1]);
            inner.RemoveAt(inner.Count - 1);
            if (inner.Count > 0) inner[^1] += taken;
        }
        return (events, start);
    }
}
