using Weft.Core.Flow;
using Weft.Llvm;

namespace Weft.Metering.Weaving;

/// <summary>
/// Writes the pending charges of one function as values. A value is a base, which is known on all paths to where it is used, and a
/// constant: an addition is made only where constants differ between paths that join, and then behind the join, so that a branch that
/// the optimiser would make a conditional move stays one that it can.
/// <code>
/// entry:  mark 2                         entry:
/// then:   mark 3                  ==>    then:
/// join:                                  join:  %units = phi i64 [ 2, %entry ], [ 5, %then ]
///         call void @g()                        call void @weft.metering.check(i64 %units)
///                                               call void @g()
/// loop:   mark 4                  ==>    loop:  %pending = phi i64 [ ..., %before ], [ %more, %loop ]
///         br i1 %c, %loop, %out                 %more = add i64 %pending, 4
/// </code>
/// </summary>
internal sealed class ChargeWeaver(FunctionFlow flow, ChargePlan plan, LoopLimits? limits, WorkMarks marks, Probes probes, FlowEditor editor, Builder builder, LlvmType unit)
{
    /// <summary>Base plus units; no base stands for 0.</summary>
    private readonly record struct Sum(Value Base, ulong Units);

    private readonly Sum[] atStart = new Sum[flow.Graph.Count], atEnd = new Sum[flow.Graph.Count];
    private readonly Value[] endValues = new Value[flow.Graph.Count];
    private readonly List<(int Block, Value Phi)> open = [];
    private readonly BlockFrequencies frequencies = new(flow.Graph, limits?.Forest ?? new LoopForest(flow.Graph));

    public void Run()
    {
        builder.SetArtificialLocation(flow.Function);
        var done = new bool[flow.Graph.Count];
        foreach (var block in flow.Graph.Order)
        {
            var first = flow.Graph.Blocks[block].FirstInsertion; // what Begin puts there comes before a look
            atStart[block] = Begin(block, done);
            atEnd[block] = Walk(block, atStart[block], first);
            done[block] = true;
        }
        foreach (var (block, phi) in open) Fill(block, phi, p => flow.Unwinds(p, block) ? unit.Const(0) : EndValue(p));
        if (limits != null) foreach (var loop in limits.Counted) LookBefore(loop);
        foreach (var (block, units) in plan.Settled) Settle(block, units);
    }

    private void Settle(int block, ulong units)
    {
        foreach (var before in flow.Graph.Predecessors[block])
        {
            if (!plan.AtStart[before].Reached || atEnd[before] is var sum && sum == new Sum(default, units)) continue;
            var value = ValueAtEnd(before, sum with { Units = sum.Units - units });
            var way = flow.Graph.Successors[before].Length == 1 ? flow.Graph.Blocks[before] : editor.Split(flow.Graph.Blocks[before], flow.Graph.Blocks[block]);
            builder.Before(way.Terminator);
            builder.SetArtificialLocation(flow.Function);
            builder.Call(probes.Charge, value);
        }
    }

    // Known only now: what is pending where the loop is entered.
    private void LookBefore(LimitedLoop loop)
    {
        var pending = EndValue(loop.Before);
        var before = flow.Graph.Blocks[loop.Before];
        var counted = loop.Counted;
        builder.Before(before.Terminator);
        var first = counted.Variable.IncomingFrom(before);
        var bound = counted.Comparison.AsValue.Operand(counted.BoundIsSecond ? 1 : 0);
        var most = unit.Const(MostRounds);
        var rounds = new LoopRounds(builder, unit).Until(first, bound, counted);
        if (bound.Type.Kind != TypeKind.Integer || bound.Type.IntWidth > 32) rounds = builder.Select(builder.Compare(Predicate.UnsignedGreater, rounds, most), most, rounds);
        builder.Call(probes.Due, builder.Add(pending, builder.Mul(rounds, unit.Const(loop.Units))));
    }

    // So that the product fits.
    private const ulong MostRounds = 1ul << 40;

    private Sum Begin(int block, bool[] done)
    {
        if (!plan.AtStart[block].Varies) return new(default, plan.AtStart[block].Units);
        var before = flow.Graph.Predecessors[block].Where(p => plan.AtStart[p].Reached).ToList();
        if (!before.TrueForAll(p => done[p])) return new(Open(block), 0);
        if (before.TrueForAll(p => Along(p, block) == Along(before[0], block))) return Along(before[0], block);
        return Select(block, before) ?? Join(block, before);
    }

