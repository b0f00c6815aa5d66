using System.Globalization;

namespace Weft.Tracing;

/// <summary>What of a trace is wanted. Patterns are those of <see cref="FunctionNames.Matches"/>; none given means everything.</summary>
public sealed record FilterOptions
{
    /// <summary>Only these and what they call.</summary>
    public IReadOnlyList<string> Only { get; init; } = [];

    /// <summary>Neither these nor what they call.</summary>
    public IReadOnlyList<string> Not { get; init; } = [];

    /// <summary>Only these and the calls that lead to them.</summary>
    public IReadOnlyList<string> Callers { get; init; } = [];

    /// <summary>Not these, but what they call, as if their callers did.</summary>
    public IReadOnlyList<string> Hide { get; init; } = [];

    /// <summary>Only functions of modules whose path or file name matches; others are hidden.</summary>
    public IReadOnlyList<string> Modules { get; init; } = [];

    /// <summary>Only threads with these ids or names.</summary>
    public IReadOnlyList<string> Threads { get; init; } = [];

    /// <summary>Only so many levels of what is shown.</summary>
    public int Depth { get; init; } = int.MaxValue;

    /// <summary>Only calls that take so many nanoseconds.</summary>
    public long Shortest { get; init; }

    /// <summary>Only what happened from then on; calls under way begin then.</summary>
    public long From { get; init; }

    /// <summary>Only what happened until then; calls under way end then.</summary>
    public long To { get; init; } = long.MaxValue;
}

/// <summary>
/// A trace with parts left out. What is left is balanced, its depths count what is left, and the time of what is missing is its
/// caller's own. Events and spans go with the call they happened in, except that hidden functions leave theirs behind; the end of
/// a span is there if its begin is. Filters work in this order: time range, names and modules, depth, callers, duration.
/// </summary>
public sealed class CallFilter
{
    private readonly ITraceSource source;
    private readonly FilterOptions options;
    private readonly IdTable<Traits> traits = new();
    private readonly List<Pattern> patterns;

    public CallFilter(ITraceSource source, FilterOptions options)
    {
        this.source = source;
        this.options = options;
        patterns = [];
        Add(options.Only, Traits.Only);
        Add(options.Not, Traits.Not);
        Add(options.Callers, Traits.Led);
        Add(options.Hide, Traits.Hidden);
        Add(options.Modules, Traits.InModule);
        Threads = options.Threads.Count == 0 ? source.Threads : [.. source.Threads.Where(t => options.Threads.Any(p => IsThread(p, t)))];
    }

    private CallFilter(CallFilter other) => (source, options, patterns, Threads) = (other.source, other.options, other.patterns, other.Threads);

    [Flags]
    private enum Traits : byte
    {
        None = 0,
        Known = 1,
        Only = 2,
        Not = 4,
        Led = 8,
        Hidden = 16,
        InModule = 32,
    }

    public ITraceSource Source => source;

    public IReadOnlyList<TraceThread> Threads { get; }

    private bool Selects => options.Only.Count + options.Not.Count + options.Hide.Count + options.Modules.Count > 0 || options.Depth != int.MaxValue;

    private bool IsInRange => options.From > 0 || options.To != long.MaxValue;

    /// <summary>The same filter for another thread of this process. What patterns matched is known to all.</summary>
    public CallFilter Another() => new(this);

    /// <summary>The calls of a thread that are wanted.</summary>
    public IEnumerable<CallEvent> Calls(TraceThread thread)
    {
        var calls = CallStacks.Of(source, thread);
        if (IsInRange) calls = Within(calls, options.From, options.To);
        return Selects || IsInRange || options.Callers.Count > 0 || options.Shortest > 0 ? Filter(calls) : calls;
    }

    /// <summary>A sentence for every pattern that matched nothing in what was read so far.</summary>
    public IEnumerable<string> Complaints()
    {
        foreach (var thread in options.Threads.Where(p => !source.Threads.Any(t => IsThread(p, t))))
            yield return $"no thread matches '{thread}'; the trace has {string.Join(", ", source.Threads.Take(10).Select(t => t.Name.Length > 0 ? $"{t.Id} ({t.Name})" : $"{t.Id}"))}{(source.Threads.Count > 10 ? $" and {source.Threads.Count - 10} more" : "")}";
        foreach (var pattern in patterns.Where(p => !p.Hit)) yield return pattern.Trait == Traits.InModule ? NoModule(pattern.Text) : NoFunction(source, pattern.Text);
    }

