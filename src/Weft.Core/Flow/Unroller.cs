using Weft.Llvm;

namespace Weft.Core.Flow;

/// <summary>
/// Writes the body of a tiny loop out several times, each copy with its own ways out, so that what stands at the end of the
/// last copy is passed once in that many rounds, and not at all by a loop that ends before.
/// <code>
/// header:  %v = phi [%a, outside], [%b, %latch]      header:   %v = phi [%a, outside], [%b2, %latch2]
///          ... br %exit or %latch                              ... br %exit or %latch
/// latch:   %b = ...; br %header                      latch:    %b = ...; br %header2
///                                                    header2:  (%b in place of %v) ... br %exit or %latch2
///                                                    latch2:   %b2 = ...; br %header
/// </code>
/// Values of the loop that are used behind it go through a stack slot, which mem2reg takes away.
/// </summary>
public sealed class Unroller(BlockCopier copier, FlowEditor editor, LoopMembership membership)
{
    private const int MostCopies = 4;

    /// <summary>How many copies of its body a loop is worth; 1: it stays as it is.</summary>
    /// <param name="loop">The loop.</param>
    /// <param name="graph">Its function's.</param>
    /// <param name="mostInstructions">Beyond which it stays as it is.</param>
    /// <param name="isFree">Instructions that do not count.</param>
    public static int Copies(Loop loop, FlowGraph graph, int mostInstructions, Func<Instruction, bool> isFree)
    {
        if (!loop.IsReducible || loop.Children.Count > 0 || graph.Predecessors[loop.Header].Count(loop.Contains) != 1) return 1;
        var size = 0;
        foreach (var block in loop.Blocks)
        {
            if (graph.Blocks[block].Terminator.Opcode is not (Opcode.Br or Opcode.Switch)) return 1;
            foreach (var instruction in graph.Blocks[block].Instructions)
                if (!CanBeCopied(instruction)) return 1;
                else if (instruction.Opcode != Opcode.Phi && !isFree(instruction)) size++;
        }
        return size > mostInstructions ? 1 : Math.Clamp(3 * mostInstructions / size, 1, MostCopies);
    }

    /// <summary>Unrolls, and returns the branch back to the header.</summary>
    public Instruction Unroll(Loop loop, FlowGraph graph, int copies, Function function)
    {
        var blocks = loop.Blocks.Order().Select(b => graph.Blocks[b]).ToList();
        var header = graph.Blocks[loop.Header];
        var latch = header.Predecessors.Single(b => membership.IsIn(b, loop));
        foreach (var block in blocks)
            foreach (var instruction in block.Instructions)
                copier.KeepForLater(instruction, b => membership.IsIn(b, loop), function);
        var map = new Dictionary<nint, nint>();
        var latches = new List<BasicBlock> { latch };
        var headers = new List<BasicBlock>();
        for (var copy = 1; copy < copies; copy++)
        {
            map = Copy(blocks, header, latch, map, loop, function);
            headers.Add(new BasicBlock(map[header.Handle]));
            latches.Add(new BasicBlock(map[latch.Handle]));
        }
        for (var i = 0; i < headers.Count; i++) FlowEditor.Redirect(latches[i].Terminator, header, headers[i]); // not before: copies are made of the first
        var last = latches[^1];
        foreach (var phi in FlowEditor.Phis(header)) // before they are made anew: the map knows them
            for (var i = 0; i < phi.IncomingCount; i++)
                if (phi.IncomingBlock(i) == latch) phi.SetOperand(i, BlockCopier.Mapped(phi.IncomingValue(i), map));
        editor.MoveIncoming(header, latch, last);
        return last.Terminator;
    }

    private static bool CanBeCopied(Instruction instruction) =>
        BlockCopier.CanBeCopied(instruction) && !(instruction.IsCall && instruction.CalledValue.AsFunction.Name.Contains("noalias.scope", StringComparison.Ordinal));

    /// <summary>One more body behind the last. Returns what stands for what in it: values and blocks.</summary>
    private Dictionary<nint, nint> Copy(List<BasicBlock> blocks, BasicBlock header, BasicBlock latch, Dictionary<nint, nint> before, Loop loop, Function function)
    {
        var map = new Dictionary<nint, nint>();
        foreach (var phi in FlowEditor.Phis(header)) // there is one way in: from the latch before
            map[phi.Handle] = BlockCopier.Mapped(phi.IncomingFrom(latch), before).Handle;
        copier.Copy(blocks, map, function);
        foreach (var block in blocks) membership.Add(BlockCopier.Mapped(block, map), loop);
        FlowEditor.Redirect(BlockCopier.Mapped(latch, map).Terminator, BlockCopier.Mapped(header, map), header);
        return map;
    }
}
