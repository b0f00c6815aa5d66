using Weft.Llvm;

namespace Weft.Core.Flow;

/// <summary>
/// Lets a counted loop go round in chunks, between which something is done: the loop itself stays as it was, but for the bound.
/// <code>
///                                              enter:    %first = phi [%start, outside...], [%next, %again]
///                                                        %limit = ...        ; from %first towards %bound, at least one round
/// header:  %iv = phi [%start, outside...],     header:   %iv = phi [%first, enter], [%next, %latch]
///                    [%next, %latch]
/// latch:   %next = add %iv, STEP               latch:    %next = add %iv, STEP
///          br (%next != %bound), %header,                br (%next != %limit), %header, %over
///                                %exit         over:     ...; br (%next != %bound), %again, %exit
///                                              again:    ...; br %enter
/// </code>
/// Guarantee: the body runs as often as before.
/// </summary>
public sealed class LoopChunker(LlvmContext context, Builder builder, FlowEditor editor, BranchWeights weights, LoopMembership membership)
{
    /// <summary>Writes what computes a chunk's end, at the end of a block: its limit, and the block that goes on to the header, without the jump.</summary>
    public delegate (Value Limit, BasicBlock End) Entry(BasicBlock enter, Value first, Value bound);

    /// <param name="loop">The loop.</param>
    /// <param name="counted">How it is counted.</param>
    /// <param name="graph">Its function's.</param>
    /// <param name="enter">What computes a chunk's end.</param>
    /// <param name="over">What is done behind each chunk; the builder stands there.</param>
    /// <param name="again">What is done behind those that another follows.</param>
    /// <returns>The bound of the chunk in the loop, and the variable.</returns>
    public (Value Limit, Value Variable) Split(Loop loop, CountedLoop counted, FlowGraph graph, Entry enter, Action over, Action again)
    {
        var (header, latch) = (graph.Blocks[loop.Header], graph.Blocks[counted.Latch]);
        var bound = counted.Comparison.AsValue.Operand(counted.BoundIsSecond ? 1 : 0);
        var (entry, merged) = editor.InsertBefore(header, b => membership.IsIn(b, loop));
        var variable = counted.Next.AsValue.Operand(0);
        var position = FlowEditor.Phis(header).FindIndex(p => p.AsValue == variable);
        builder.AtEnd(entry);
        builder.SetLocation(latch.Terminator.DebugLocation);
        var (limit, end) = enter(entry, merged[position], bound);
        builder.AtEnd(end);
        builder.Branch(header);
        editor.MoveIncoming(header, entry, end);

        builder.Before(header.First);
        var limits = builder.Phi(bound.Type);
        limits.AsInstruction.AddIncoming(limit, end);
        limits.AsInstruction.AddIncoming(limits, latch);

        var (behind, back) = LeaveEarly(counted, latch, bound, limits, over);
        builder.AtEnd(back);
        again();
        builder.Branch(entry);
        var phis = FlowEditor.Phis(header); // the first one is the limit
        for (var i = 0; i < merged.Count; i++) merged[i].AsInstruction.AddIncoming(phis[i + 1].IncomingFrom(latch), back);
        foreach (var block in (ReadOnlySpan<BasicBlock>)[entry, end, behind, back]) membership.Add(block, loop.Parent);
        return (limits, phis[position + 1].AsValue);
    }

    private (BasicBlock Over, BasicBlock Again) LeaveEarly(CountedLoop counted, BasicBlock latch, Value bound, Value limits, Action over)
    {
        var (branch, order) = (latch.Terminator, counted.Comparison.Predicate);
        var (behind, again) = (latch.Parent.AppendBlock(context), latch.Parent.AppendBlock(context));
        var exit = branch.Successor(counted.ExitIndex);
        builder.Before(branch);
        var compared = counted.Comparison.AsValue.Operand(counted.BoundIsSecond ? 0 : 1); // only now: phis have been made anew
        branch.Condition = Compare(order, compared, limits, counted.BoundIsSecond);
        branch.SetSuccessor(counted.ExitIndex, behind);
        builder.AtEnd(behind);
        over();
        var more = Compare(order, compared, bound, counted.BoundIsSecond);
        if (counted.ExitIndex == 0) builder.Branch(more, exit, again); // the comparison asks for the end
        else weights.MarkUnlikely(builder.Branch(more, again, exit));
        editor.MoveIncoming(exit, latch, behind);
        if (!counted.Comparison.AsValue.HasUses) counted.Comparison.Erase();
        return (behind, again);
    }

    private Value Compare(Predicate predicate, Value compared, Value bound, bool boundIsSecond) =>
        boundIsSecond ? builder.Compare(predicate, compared, bound) : builder.Compare(predicate, bound, compared);
}
