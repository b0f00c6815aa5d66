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
    private readonly LoopChunker chunker = new(context, builder, editor, weights, membership);

    public void Weave(Prepaid prepaid, FlowGraph graph, Func<BasicBlock, bool> isCold, Value slot)
    {
        var counted = prepaid.Counted;
        var others = OtherExits(prepaid.Loop, graph, graph.Blocks[counted.Latch], isCold);
        var (limit, variable) = chunker.Split(prepaid.Loop, counted, graph,
            enter: (block, first, bound) => BuildEntry(block, first, bound, counted, prepaid, slot),
            over: () => { },
            again: () => builder.Store(builder.Call(probes.Expire, builder.Load(word, slot), probes.Gap).AsValue, slot));
        foreach (var (from, to) in others) Refund(from, to, limit, variable, counted, prepaid, slot);
    }

    private (Value Limit, BasicBlock End) BuildEntry(BasicBlock enter, Value first, Value bound, CountedLoop counted, Prepaid prepaid, Value slot)
    {
        var cost = (ulong)prepaid.Cost;
        BasicBlock all = enter.Parent.AppendBlock(context), part = enter.Parent.AppendBlock(context), go = enter.Parent.AppendBlock(context);
        builder.AtEnd(enter);
        var trips = rounds.Until(first, bound, counted);
        var left = builder.Load(word, slot);
        var can = builder.Binary(Opcode.LShr, builder.Mul(left, word.Const((1ul << ReciprocalBits) / cost)), word.Const(ReciprocalBits));
        weights.MarkUnlikely(builder.Branch(builder.Compare(Predicate.UnsignedGreater, trips, can), part, all));

        builder.AtEnd(all);
        builder.Store(builder.Sub(left, builder.Mul(trips, word.Const(cost))), slot);
        builder.Branch(go);

        builder.AtEnd(part);
        // Not enough for one round: it takes what there is, or a count that waits for more would never get there.
        var dry = builder.Compare(Predicate.Equal, can, word.Const(0));
        builder.Store(builder.Select(dry, word.Const(0), builder.Sub(left, builder.Mul(can, word.Const(cost)))), slot);
        var run = builder.Select(dry, word.Const(1), can);
        var stop = rounds.After(first, run, counted);
        builder.Branch(go);

        builder.AtEnd(go);
        var limit = builder.Phi(bound.Type);
        limit.AsInstruction.AddIncoming(bound, all);
        limit.AsInstruction.AddIncoming(stop, part);
        foreach (var block in (ReadOnlySpan<BasicBlock>)[all, part]) membership.Add(block, prepaid.Loop.Parent);
        return (limit, go);
    }

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
