using System.Collections.Concurrent;
using System.Runtime.ExceptionServices;

namespace Weft.Tracing;

/// <summary>What all calls of a function come to. Times are in nanoseconds.</summary>
public sealed class FunctionStatistics(int id)
{
    private readonly DurationHistogram durations = new();
    private double sum;

    public int Id => id;

    public long Calls { get; private set; }

    /// <summary>With what it called; recursive calls count once.</summary>
    public long Total { get; private set; }

    /// <summary>Without what it called.</summary>
    public long Self { get; private set; }

    /// <summary>Calls that the log has from begin to end: what follows is of these only.</summary>
    public long Whole => durations.Count;

    public long Min { get; private set; } = long.MaxValue;

    public long Max { get; private set; }

    public long Average => Whole == 0 ? 0 : (long)(sum / Whole);

    /// <summary>Calls under way.</summary>
    internal int Active { get; set; }

    /// <summary>At most 1 % wrong.</summary>
    public long Percentile(double part) => Math.Clamp(durations.Percentile(part), Math.Min(Min, Max), Max);

    internal void Add(long duration, long self, bool isWhole)
    {
        Calls++;
        Self += self;
        if (--Active == 0) Total += duration;
        if (!isWhole) return;
        Min = Math.Min(Min, duration);
        Max = Math.Max(Max, duration);
        sum += duration;
        durations.Add(duration);
    }

    /// <summary>Those of other threads.</summary>
    internal void Add(FunctionStatistics other)
    {
        Calls += other.Calls;
        Self += other.Self;
        Total += other.Total;
        Min = Math.Min(Min, other.Min);
        Max = Math.Max(Max, other.Max);
        sum += other.sum;
        durations.Add(other.durations);
    }
}

/// <param name="Thread">Which.</param>
/// <param name="First">When its first event was.</param>
/// <param name="Last">And its last.</param>
/// <param name="Calls">That began.</param>
/// <param name="Busy">Time within calls.</param>
/// <param name="Events">Users' events.</param>
/// <param name="Gaps">Places where events are missing.</param>
public sealed record ThreadStatistics(TraceThread Thread, long First, long Last, long Calls, long Busy, long Events, long Gaps);

/// <summary>What a trace comes to, by function and by thread.</summary>
public sealed class CallStatistics
{
    private readonly IdTable<int> places = new(); // in functions, from 1
    private readonly List<FunctionStatistics> functions = [];
    private readonly List<ThreadStatistics> threads = [];
    private Call[] open = new Call[64];

    private CallStatistics() { }

    /// <summary>Those that were called, by id.</summary>
    public IReadOnlyList<FunctionStatistics> Functions => functions;

    /// <summary>In the order of the trace.</summary>
    public IReadOnlyList<ThreadStatistics> Threads => threads;

    public static CallStatistics Of(CallFilter filter)
    {
        var all = new CallStatistics();
        if (filter.Threads.Count == 1) all.Add(filter.Threads[0], filter.Calls(filter.Threads[0]));
        else all.AddAll(filter);
        all.functions.Sort((a, b) => a.Id.CompareTo(b.Id));
        return all;
    }

    // On all processors: threads have nothing to do with each other.
    private void AddAll(CallFilter filter)
    {
        var order = filter.Threads.Index().ToDictionary(t => t.Item, t => t.Index);
        try
        {
            Parallel.ForEach(
                Partitioner.Create(filter.Threads, EnumerablePartitionerOptions.NoBuffering),
                () => (Filter: filter.Another(), Part: new CallStatistics()),
                (thread, _, own) =>
                {
                    own.Part.Add(thread, own.Filter.Calls(thread));
                    return own;
                },
                own => { lock (order) Add(own.Part); });
        }
        catch (AggregateException e)
        {
            ExceptionDispatchInfo.Throw(e.InnerExceptions[0]);
        }
        threads.Sort((a, b) => order[a.Thread].CompareTo(order[b.Thread]));
    }

    private void Add(CallStatistics part)
    {
        threads.AddRange(part.threads);
        foreach (var function in part.functions) functions[Place(function.Id)].Add(function);
    }

    private int Place(int id)
    {
        ref var place = ref places[id];
        if (place == 0)
        {
            functions.Add(new FunctionStatistics(id));
            place = functions.Count;
        }
        return place - 1;
    }

    private void Add(TraceThread thread, IEnumerable<CallEvent> calls)
    {
        long first = -1, last = 0, begun = 0, busy = 0, events = 0, gaps = 0;
        foreach (var call in calls)
        {
            if (first < 0) first = call.Time;
            last = call.Time;
            switch (call.Kind)
            {
                case CallKind.Begin:
                    begun++;
                    Begin(call);
                    break;
                case CallKind.End:
                    if (call.Depth == 0) busy += call.Time - call.Start;
                    End(call);
                    break;
                case CallKind.Event:
                    events++;
                    break;
                case CallKind.Lost:
                    gaps++;
                    break;
                default:
                    break;
            }
        }
        if (first >= 0) threads.Add(new ThreadStatistics(thread, first, last, begun, busy, events, gaps));
    }

    private void Begin(in CallEvent call)
    {
        if (call.Depth == open.Length) Array.Resize(ref open, open.Length * 2);
        var place = Place(call.Id);
        functions[place].Active++;
        open[call.Depth] = new Call { Function = place, IsWhole = call.Certainty == Certainty.Seen };
    }

    private void End(in CallEvent call)
    {
        ref var ended = ref open[call.Depth];
        var duration = call.Time - call.Start;
        if (call.Depth > 0) open[call.Depth - 1].Callees += duration;
        functions[ended.Function].Add(duration, duration - ended.Callees, ended.IsWhole && call.Certainty != Certainty.Open);
    }

    private struct Call
    {
        public int Function; // its place
        public long Callees;
        public bool IsWhole;
    }
}
