using System.Globalization;
using System.Numerics;
using System.Text;

namespace Weft.Tracing.Page;

internal enum SliceKind : byte
{
    /// <summary>Ends the data.</summary>
    None,

    /// <summary>Item: a node of the stack tree.</summary>
    Call,

    /// <summary>Item: a name of a span; Lane: the row it is shown in.</summary>
    Span,

    /// <summary>Item: a type of event. Has no duration.</summary>
    Event,

    /// <summary>Events are missing here; Data is their number in digits, or empty.</summary>
    Lost,
}

/// <summary>Something with a place in a thread's timeline. Data are the arguments of a call, or what came with an event.</summary>
internal readonly record struct Slice(SliceKind Kind, int Item, int Lane, long Start, long End, Certainty Begins, Certainty Ends, ReadOnlyMemory<byte> Data = default, ReadOnlyMemory<byte> Result = default)
{
    public long Duration => End - Start;
}

/// <summary>Puts begins and ends together. Slices come in the order of their ends, so nothing but what is open is kept.</summary>
internal sealed class SliceReader(Func<int, int, int> enter)
{
    // A trace that begins spans and never ends them would need ever more rows.
    private const int MostOpenSpans = 64;

    private readonly Stack<(int Node, CallEvent Begin, long Start)> calls = [];
    private readonly List<(int Name, int Lane, long Start)> spans = [];
    private long now;

    /// <param name="steps">Of a thread.</param>
    /// <param name="enter">The node for a parent's node and a function.</param>
    public static IEnumerable<Slice> Read(IEnumerable<CallEvent> steps, Func<int, int, int> enter) => new SliceReader(enter).Read(steps);

    private IEnumerable<Slice> Read(IEnumerable<CallEvent> steps)
    {
        foreach (var step in steps)
        {
            now = Math.Max(now, step.Time);
            if (Take(step) is { } slice) yield return slice;
        }
        foreach (var (name, lane, start) in spans) yield return new(SliceKind.Span, name, lane, start, now, Certainty.Seen, Certainty.Open);
    }

    private Slice? Take(in CallEvent step)
    {
        switch (step.Kind)
        {
            case CallKind.Begin:
                calls.Push((enter(calls.TryPeek(out var caller) ? caller.Node : 0, step.Id), step, now));
                return null;
            case CallKind.End:
                return calls.TryPop(out var call) ? new(SliceKind.Call, call.Node, 0, call.Start, now, call.Begin.Certainty, step.Certainty, call.Begin.Data, step.Data) : null;
            case CallKind.SpanBegin:
                if (spans.Count < MostOpenSpans) spans.Add((step.Id, FreeLane(), now));
                return null;
            case CallKind.SpanEnd:
                return EndSpan(step.Id);
            case CallKind.Event:
                return new(SliceKind.Event, step.Id, 0, now, now, Certainty.Seen, Certainty.Seen, step.Data);
            case CallKind.Lost:
                var lost = step.Id > 0 ? Encoding.ASCII.GetBytes(step.Id.ToString(CultureInfo.InvariantCulture)) : [];
                return new(SliceKind.Lost, 0, 0, now, now, Certainty.Seen, Certainty.Seen, lost);
            default:
                return null;
        }
    }

    private int FreeLane()
    {
        ulong used = 0;
        foreach (var (_, lane, _) in spans) used |= 1ul << lane;
        return BitOperations.TrailingZeroCount(~used);
    }

    // Spans need not nest: the youngest open one of that name ends.
    private Slice? EndSpan(int name)
    {
        var index = spans.FindLastIndex(s => s.Name == name);
        if (index < 0) return null;
        var (_, lane, start) = spans[index];
        spans.RemoveAt(index);
        return new(SliceKind.Span, name, lane, start, now, Certainty.Seen, Certainty.Seen);
    }
}
