using System.Runtime.InteropServices;
using Weft.Core;

namespace Weft.Tracing.Page;

/// <summary>The calls of one stack in one thread.</summary>
internal record struct StackSum(long Calls, long Total, long Longest);

/// <summary>A thread as a whole.</summary>
internal sealed record ThreadSurvey(TraceThread Thread, long First, long Last, long Calls, IReadOnlyList<(int Node, StackSum Sum)> Sums);

/// <summary>What must be known of the whole trace before its timeline can be written: stacks, sums, and which calls are too short to be shown.</summary>
internal sealed class Survey
{
    private readonly Durations calls = new();
    private readonly Durations spans = new();
    private readonly List<ThreadSurvey> threads = [];
    private readonly PageOptions options;

    private Survey(PageOptions options) => (this.options, Stacks) = (options, new StackNodes(options.MaxStacks));

    public StackNodes Stacks { get; }

    public IReadOnlyList<ThreadSurvey> Threads => threads;

    public SortedSet<int> SpanNames { get; } = [];

    public SortedSet<int> EventTypes { get; } = [];

    /// <summary>All calls, also those without a stack of their own.</summary>
    public long Calls => calls.Count + Stackless;

    public long Spans => spans.Count;

    public long Events { get; private set; }

    /// <summary>Calls that found <see cref="PageOptions.MaxStacks"/> used up.</summary>
    public long Stackless { get; private set; }

    public long ShortestCall => calls.Shortest(options.MaxEvents);

    public long ShortestSpan => spans.Shortest(MostOthers);

    /// <summary>Of so many events, the page has one.</summary>
    public long EventsPerMark => Math.Max((Events + MostOthers - 1) / MostOthers, 1);

    private long MostOthers => Math.Max(options.MaxEvents / 4, 1);

    public static Survey Of(ITraceSource source, Func<TraceThread, IEnumerable<CallEvent>> calls, PageOptions options)
    {
        var survey = new Survey(options);
        foreach (var thread in source.Threads) survey.Add(thread, calls(thread));
        return survey;
    }

    private void Add(TraceThread thread, IEnumerable<CallEvent> steps)
    {
        var sums = new Dictionary<int, StackSum>();
        long first = long.MaxValue, last = 0, count = 0;
        foreach (var slice in SliceReader.Read(steps, Stacks.Enter))
        {
            first = Math.Min(first, slice.Start);
            last = slice.End;
            if (slice.Kind == SliceKind.Call) count++;
            Add(slice, sums);
        }
        threads.Add(new(thread, Math.Min(first, last), last, count, [.. sums.OrderBy(s => s.Key).Select(s => (s.Key, s.Value))]));
    }

    private void Add(in Slice slice, Dictionary<int, StackSum> sums)
    {
        switch (slice.Kind)
        {
            case SliceKind.Call when slice.Item == StackNodes.None:
                Stackless++;
                break;
            case SliceKind.Call:
                calls.Add(slice.Duration);
                ref var sum = ref CollectionsMarshal.GetValueRefOrAddDefault(sums, slice.Item, out _);
                sum = new(sum.Calls + 1, sum.Total + slice.Duration, Math.Max(sum.Longest, slice.Duration));
                break;
            case SliceKind.Span:
                spans.Add(slice.Duration);
                SpanNames.Add(slice.Item);
                break;
            case SliceKind.Event:
                EventTypes.Add(slice.Item);
                Events++;
                break;
            default:
                Events++;
                break;
        }
    }
}