    /// <summary>Why a pattern has no calls.</summary>
    public static string NoFunction(ITraceSource source, string pattern)
    {
        if (source.Functions.Any(f => FunctionNames.Matches(pattern, f))) return $"no call of '{pattern}' is in what was looked at of the trace";
        var similar = FunctionNames.Similar(pattern, source.Functions.Select(f => f.Name));
        var count = source.Functions.Count;
        return $"no function matches '{pattern}'; {count} {(count == 1 ? "function is" : "functions are")} in the trace{(similar.Count > 0 ? $"; did you mean {string.Join(" or ", similar.Select(s => $"'{s}'"))}?" : "")}";
    }

    private static bool IsThread(string pattern, TraceThread thread) => pattern == thread.Id.ToString(CultureInfo.InvariantCulture) || FunctionNames.IsMatch(pattern, thread.Name);

    private static bool IsModule(string pattern, TraceModule module) => FunctionNames.IsMatch(pattern, module.Path) || FunctionNames.IsMatch(pattern, Path.GetFileName(module.Path));

    private string NoModule(string pattern)
    {
        var names = source.Functions.Select(f => f.Module).OfType<TraceModule>().Distinct().Select(m => Path.GetFileName(m.Path)).ToList();
        return names.Count == 0 ? $"no module matches '{pattern}'; the trace names none" : $"no function of a module '{pattern}' was called; the trace has {string.Join(", ", names.Take(10))}";
    }

    private void Add(IEnumerable<string> texts, Traits trait) => patterns.AddRange(texts.Select(t => new Pattern(t, trait)));

    private Traits Of(int function)
    {
        ref var found = ref traits[function];
        return found != Traits.None ? found : found = Classify(source.Function(function));
    }

    private Traits Classify(TraceFunction function)
    {
        var found = Traits.Known;
        foreach (var pattern in patterns)
        {
            if (pattern.Trait == Traits.InModule ? function.Module == null || !IsModule(pattern.Text, function.Module) : !FunctionNames.Matches(pattern.Text, function)) continue;
            pattern.Hit = true;
            found |= pattern.Trait;
        }
        return found;
    }

    private IEnumerable<CallEvent> Filter(IEnumerable<CallEvent> calls)
    {
        var wanted = new List<CallEvent>();
        Stage stage = new SpanBalance(wanted);
        if (options.Shortest > 0) stage = new Holding(stage, (begin, now) => now.Time - begin.Time >= options.Shortest);
        if (options.Callers.Count > 0) stage = new Holding(stage, (_, now) => now.Kind == CallKind.Begin && Of(now.Id).HasFlag(Traits.Led));
        if (Selects) stage = new Selection(this, stage);
        foreach (var call in calls)
        {
            stage.Push(call);
            for (var i = 0; i < wanted.Count; i++) yield return wanted[i];
            wanted.Clear();
        }
    }

    private static IEnumerable<CallEvent> Within(IEnumerable<CallEvent> calls, long from, long to)
    {
        var open = new List<CallEvent>();
        var begun = 0; // how many of them have been passed on
        foreach (var call in calls)
        {
            if (call.Time >= from)
                for (; begun < open.Count; begun++) yield return open[begun] = open[begun] with { Certainty = Certainty.Open, Time = from };
            if (call.Time > to) break;
            if (call.Kind == CallKind.Begin) open.Add(call);
            if (call.Kind == CallKind.End) open.RemoveAt(open.Count - 1);
            if (call.Time < from) continue;
            begun = open.Count;
            yield return call.Start < from && call.Kind == CallKind.End ? call with { Start = from } : call;
        }
        for (var i = open.Count - 1; i >= 0; i--) yield return new CallEvent(CallKind.End, Certainty.Open, open[i].Depth, to, open[i].Id, open[i].Time);
    }

    private sealed class Pattern(string text, Traits trait)
    {
        public string Text => text;

        public Traits Trait => trait;

        public bool Hit { get; set; }
    }

    private abstract class Stage
    {
        public abstract void Push(in CallEvent call);
    }

