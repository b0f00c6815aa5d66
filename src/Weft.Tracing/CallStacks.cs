namespace Weft.Tracing;

/// <summary>
/// Makes calls of what a thread logged: begins and ends that are balanced, whatever the log is like.
/// <para>
/// An exit ends the topmost call of its function; calls above that one were unwound. A tail exit ends its call, so that what is
/// entered next has its caller. After <see cref="RawKind.Landed"/>, the calls whose stack pointer is known and smaller are over,
/// and those above them: it is looked for from the top down, up to the first known call that is not smaller, because a signal
/// handler may run on a stack of its own with any address. If that one is of the function that was landed in, calls above it are
/// over too.
/// </para>
/// <para>
/// An exit of a function that is not among the open calls is of a call that was under way when the log began (or when it went on
/// after events were lost), if none of the calls that are open then ends in order later. Such calls begin where the log does, as
/// <see cref="Certainty.Open"/>: the log is read once before to find them, unless it is known to be whole. What never ended stays unknown: a log that began in the
/// middle of a loop of main() has main() only if it ended, and depths count from the outermost call that is known. Any other exit
/// that fits no call is left out: its function was switched on while it ran, or the log is damaged. A call whose function is
/// switched off while it runs ends there as open.
/// </para>
/// </summary>
public static class CallStacks
{
    public static IEnumerable<CallEvent> Of(ITraceSource source, TraceThread thread)
    {
        var underWay = source.IsWhole(thread) ? new UnderWay() : UnderWay.Find(source, thread);
        var stack = new OpenCalls(source.SwitchedOff);
        var part = 0;
        var time = underWay.Start;
        foreach (var function in underWay.OutermostFirst(part)) yield return stack.Begin(Certainty.Open, new RawEvent(RawKind.Entry, time, function));
        // An event that is read no more after a yield is not stored in this iterator, which all of them would pay for.
        foreach (var raw in source.Read(thread))
        {
            while (stack.Gone <= raw.Time) yield return stack.End(Certainty.Open, Math.Max(time, stack.Gone));
            time = raw.Time;
            switch (raw.Kind)
            {
                case RawKind.Entry:
                    if (!stack.IsFull)
                    {
                        yield return stack.Begin(Certainty.Seen, raw);
                        break;
                    }
                    var entry = raw;
                    while (stack.Count > 0) yield return stack.End(Certainty.Open, time);
                    yield return new CallEvent(CallKind.Lost, Certainty.Seen, 0, time, 0);
                    yield return stack.Begin(Certainty.Seen, entry);
                    break;
                case RawKind.Exit or RawKind.TailExit:
                    var depth = stack.DepthOf(raw.Id);
                    if (depth < 0) break;
                    if (depth == stack.Count - 1)
                    {
                        yield return stack.End(raw.Kind == RawKind.Exit ? Certainty.Seen : Certainty.Tail, time, raw.Data);
                        break;
                    }
                    var (certainty, data) = (raw.Kind == RawKind.Exit ? Certainty.Seen : Certainty.Tail, raw.Data);
                    while (stack.Count > depth + 1) yield return stack.End(Certainty.Unwound, time);
                    yield return stack.End(certainty, time, data);
                    break;
                case RawKind.Landed:
                    var landed = stack.DepthAfterLanding(raw.Value, raw.Id);
                    while (stack.Count > landed) yield return stack.End(Certainty.Unwound, time);
                    break;
                case RawKind.Lost:
                    var lost = (int)Math.Min(raw.Value, int.MaxValue);
                    while (stack.Count > 0) yield return stack.End(Certainty.Open, time);
                    yield return new CallEvent(CallKind.Lost, Certainty.Seen, 0, time, lost);
                    foreach (var function in underWay.OutermostFirst(++part)) yield return stack.Begin(Certainty.Open, new RawEvent(RawKind.Entry, time, function));
                    break;
                default:
                    var kind = raw.Kind == RawKind.Event ? CallKind.Event : raw.Kind == RawKind.SpanBegin ? CallKind.SpanBegin : CallKind.SpanEnd;
                    yield return new CallEvent(kind, Certainty.Seen, stack.Count, time, raw.Id, Data: raw.Data);
                    break;
            }
        }
        while (stack.Count > 0) yield return stack.End(Certainty.Open, time);
    }

    /// <summary>The calls that were under way when each part of a log began. Parts are what is between lost events.</summary>
    private sealed class UnderWay
    {
        private const int Remembered = 1 << 16; // of a thread; a log with more is not of a program

        private readonly Dictionary<int, List<int>> innermostFirst = [];
        private int remembered;

        /// <summary>When the log began.</summary>
        public long Start { get; private set; } = -1;

