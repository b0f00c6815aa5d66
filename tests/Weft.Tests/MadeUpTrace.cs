using Weft.Tracing;

namespace Weft.Tests;

/// <summary>A trace that says what a test wants: functions by their names, and what each thread did, in microseconds.</summary>
internal sealed class MadeUpTrace(params string[] functions) : ITraceSource
{
    private static readonly TraceModule[] Modules = [new(1, "/usr/bin/program", "", 0), new(2, "/lib/lib \"two\".so", "", 0)];

    private readonly Dictionary<int, List<CallEvent>> events = [];
    private readonly List<TraceThread> threads = [];
    private readonly Stack<(int Function, long Start)> open = [];
    private long now;

    public TraceInfo Info { get; } = new("/usr/bin/program", ["program", "-x"], null, [], []);

    public IReadOnlyList<TraceThread> Threads => threads;

    public IReadOnlyCollection<TraceFunction> Functions => [.. functions.Select((_, i) => Function(i + 1))];

    public TraceFunction Function(int id) => id >= 1 && id <= functions.Length
        ? new TraceFunction(id, functions[id - 1], functions[id - 1], id % 2 == 0 ? "/src/a.c" : "", id % 2 == 0 ? id * 10 : 0, 0, id % 3 == 0 ? Modules[1] : Modules[0], 0)
        : new TraceFunction(id, $"#{id}", "", "", 0, 0, null, 0);

    public string SpanName(int id) => $"span {id}";

    public string EventType(int id) => $"type {id}";

    public IEnumerable<RawEvent> Read(TraceThread thread) => throw new NotSupportedException();

    public void Dispose() { }

    public IEnumerable<CallEvent> Calls(TraceThread thread) => events[thread.Index];

    public MadeUpTrace Thread(long id, string name)
    {
        threads.Add(new TraceThread(threads.Count + 1, id, 77, name));
        events[threads.Count] = [];
        now = 0;
        return this;
    }

    public MadeUpTrace Begin(int function, Certainty certainty = Certainty.Seen)
    {
        open.Push((function, ++now * 1000));
        return Add(new CallEvent(CallKind.Begin, certainty, open.Count - 1, now * 1000, function));
    }

    public MadeUpTrace End(Certainty certainty = Certainty.Seen)
    {
        var (function, start) = open.Pop();
        return Add(new CallEvent(CallKind.End, certainty, open.Count, ++now * 1000, function, start));
    }

    public MadeUpTrace Other(CallKind kind, int id, byte[]? data = null) => Add(new CallEvent(kind, Certainty.Seen, open.Count, ++now * 1000, id, 0, data));

    private MadeUpTrace Add(CallEvent e)
    {
        events[threads.Count].Add(e);
        return this;
    }
}