    /// <summary>The last: ends of spans whose begin was left out go too.</summary>
    private sealed class SpanBalance(List<CallEvent> output) : Stage
    {
        private readonly Dictionary<int, int> open = [];

        public override void Push(in CallEvent call)
        {
            if (call.Kind == CallKind.SpanBegin) open[call.Id] = open.GetValueOrDefault(call.Id) + 1;
            if (call.Kind == CallKind.SpanEnd && open.GetValueOrDefault(call.Id) == 0) return;
            if (call.Kind == CallKind.SpanEnd) open[call.Id]--;
            output.Add(call);
        }
    }

    /// <summary>By name, module and depth.</summary>
    private sealed class Selection(CallFilter filter, Stage next) : Stage
    {
        private readonly Stack<(Traits Traits, Fate Fate)> open = new();
        private readonly bool needsOnly = filter.options.Only.Count > 0;
        private readonly bool needsModule = filter.options.Modules.Count > 0;
        private int only;
        private int not;
        private int cut;
        private int shown;

        private enum Fate : byte { Shown, Hidden, Cut }

        private bool IsWanted => (only > 0 || !needsOnly) && not == 0;

        public override void Push(in CallEvent call)
        {
            switch (call.Kind)
            {
                case CallKind.Begin:
                    Begin(call);
                    break;
                case CallKind.End:
                    End(call);
                    break;
                default:
                    if (call.Kind == CallKind.Lost || (IsWanted && cut == 0)) next.Push(call with { Depth = shown });
                    break;
            }
        }

        private void Begin(in CallEvent call)
        {
            var of = filter.Of(call.Id);
            if (of.HasFlag(Traits.Only)) only++;
            if (of.HasFlag(Traits.Not)) not++;
            var isHidden = !IsWanted || of.HasFlag(Traits.Hidden) || (needsModule && !of.HasFlag(Traits.InModule));
            var fate = isHidden ? Fate.Hidden : shown < filter.options.Depth ? Fate.Shown : Fate.Cut;
            open.Push((of, fate));
            if (fate == Fate.Cut) cut++;
            if (fate == Fate.Shown) next.Push(call with { Depth = shown++ });
        }

        private void End(in CallEvent call)
        {
            var (of, fate) = open.Pop();
            if (of.HasFlag(Traits.Only)) only--;
            if (of.HasFlag(Traits.Not)) not--;
            if (fate == Fate.Cut) cut--;
            if (fate == Fate.Shown) next.Push(call with { Depth = --shown });
        }
    }

    /// <summary>Holds begins back until it is known that their calls are wanted. Whoever calls a wanted call is wanted, so what is held is always the innermost.</summary>
    /// <param name="next">Gets what is wanted.</param>
    /// <param name="confirms">Whether what happens now shows that an open call is wanted; if so, it shows it of those further out too.</param>
    private sealed class Holding(Stage next, Func<CallEvent, CallEvent, bool> confirms) : Stage
    {
        private const int MostEvents = 1 << 16;

        private readonly List<CallEvent> held = [];
        private readonly List<int> begins = []; // where in held
        private int confirmed; // of begins

        public override void Push(in CallEvent call)
        {
            if (call.Kind == CallKind.Begin)
            {
                begins.Add(held.Count);
                held.Add(call);
            }
            Confirm(call);
            if (call.Kind == CallKind.Begin) return;
            if (confirmed == begins.Count) next.Push(call);
            else if (call.Kind == CallKind.End) Drop();
            else if (held.Count < MostEvents) held.Add(call); // what comes after so many is left out
        }

        private void Confirm(in CallEvent now)
        {
            if (confirmed == begins.Count) return;
            while (confirmed < begins.Count && confirms(held[begins[confirmed]], now))
            {
                var end = ++confirmed < begins.Count ? begins[confirmed] : held.Count;
                for (var i = begins[confirmed - 1]; i < end; i++) next.Push(held[i]);
            }
            if (confirmed == begins.Count) Clear();
        }

        private void Drop()
        {
            var start = begins[^1];
            held.RemoveRange(start, held.Count - start);
            begins.RemoveAt(begins.Count - 1);
            if (confirmed == begins.Count) Clear();
        }

        private void Clear()
        {
            held.Clear();
            begins.Clear();
            confirmed = 0;
        }
    }
}