        public static UnderWay Find(ITraceSource source, TraceThread thread)
        {
            var (found, stack, part) = (new UnderWay(), new OpenCalls(source.SwitchedOff), 0);
            foreach (var raw in source.Read(thread))
            {
                if (found.Start < 0) found.Start = raw.Time;
                while (stack.Gone <= raw.Time) stack.Truncate(stack.Count - 1);
                switch (raw.Kind)
                {
                    case RawKind.Entry:
                        if (stack.IsFull) stack.Truncate(0);
                        stack.Push(raw);
                        break;
                    case RawKind.Exit or RawKind.TailExit:
                        var depth = stack.DepthOf(raw.Id);
                        if (depth >= 0) stack.Truncate(depth);
                        else if (!stack.IsFull) stack.Push(raw with { Id = ~raw.Id }); // if calls below end in order, it goes with them
                        break;
                    case RawKind.Landed:
                        stack.Truncate(stack.DepthAfterLanding(raw.Value, raw.Id));
                        break;
                    case RawKind.Lost:
                        found.Add(part++, stack);
                        stack.Truncate(0);
                        break;
                    default:
                        break;
                }
            }
            found.Add(part, stack);
            return found;
        }

        public IEnumerable<int> OutermostFirst(int part) => innermostFirst.TryGetValue(part, out var functions) ? functions.AsEnumerable().Reverse() : [];

        private void Add(int part, OpenCalls stack)
        {
            var functions = stack.Exits().Take(Remembered - remembered).ToList();
            remembered += functions.Count;
            if (functions.Count > 0) innermostFirst[part] = functions;
        }
    }

    /// <summary>The calls that have begun and not ended. Every step is paid for by what it pushes or pops, also for logs that no program wrote.</summary>
    private sealed class OpenCalls(SwitchedOff switchedOff)
    {
        private const int Deepest = 1 << 20;

        private readonly IdTable<int> open = new();
        private readonly SwitchedOff.Looker switches = new(switchedOff);
        private Call[] calls = new Call[64];

        public int Count { get; private set; }

        /// <summary>Deeper than memory should be spent on: what is open is given up.</summary>
        public bool IsFull => Count == Deepest;

        /// <summary>When the topmost call's function was switched off: there will be no exit. One further down waits for those above it.</summary>
        public long Gone => Count == 0 ? long.MaxValue : calls[Count - 1].Gone;

        public void Push(in RawEvent entry)
        {
            if (Count == calls.Length) Array.Resize(ref calls, Count * 2);
            var known = entry.HasFrame ? Count : Count > 0 ? calls[Count - 1].Known : -1;
            calls[Count++] = new Call(entry.Id, entry.Value, known, entry.Time, switches.After(entry.Id, entry.Time));
            open[entry.Id]++;
        }

        public CallEvent Begin(Certainty certainty, in RawEvent entry)
        {
            Push(entry);
            return new CallEvent(CallKind.Begin, certainty, Count - 1, entry.Time, entry.Id, Data: entry.Data);
        }

        public CallEvent End(Certainty certainty, long time, ReadOnlyMemory<byte> data = default)
        {
            ref var call = ref calls[--Count];
            open[call.Function]--;
            return new CallEvent(CallKind.End, certainty, Count, time, call.Function, call.Start, data);
        }

        public void Truncate(int depth)
        {
            while (Count > depth) open[calls[--Count].Function]--;
        }

        /// <summary>The functions of exits that were pushed, as the complement of their ids.</summary>
        public IEnumerable<int> Exits()
        {
            for (var i = 0; i < Count; i++)
                if (calls[i].Function < 0) yield return ~calls[i].Function;
        }

        /// <summary>Of the topmost call of a function; -1 if there is none.</summary>
        public int DepthOf(int function)
        {
            if (open[function] == 0) return -1;
            var depth = Count - 1;
            while (calls[depth].Function != function) depth--;
            return depth;
        }

        public int DepthAfterLanding(uint pointer, int function)
        {
            var depth = Count;
            var next = Known(depth);
            for (; next >= 0 && (int)(calls[next].Frame - pointer) < 0; next = Known(next)) depth = next;
            return function != 0 && next >= 0 && calls[next].Function == function ? next + 1 : depth;
        }

        /// <summary>The nearest call below a depth whose stack pointer is known; -1 if there is none.</summary>
        private int Known(int depth) => depth == 0 ? -1 : calls[depth - 1].Known;

        /// <param name="Function">Its id.</param>
        /// <param name="Frame">The low half of the stack pointer at its entry, if known.</param>
        /// <param name="Known">The depth of the nearest call with a known stack pointer, this one included; -1 if there is none.</param>
        /// <param name="Start">When it began.</param>
        /// <param name="Gone">When its function was switched off next.</param>
        private readonly record struct Call(int Function, uint Frame, int Known, long Start, long Gone);
    }
}