    /// <summary>Constants, and the sum behind the join, where all else is the same and the ways there may become a conditional move.</summary>
    private Sum? Select(int block, List<int> before)
    {
        var known = Along(before[0], block).Base;
        if (before.Exists(p => Along(p, block).Base != known)) return null;
        if (known.Exists && !before.TrueForAll(p => flow.Graph.Successors[p].Length > 1 || IsShort(p))) return null;
        if (flow.Graph.Blocks[block].FirstInsertion is not { Exists: true } at) return null; // only a catchswitch
        var (constants, units) = (PhiIn(block), 0 - (Behind(block) ?? 0));
        Fill(block, constants, p => unit.Const(Along(p, block).Units - units));
        if (!known.Exists) return new(constants, units);
        builder.Before(at);
        return new(builder.Add(known, constants), units);
    }

    /// <summary>The way that is taken most is left alone, unless there is an addition behind; others add what they have more than it, or less.</summary>
    private Sum Join(int block, List<int> before)
    {
        var main = before.Where(p => Along(p, block).Base.Exists).DefaultIfEmpty(before[0]).MaxBy(frequencies.Of);
        var units = Behind(block) is { } behind ? 0 - behind : Along(main, block) is { Base.Exists: true } known ? known.Units : 0;
        var phi = PhiIn(block);
        Fill(block, phi, p => ValueAtEnd(p, Along(p, block) is var sum ? sum with { Units = sum.Units - units } : default));
        return new(phi, units);
    }

    /// <summary>What a block adds before it goes back to a loop's header, where the sum has to be whole: ways there can add it.</summary>
    private ulong? Behind(int block)
    {
        var goesBack = Array.Exists(flow.Graph.Successors[block], s => open.Exists(o => o.Block == s));
        return goesBack && flow.Steps[block].TrueForAll(s => s.Look == Look.None && s.Point == null) ? flow.Steps[block].Aggregate(0ul, (sum, s) => sum + s.Units) : null;
    }

    private bool IsShort(int block)
    {
        var count = 0;
        foreach (var instruction in flow.Graph.Blocks[block].Instructions)
            if (instruction.IsCall && !flow.Steps[block].Exists(s => s.At == instruction && s.Look == Look.None) || ++count > MostSelected) return false;
        return true;
    }

    // Instructions, marks and the jump among them.
    private const int MostSelected = 6;

    private Sum Along(int from, int to) => flow.Unwinds(from, to) ? default : atEnd[from];

    private Sum Walk(int block, Sum sum, Instruction first)
    {
        var pending = plan.AtStart[block];
        if (limits?.Headers.Contains(block) == true && first.Exists)
        {
            builder.Before(first);
            builder.Call(probes.Due, ValueOf(sum));
        }
        foreach (var step in flow.Steps[block])
        {
            if (plan.IsFlush(step, pending))
            {
                builder.Before(step.At);
                var units = ValueOf(sum with { Units = sum.Units - step.Left });
                Flush(step, pending, step.Look == Look.Charge ? builder.Add(units, marks.ValueOf(step.At, builder)) : units);
                sum = default;
            }
            else if (step.Point == LimitPoint.Loop)
            {
                builder.Before(step.At);
                LimitPoints.Become(step.At, probes.Due, ValueOf(Ahead(sum, step.At)));
            }
            else if (step.Point == LimitPoint.Room)
            {
                builder.Before(step.At);
                step.At.SetOperand(0, ValueOf(Ahead(sum, step.At)));
            }
            sum = sum with { Units = sum.Units + step.Units };
            pending = plan.Behind(step, pending);
        }
        return sum;
    }

    private static Sum Ahead(Sum sum, Instruction point) => sum with { Units = sum.Units + LimitPoints.AheadOf(point) };

    private void Flush(Step step, Pending pending, Value units)
    {
        if (step.Point != null) LimitPoints.Become(step.At, probes.Check, units);
        else builder.Call(plan.Checks(step, pending) ? probes.Check : probes.Charge, units);
    }

    private Value Open(int block)
    {
        var phi = PhiIn(block);
        open.Add((block, phi));
        return phi;
    }

    private Value PhiIn(int block)
    {
        builder.AtStart(flow.Graph.Blocks[block]);
        return builder.Phi(unit);
    }

    private void Fill(int block, Value phi, Func<int, Value> from)
    {
        foreach (var before in flow.Graph.Predecessors[block])
        {
            var value = plan.AtStart[before].Reached ? from(before) : unit.Const(0);
            foreach (var successor in flow.Graph.Successors[before]) // a switch may come here more than once
                if (successor == block) phi.AsInstruction.AddIncoming(value, flow.Graph.Blocks[before]);
        }
    }

    private Value EndValue(int block)
    {
        if (!endValues[block].Exists) endValues[block] = ValueAtEnd(block, atEnd[block]);
        return endValues[block];
    }

    private Value ValueAtEnd(int block, Sum sum)
    {
        builder.Before(flow.Graph.Blocks[block].Terminator);
        return ValueOf(sum);
    }

    private Value ValueOf(Sum sum) => !sum.Base.Exists ? unit.Const(sum.Units) : sum.Units == 0 ? sum.Base : builder.Add(sum.Base, unit.Const(sum.Units));
}
