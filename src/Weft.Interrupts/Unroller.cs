using Weft.Core.Flow;
using Weft.Llvm;

namespace Weft.Interrupts;

/// <summary>
/// Writes the body of a tiny loop out several times, each copy with its own ways out, so that a probe at the end of the
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
internal sealed class Unroller(LlvmContext context, Builder builder, FlowEditor editor, LoopMembership membership)
{
    private const int MostInstructions = 8, InstructionsInAll = 24, MostCopies = 4;

    /// <summary>How many copies of its body a loop is worth; 1: it stays as it is.</summary>
    public static int Copies(Loop loop, FlowGraph graph)
    {
        if (!loop.IsReducible || loop.Children.Count > 0 || graph.Predecessors[loop.Header].Count(loop.Contains) != 1) return 1;
        var size = 0;
        foreach (var block in loop.Blocks)
        {
            if (graph.Blocks[block].Terminator.Opcode is not (Opcode.Br or Opcode.Switch)) return 1;
            foreach (var instruction in graph.Blocks[block].Instructions)
                if (!CanBeCopied(instruction)) return 1;
                else if (instruction.Opcode != Opcode.Phi) size++;
        }
        return size > MostInstructions ? 1 : Math.Clamp(InstructionsInAll / size, 1, MostCopies);
    }

    /// <summary>Unrolls, and returns the branch back to the header.</summary>
    public Instruction Unroll(Loop loop, FlowGraph graph, int copies, Function function)
    {
        var blocks = loop.Blocks.Order().Select(b => graph.Blocks[b]).ToList();
        var header = graph.Blocks[loop.Header];
        var latch = header.Predecessors.Single(b => membership.IsIn(b, loop));
        foreach (var block in blocks)
            foreach (var instruction in block.Instructions)
                KeepForLater(instruction, loop, function);
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
                if (phi.IncomingBlock(i) == latch) phi.SetOperand(i, Mapped(phi.IncomingValue(i), map));
        editor.MoveIncoming(header, latch, last);
        return last.Terminator;
    }

    private static bool CanBeCopied(Instruction instruction)
    {
        if (instruction.Opcode is Opcode.Alloca or Opcode.Invoke or Opcode.CallBr or Opcode.LandingPad) return false;
        if (instruction.AsValue.Type.Kind == TypeKind.Token) return false;
        return !instruction.IsCall || instruction.CalledValue is { IsFunction: true } callee && callee.AsFunction.IsIntrinsic && !callee.AsFunction.Name.Contains("noalias.scope", StringComparison.Ordinal);
    }

    /// <summary>One more body behind the last. Returns what stands for what in it: values and blocks.</summary>
    private Dictionary<nint, nint> Copy(List<BasicBlock> blocks, BasicBlock header, BasicBlock latch, Dictionary<nint, nint> before, Loop loop, Function function)
    {
        var map = new Dictionary<nint, nint>();
        foreach (var block in blocks)
        {
            var copy = function.AppendBlock(context);
            map[block.Handle] = copy.Handle;
            membership.Add(copy, loop);
        }
        foreach (var phi in FlowEditor.Phis(header)) // there is one way in: from the latch before
            map[phi.Handle] = Mapped(phi.IncomingFrom(latch), before).Handle;
        var clones = new List<Instruction>();
        var phis = new List<Instruction>();
        foreach (var block in blocks)
        {
            builder.AtEnd(new BasicBlock(map[block.Handle]));
            foreach (var instruction in block.Instructions)
            {
                if (instruction.Opcode == Opcode.Phi && block == header) continue;
                if (instruction.Opcode == Opcode.Phi)
                {
                    map[instruction.Handle] = builder.Phi(instruction.AsValue.Type).Handle;
                    phis.Add(instruction);
                    continue;
                }
                var clone = instruction.Copy();
                builder.Insert(clone);
                map[instruction.Handle] = clone.Handle;
                clones.Add(clone);
            }
        }
        foreach (var clone in clones)
            for (var i = 0; i < clone.AsValue.OperandCount; i++)
                if (map.TryGetValue(clone.AsValue.Operand(i).Handle, out var mapped)) clone.SetOperand(i, new Value(mapped));
        FlowEditor.Redirect(new BasicBlock(map[latch.Handle]).Terminator, new BasicBlock(map[header.Handle]), header);
        foreach (var phi in phis)
            for (var i = 0; i < phi.IncomingCount; i++)
                new Instruction(map[phi.Handle]).AddIncoming(Mapped(phi.IncomingValue(i), map), new BasicBlock(map[phi.IncomingBlock(i).Handle]));
        foreach (var block in blocks) TellExits(block, map, loop);
        return map;
    }

    private void TellExits(BasicBlock block, Dictionary<nint, nint> map, Loop loop)
    {
        var seen = new HashSet<nint>();
        for (var k = 0; k < block.Terminator.SuccessorCount; k++)
        {
            var exit = block.Terminator.Successor(k);
            if (membership.IsIn(exit, loop) || !seen.Add(exit.Handle)) continue;
            foreach (var phi in FlowEditor.Phis(exit))
                for (int i = 0, count = phi.IncomingCount; i < count; i++)
                    if (phi.IncomingBlock(i) == block) phi.AddIncoming(Mapped(phi.IncomingValue(i), map), new BasicBlock(map[block.Handle]));
        }
    }

    /// <summary>Gives a value of the loop that is used behind it a slot, but for phis right behind an exit.</summary>
    private void KeepForLater(Instruction value, Loop loop, Function function)
    {
        Value slot = default;
        foreach (var user in value.AsValue.Users)
        {
            if (membership.IsIn(user.Block, loop)) continue;
            for (var i = 0; i < user.AsValue.OperandCount; i++)
            {
                if (user.AsValue.Operand(i) != value.AsValue) continue;
                var isPhi = user.Opcode == Opcode.Phi;
                if (isPhi && membership.IsIn(user.IncomingBlock(i), loop)) continue;
                if (!slot.Exists) slot = Keep(value, function);
                builder.Before(isPhi ? user.IncomingBlock(i).Terminator : user);
                builder.SetLocation(0);
                user.SetOperand(i, builder.Load(value.AsValue.Type, slot));
            }
        }
    }

    private Value Keep(Instruction value, Function function)
    {
        builder.Before(function.Entry.First);
        builder.SetLocation(0);
        var slot = builder.Alloca(value.AsValue.Type);
        builder.Before(value.Opcode == Opcode.Phi ? value.Block.FirstInsertion : value.Next);
        builder.Store(value.AsValue, slot);
        return slot;
    }

    private static Value Mapped(Value value, Dictionary<nint, nint> map) => map.TryGetValue(value.Handle, out var mapped) ? new(mapped) : value;
}
