using Weft.Llvm;

namespace Weft.Metering.Weaving;

/// <summary>What is pending at a point: nothing, a constant, or what differs from path to path.</summary>
/// <param name="Reached">Whether control comes here at all.</param>
/// <param name="Varies">Whether it differs.</param>
/// <param name="Units">The constant.</param>
/// <param name="Unseen">Whether something was charged that nobody has compared with the limit.</param>
internal readonly record struct Pending(bool Reached, bool Varies, ulong Units, bool Unseen)
{
    /// <summary>Where a function begins, or an exception arrives: somebody may have charged without a look.</summary>
    public static Pending AtEntry => new(true, false, 0, true);

    public Pending Join(Pending other) =>
        !other.Reached ? this
        : !Reached ? other
        : Varies == other.Varies && Units == other.Units ? this with { Unseen = Unseen || other.Unseen }
        : new(true, true, 0, Unseen || other.Unseen);

    public Pending Plus(ulong units) => this with { Units = Varies ? 0 : Units + units };
}

/// <summary>
/// Where pending charges go to memory: wherever somebody looks and something is pending. A call of a quiet function is passed with a
/// constant, which costs nothing to keep, and not with what would need a register.
/// </summary>
internal sealed class ChargePlan
{
    private readonly FunctionFlow flow;
    private readonly bool looksAlways, hasPoints;
    private readonly HashSet<Instruction> upgraded = [];

    /// <param name="flow">The function.</param>
    /// <param name="looksAlways">Whether each charge has to look, as nobody else does for this function.</param>
    /// <param name="hasPoints">Whether there are points that look, and nothing else does.</param>
    public ChargePlan(FunctionFlow flow, bool looksAlways, bool hasPoints)
    {
        this.flow = flow;
        this.looksAlways = looksAlways;
        this.hasPoints = hasPoints;
        AtStart = new Pending[flow.Graph.Count];
        Solve();
    }

    /// <summary>What is pending where each block begins.</summary>
    public Pending[] AtStart { get; }

    /// <summary>Whether something has to be done before a step: charges go to memory, or the limit is looked at.</summary>
    public static bool IsFlush(Step step, Pending pending) => step.Look switch
    {
        Look.None => false,
        Look.Quiet => pending.Varies,
        Look.Woven => pending.Varies || pending.Units > 0,
        Look.Charge => true,
        _ => pending.Varies || pending.Units > 0 || pending.Unseen,
    };

    /// <summary>Whether the limit is looked at then.</summary>
    public bool Checks(Step step) => step.Look == Look.Outside || !hasPoints && (step.Look == Look.Charge || looksAlways && step.Look != Look.Quiet) || upgraded.Contains(step.At);

    /// <summary>Lets a block look at the limit where it charges without, if it does. Returns whether it does.</summary>
    public bool Upgrade(int block)
    {
        var pending = AtStart[block];
        foreach (var step in flow.Steps[block])
        {
            if (IsFlush(step, pending)) return upgraded.Add(step.At);
            pending = Behind(step, pending);
        }
        return false;
    }

    /// <summary>Whether the function never returns without a look at the limit.</summary>
    public bool ChecksAtReturn
    {
        get
        {
            for (var block = 0; block < AtStart.Length; block++)
            {
                if (!AtStart[block].Reached || flow.Steps[block] is not [.., { IsExit: true } exit]) continue;
                var pending = AtStart[block];
                foreach (var step in flow.Steps[block].SkipLast(1)) pending = Behind(step, pending);
                if (!IsFlush(exit, pending) || !Checks(exit)) return false;
            }
            return true;
        }
    }

    /// <summary>What is pending behind a step.</summary>
    public Pending Behind(Step step, Pending pending)
    {
        if (step.Look == Look.None) return pending.Plus(step.Units);
        var unseen = step.At.IsCall && step.Look != Look.Charge ? step.Look != Look.Outside : !Checks(step) && (pending.Unseen || IsFlush(step, pending));
        return IsFlush(step, pending) ? new(true, false, 0, unseen) : pending with { Unseen = unseen };
    }

    /// <summary>Whether a block looks at the limit whenever control comes to it, or calls a function that does.</summary>
    public bool Checks(int block, Observers observers)
    {
        var pending = AtStart[block];
        foreach (var step in flow.Steps[block])
        {
            if (IsFlush(step, pending) && Checks(step) || observers.Checks(step.At)) return true;
            pending = Behind(step, pending);
        }
        return false;
    }

    private void Solve()
    {
        AtStart[0] = Pending.AtEntry;
        var work = new Stack<int>();
        work.Push(0);
        while (work.TryPop(out var block))
        {
            var pending = AtStart[block];
            foreach (var step in flow.Steps[block]) pending = Behind(step, pending);
            foreach (var next in flow.Graph.Successors[block])
            {
                var joined = AtStart[next].Join(flow.Unwinds(block, next) ? Pending.AtEntry : pending);
                if (joined == AtStart[next]) continue;
                AtStart[next] = joined;
                work.Push(next);
            }
        }
    }
}
