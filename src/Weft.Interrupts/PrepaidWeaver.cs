using Weft.Core.Flow;
using Weft.Llvm;

namespace Weft.Interrupts;

/// <summary>
/// Pays for a counted loop before it runs, as far as the budget goes: the loop itself stays as it was.
/// <code>
///                                              enter:    %first = phi [%start, outside...], [%next, %again]
///                                                        %trips = (%bound - %first) / STEP
///                                                        %can = %left / COST
///                                                        br (%trips &lt;= %can), %all, %part
///                                              all:      %left -= %trips * COST
///                                              part:     %run = max(%can, 1); %left -= min(%left, %run * COST)
///                                                        %stop = %first + %run * STEP
/// header:  %iv = phi [%start, outside...],     header:   %iv = phi [%first, all|part], [%next, %latch]
///                    [%next, %latch]                     %limit = [%bound, all], [%stop, part]
/// latch:   %next = add %iv, STEP               latch:    %next = add %iv, STEP
///          br (%next != %bound), %header,                br (%next != %limit), %header, %over
///                                %exit         over:     br (%next != %bound), %again, %exit
///                                              again:    %left = expire(%left); br %enter
/// </code>
/// Guarantee: the body runs as often as before, <c>%left</c> never becomes negative, and it is looked at after at most
/// <c>%left / COST</c> rounds (at least one). Ways out other than the latch give back what was not used.
/// </summary>
internal sealed class PrepaidWeaver(LlvmContext context, Builder builder, FlowEditor editor, Probes probes, BranchWeights weights, LoopMembership membership)
{
    private const int ReciprocalBits = 20; // left is below 2^41, so the product stays below 2^62

    private readonly LlvmType word = context.Int(64);
    private readonly LoopRounds rounds = new(builder, context.Int(64));

    public void Weave(Prepaid prepaid, FlowGraph graph, Func<BasicBlock, bool> isCold, Value slot)
    {
        var counted = prepaid.Counted;
        var header = graph.Blocks[prepaid.Loop.Header];
        var latch = graph.Blocks[counted.Latch];
        var location = latch.Terminator.DebugLocation;
        var order = counted.Comparison.Predicate;
        var bound = counted.Comparison.AsValue.Operand(counted.BoundIsSecond ? 1 : 0);
        var exit = latch.Terminator.Successor(counted.ExitIndex);
        var others = OtherExits(prepaid.Loop, graph, latch, isCold);

        var (enter, merged) = editor.InsertBefore(header, b => membership.IsIn(b, prepaid.Loop));
        var variable = counted.Next.AsValue.Operand(0);
        var position = FlowEditor.Phis(header).FindIndex(p => p.AsValue == variable);
        builder.SetLocation(location);
        var (limit, setUp) = BuildEntry(enter, header, merged[position], bound, counted, prepaid.Cost, slot);
        editor.MoveIncoming(header, enter, setUp);

        builder.Before(header.First);
        var limits = builder.Phi(bound.Type);
        limits.AsInstruction.AddIncoming(limit, setUp);
        limits.AsInstruction.AddIncoming(limits, latch);

        var over = header.Parent.AppendBlock(context);
        var again = header.Parent.AppendBlock(context);
        builder.Before(latch.Terminator);
        var compared = counted.Comparison.AsValue.Operand(counted.BoundIsSecond ? 0 : 1); // only now: phis have been made anew
        var branch = latch.Terminator;
        branch.Condition = Compare(order, compared, limits, counted.BoundIsSecond);
        branch.SetSuccessor(counted.ExitIndex, over);
        builder.AtEnd(over);
        var more = Compare(order, compared, bound, counted.BoundIsSecond);
        if (counted.ExitIndex == 0) builder.Branch(more, exit, again); // the comparison asks for the end
        else weights.MarkUnlikely(builder.Branch(more, again, exit));
        editor.MoveIncoming(exit, latch, over);
        builder.AtEnd(again);
        builder.Store(builder.Call(probes.Expire, builder.Load(word, slot), probes.Gap).AsValue, slot);
        builder.Branch(enter);
        var phis = FlowEditor.Phis(header); // the first one is the limit
        for (var i = 0; i < merged.Count; i++) merged[i].AsInstruction.AddIncoming(phis[i + 1].IncomingFrom(latch), again);
        foreach (var block in (ReadOnlySpan<BasicBlock>)[enter, setUp, over, again]) membership.Add(block, prepaid.Loop.Parent);
        if (!counted.Comparison.AsValue.HasUses) counted.Comparison.Erase();
        foreach (var (from, to) in others) Refund(from, to, limits, variable: phis[position + 1].AsValue, counted, prepaid, slot);
    }

