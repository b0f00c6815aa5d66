using System.Text;
using Weft.Tracing;

namespace Weft.Tests;

/// <summary>A trace that a test has made up, of calls that are balanced.</summary>
internal sealed class MadeTrace : ITraceSource
{
    private readonly List<TraceThread> threads = [];
    private readonly List<List<CallEvent>> calls = [];

    public Func<int, string> Name { get; init; } = id => $"function_{id}";

    public TraceInfo Info { get; init; } = new("/opt/prog", ["prog", "--fast"], DateTimeOffset.FromUnixTimeSeconds(1_700_000_000), [], []);

    public IReadOnlyList<TraceThread> Threads => threads;

    public IReadOnlyCollection<TraceFunction> Functions => [];

    /// <summary>Threads of random calls, spans and events; the same for the same seed.</summary>
    public static MadeTrace Random(int seed, int threads, int callsPerThread, int depth = 12, int functions = 40)
    {
        var trace = new MadeTrace();
        for (var i = 0; i < threads; i++) trace.Add($"worker {i}", RandomCalls(new Random(seed * 1000 + i), callsPerThread, depth, functions));
        return trace;
    }

    public void Add(string thread, IEnumerable<CallEvent> steps)
    {
        threads.Add(new TraceThread(threads.Count + 1, 100 + threads.Count, 99, thread));
        calls.Add([.. steps]);
    }

    public IEnumerable<CallEvent> Calls(TraceThread thread) => calls[thread.Index - 1];

    public TraceFunction Function(int id) => new(id, Name(id), $"_Z{id}", id % 2 == 0 ? $"file{id}.c" : "", id, 0, new TraceModule(1, "/opt/prog", "", 0), 0);

    public string SpanName(int id) => "span " + Name(id);

    public string EventType(int id) => "event " + Name(id);

    public IEnumerable<RawEvent> Read(TraceThread thread) => [];

    public void Dispose() { }

    private static IEnumerable<CallEvent> RandomCalls(Random random, int count, int depth, int functions)
    {
        var open = new Stack<(int Id, long Start)>();
        var time = (long)random.Next(1000);
        for (var made = 0; made < count || open.Count > 0; time += Pause(random))
        {
            if (made < count && open.Count < depth && (open.Count == 0 || random.Next(2) == 0))
            {
                open.Push((random.Next(functions), time));
                yield return new(CallKind.Begin, Certainty.Seen, open.Count - 1, time, open.Peek().Id);
                made++;
            }
            else
            {
                var (id, start) = open.Pop();
                yield return new(CallKind.End, random.Next(10) == 0 ? Certainty.Unwound : Certainty.Seen, open.Count, time, id, start);
            }
            if (random.Next(50) == 0) yield return new(CallKind.SpanBegin, Certainty.Seen, open.Count, time, random.Next(3));
            if (random.Next(50) == 0) yield return new(CallKind.SpanEnd, Certainty.Seen, open.Count, time, random.Next(3));
            if (random.Next(50) == 0) yield return new(CallKind.Event, Certainty.Seen, open.Count, time, random.Next(3), Data: Encoding.ASCII.GetBytes($"{made} made"));
        }
    }

    // Mostly short, sometimes none, rarely a thousand times as long.
    private static int Pause(Random random) => random.Next(100) == 0 ? random.Next(20_000) : random.Next(4) == 0 ? 0 : random.Next(60);
}
