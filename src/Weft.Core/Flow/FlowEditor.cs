using Weft.Llvm;

namespace Weft.Core.Flow;

/// <summary>Puts blocks on edges. Phis cannot be told another block through LLVM-C, so they are made anew.</summary>
public sealed class FlowEditor(LlvmContext context, Builder builder)
{
    /// <summary>
    /// A block before <paramref name="header"/> that all edges go through but those from blocks that stay. Its phis, one
    /// for each of the header's and in their order, merge what came along those edges. It has no terminator yet.
    /// </summary>
    public (BasicBlock Block, List<Value> Phis) InsertBefore(BasicBlock header, Func<BasicBlock, bool> stays)
    {
        var block = header.Parent.AppendBlock(context);
        foreach (var predecessor in header.Predecessors)
            if (!stays(predecessor)) Redirect(predecessor.Terminator, header, block);
        var phis = new List<Value>();
        foreach (var phi in Phis(header))
        {
            builder.AtEnd(block);
            builder.SetLocation(phi.DebugLocation);
            var merged = builder.Phi(phi.AsValue.Type);
            builder.Before(phi);
            var rest = builder.Phi(phi.AsValue.Type);
            for (var i = 0; i < phi.IncomingCount; i++)
                (stays(phi.IncomingBlock(i)) ? rest : merged).AsInstruction.AddIncoming(phi.IncomingValue(i), phi.IncomingBlock(i));
            rest.AsInstruction.AddIncoming(merged, block);
            Replace(phi, rest);
            phis.Add(merged);
        }
        return (block, phis);
    }

    /// <summary>A block on all edges between two blocks; ends in the jump.</summary>
    public BasicBlock Split(BasicBlock from, BasicBlock to)
    {
        var block = from.Parent.AppendBlock(context);
        Redirect(from.Terminator, to, block);
        Jump(block, from, to);
        MoveIncoming(to, from, block);
        return block;
    }

    /// <summary>A block on one edge; another edge between the same blocks, as cases of a switch may have, stays. Ends in the jump.</summary>
    public BasicBlock Split(BasicBlock from, int successor)
    {
        var to = from.Terminator.Successor(successor);
        var block = from.Parent.AppendBlock(context);
        from.Terminator.SetSuccessor(successor, block);
        Jump(block, from, to);
        MoveIncoming(to, from, block, keepsOthers: true);
        return block;
    }

    /// <summary>Moves a terminator into a block of its own, which is returned; the old block has none then.</summary>
    public BasicBlock MoveToOwnBlock(Instruction terminator)
    {
        var (from, block) = (terminator.Block, terminator.Block.Parent.AppendBlock(context));
        terminator.Remove();
        builder.AtEnd(block);
        builder.Insert(terminator);
        for (var i = 0; i < terminator.SuccessorCount; i++) MoveIncoming(terminator.Successor(i), from, block);
        return block;
    }

    /// <summary>Tells the phis of a block that what came from one block now comes from another.</summary>
    public void MoveIncoming(BasicBlock block, BasicBlock from, BasicBlock to) => MoveIncoming(block, from, to, keepsOthers: false);

    // A switch with several edges here has an entry for each: the first moves, the others stay or go.
    private void MoveIncoming(BasicBlock block, BasicBlock from, BasicBlock to, bool keepsOthers)
    {
        foreach (var phi in Phis(block))
        {
            builder.Before(phi);
            var moved = builder.Phi(phi.AsValue.Type);
            var isMoved = false;
            for (var i = 0; i < phi.IncomingCount; i++)
            {
                var comes = phi.IncomingBlock(i);
                var isFirst = comes == from && !isMoved;
                isMoved |= isFirst;
                if (isFirst || comes != from || keepsOthers) moved.AsInstruction.AddIncoming(phi.IncomingValue(i), isFirst ? to : comes);
            }
            Replace(phi, moved);
        }
    }

    public static List<Instruction> Phis(BasicBlock block)
    {
        var phis = new List<Instruction>();
        foreach (var instruction in block.Instructions)
        {
            if (instruction.Opcode != Opcode.Phi) break;
            phis.Add(instruction);
        }
        return phis;
    }

    public static void Redirect(Instruction terminator, BasicBlock from, BasicBlock to)
    {
        for (var i = 0; i < terminator.SuccessorCount; i++)
            if (terminator.Successor(i) == from) terminator.SetSuccessor(i, to);
    }

    // The builder's location may still be one of another function.
    private void Jump(BasicBlock block, BasicBlock from, BasicBlock to)
    {
        builder.AtEnd(block);
        builder.SetLocation(from.Terminator.DebugLocation);
        builder.Branch(to);
    }

    private static void Replace(Instruction phi, Value with)
    {
        phi.AsValue.ReplaceAllUsesWith(with);
        phi.Erase();
    }
}