    private (Value Limit, BasicBlock End) BuildEntry(BasicBlock enter, BasicBlock header, Value first, Value bound, CountedLoop counted, int cost, Value slot)
    {
        BasicBlock all = header.Parent.AppendBlock(context), part = header.Parent.AppendBlock(context), go = header.Parent.AppendBlock(context);
        builder.AtEnd(enter);
        var trips = rounds.Until(first, bound, counted);
        var left = builder.Load(word, slot);
        var can = builder.Binary(Opcode.LShr, builder.Mul(left, word.Const((1ul << ReciprocalBits) / (ulong)cost)), word.Const(ReciprocalBits));
        weights.MarkUnlikely(builder.Branch(builder.Compare(Predicate.UnsignedGreater, trips, can), part, all));

        builder.AtEnd(all);
        builder.Store(builder.Sub(left, builder.Mul(trips, word.Const((ulong)cost))), slot);
        builder.Branch(go);

        builder.AtEnd(part);
        // Not enough for one round: it takes what there is, or a count that waits for more would never get there.
        var dry = builder.Compare(Predicate.Equal, can, word.Const(0));
        builder.Store(builder.Select(dry, word.Const(0), builder.Sub(left, builder.Mul(can, word.Const((ulong)cost)))), slot);
        var run = builder.Select(dry, word.Const(1), can);
        var stop = Stop(first, run, counted);
        builder.Branch(go);

        builder.AtEnd(go);
        var limit = builder.Phi(bound.Type);
        limit.AsInstruction.AddIncoming(bound, all);
        limit.AsInstruction.AddIncoming(stop, part);
        builder.Branch(header);
        return (limit, go);
    }

    private Value Stop(Value first, Value run, CountedLoop counted)
    {
        var steps = counted.ComparesNext ? run : builder.Sub(run, word.Const(1));
        var way = builder.Mul(steps, word.Const(unchecked((ulong)counted.Step)));
        return first.Type.Kind == TypeKind.Pointer ? builder.Advance(first, way) : builder.Add(first, builder.Resize(way, first.Type));
    }

    private Value Compare(Predicate predicate, Value compared, Value bound, bool boundIsSecond) =>
        boundIsSecond ? builder.Compare(predicate, compared, bound) : builder.Compare(predicate, bound, compared);

    /// <summary>Left by another door: what was paid for and did not run comes back.</summary>
    private void Refund(BasicBlock from, BasicBlock to, Value limit, Value variable, CountedLoop counted, Prepaid prepaid, Value slot)
    {
        var block = editor.Split(from, to);
        builder.SetLocation(from.Terminator.DebugLocation);
        builder.Before(block.Terminator);
        var rest = rounds.Between(variable, limit, counted);
        builder.Store(builder.Add(builder.Load(word, slot), builder.Mul(rest, word.Const((ulong)prepaid.Cost))), slot);
        membership.Add(block, membership.Common(prepaid.Loop.Parent, to));
    }

    private static List<(BasicBlock From, BasicBlock To)> OtherExits(Loop loop, FlowGraph graph, BasicBlock latch, Func<BasicBlock, bool> isCold)
    {
        var exits = new List<(BasicBlock, BasicBlock)>();
        foreach (var number in loop.Blocks)
        {
            var block = graph.Blocks[number];
            if (block == latch || block.Terminator.Opcode is not (Opcode.Br or Opcode.Switch)) continue;
            for (var i = 0; i < block.Terminator.SuccessorCount; i++) // as it is now, not as the graph was
                if (block.Terminator.Successor(i) is var to && !Array.Exists(loop.Blocks, b => graph.Blocks[b] == to) && !isCold(to) && !exits.Contains((block, to))) exits.Add((block, to));
        }
        return exits;
    }
}
