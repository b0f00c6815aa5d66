using Weft.Llvm;

namespace Weft.Metering.Weaving;

/// <summary>What is pending at a point: nothing, a constant, or what differs from path to path.</summary>
/// <param name="Reached">Whether control comes here at all.</param>
/// <param name="Varies">Whether it differs.</param>
/// <param name="Units">The constant.</param>
/// <param name="Unseen">Whether something was charged that nobody has compared with the limit.</param>
/// <param name="Looked">Whether somebody has looked since the function began, whichever way control came.</param>
internal readonly record struct Pending(bool Reached, bool Varies, ulong Units, bool Unseen, bool Looked)
{
    /// <summary>Where a function begins: somebody may have charged without a look.</summary>
    public static Pending AtEntry => new(true, false, 0, true, false);

    /// <summary>Where an exception arrives from here: likewise.</summary>
    public Pending Unwound => AtEntry with { Looked = Looked };

    public Pending Join(Pending other) =>
        !other.Reached ? this
        : !Reached ? other
        : new(true, Varies || other.Varies || Units != other.Units, Units == other.Units ? Units : 0, Unseen || other.Unseen, Looked && other.Looked);

    public Pending Plus(ulong units) => this with { Units = Varies ? 0 : Units + units };
}

/// <summary>
/// Where pending charges go to memory: wherever somebody looks and something is pending. A call of a quiet function is passed with a
/// constant, which costs nothing to keep, and not with what would need a register. The limit is looked at before whatever is outside,
/// before the function returns to it, and before a call that may come back here, if nobody has since the function began: no recursion
/// goes deeper without a look.
/// </summary>
internal sealed class ChargePlan
{
    private readonly FunctionFlow flow;
    private readonly Observers observers;
    private readonly bool looksInRecursion;
    private readonly Dictionary<int, ulong> settled = [];
    private readonly HashSet<Instruction> upgraded = [];

    /// <param name="flow">The function.</param>
    /// <param name="observers">What its callees do.</param>
    /// <param name="looksInRecursion">Whether recursions have to look for the limit.</param>
    public ChargePlan(FunctionFlow flow, Observers observers, bool looksInRecursion)
    {
        this.flow = flow;
        this.observers = observers;
        this.looksInRecursion = looksInRecursion;
        AtStart = new Pending[flow.Graph.Count];
        Solve();
        if (!SettleReturns()) return;
        Array.Clear(AtStart);
        Solve();
    }

    /// <summary>What is pending where each block begins.</summary>
    public Pending[] AtStart { get; }

    /// <summary>Blocks where so much is pending, whichever way control comes: on other ways the rest is charged.</summary>
    public IReadOnlyDictionary<int, ulong> Settled => settled;

    /// <summary>Whether something has to be done before a step: charges go to memory, or the limit is looked at.</summary>
    public bool IsFlush(Step step, Pending pending) => step.Look switch
    {
        Look.None => false,
        Look.Quiet => pending.Varies,
        Look.Charge => true,
        Look.Outside => pending.Varies || pending.Units > 0 || pending.Unseen,
        Look.Recursive when flow.IsQuiet && flow.IsRecursion(step) => pending.Varies || GoesDeeper(step, pending),
        _ => pending.Varies || pending.Units != step.Left || GoesDeeper(step, pending),
    };

    /// <summary>Whether the limit is looked at then.</summary>
    public bool Checks(Step step, Pending pending) =>
        step.Look == Look.Outside || step.Look == Look.Charge && !observers.HasPoints || GoesDeeper(step, pending) || upgraded.Contains(step.At);

    private bool GoesDeeper(Step step, Pending pending) => looksInRecursion && step.Look == Look.Recursive && !pending.Looked;

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
                if (AtStart[block].Reached && flow.Steps[block] is [.., { IsExit: true }] && !AtEnd(block).Looked)
                    return false;
            return true;
        }
    }

    /// <summary>What is pending behind a step.</summary>
    public Pending Behind(Step step, Pending pending)
    {
        if (step.Look == Look.None) return pending.Plus(step.Units);
        var flushes = IsFlush(step, pending);
        var looks = flushes && Checks(step, pending);
        var charges = step.At.IsCall && step.Look is not (Look.Charge or Look.Outside); // what is called does
        var unseen = charges || !looks && step.Look != Look.Outside && (pending.Unseen || flushes);
        var looked = pending.Looked || looks || observers.Checks(step.At);
        return flushes ? new(true, false, step.Units, unseen, looked) : pending.Plus(step.Units) with { Unseen = unseen, Looked = looked };
    }

    /// <summary>Whether a block looks at the limit whenever control comes to it, or calls a function that does.</summary>
    public bool Checks(int block)
    {
        var pending = AtStart[block];
        foreach (var step in flow.Steps[block])
        {
            if (IsFlush(step, pending) && Checks(step, pending) || observers.Checks(step.At)) return true;
            pending = Behind(step, pending);
        }
        return false;
    }

    /// <summary>What is pending where a block returns.</summary>
    public Pending BeforeReturn(int block)
    {
        var pending = AtStart[block];
        foreach (var step in flow.Steps[block].SkipLast(1)) pending = Behind(step, pending);
        return pending;
    }

    /// <summary>Whether a block only returns, and can be reached through others in which something is charged.</summary>
    public bool CanSettle(int block) =>
        flow.Steps[block].SkipLast(1).All(s => s.Look == Look.None && s.Point == null) && Array.TrueForAll(flow.Graph.Predecessors[block], p => IsSplittable(p, block));

    private bool IsSplittable(int from, int to) =>
        !flow.Unwinds(from, to) && (flow.Graph.Successors[from].Length == 1 || flow.Graph.Blocks[from].Terminator.Opcode is Opcode.Br or Opcode.Switch or Opcode.Invoke);

    /// <summary>What is known of the units of a block.</summary>
    public ulong UnitsOf(int block) => flow.Steps[block].Aggregate(0ul, (sum, s) => sum + s.Units);

    // Where one way brings exactly what is left to the callers, be it nothing.
    private bool SettleReturns()
    {
        for (var block = 0; block < AtStart.Length; block++)
            if (AtStart[block] is { Reached: true, Varies: true } && flow.Steps[block] is [.., { At.Opcode: Opcode.Ret, Look: Look.Woven, Left: var left }] && CanSettle(block) && left - UnitsOf(block) is var units
                && Array.Exists(flow.Graph.Predecessors[block], p => AtStart[p].Reached && AtEnd(p) is { Varies: false } end && end.Units == units))
                settled[block] = units;
        return settled.Count > 0;
    }

    /// <summary>What is pending where a block ends.</summary>
    public Pending AtEnd(int block)
    {
        var pending = AtStart[block];
        foreach (var step in flow.Steps[block]) pending = Behind(step, pending);
        return pending;
    }

    private void Solve()
    {
        AtStart[0] = Pending.AtEntry;
        var work = new Stack<int>();
        work.Push(0);
        while (work.TryPop(out var block))
        {
            var pending = AtEnd(block);
            foreach (var next in flow.Graph.Successors[block])
            {
                var joined = AtStart[next].Join(flow.Unwinds(block, next) ? pending.Unwound : pending);
                if (settled.TryGetValue(next, out var units)) joined = joined with { Varies = false, Units = units, Unseen = true };
                if (joined == AtStart[next]) continue;
                AtStart[next] = joined;
                work.Push(next);
            }
        }
    }
}
