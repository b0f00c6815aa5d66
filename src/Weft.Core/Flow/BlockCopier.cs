using Weft.Llvm;

namespace Weft.Core.Flow;

/// <summary>
/// Copies blocks of a function. Edges among them lead to copies, edges out of them where they led before; nothing leads in yet.
/// <code>
/// a: %v = ...; br %b or %out           a: ...  b: ...  out: %w = phi [%v, %a], [%v2, %a2]
/// b: ...                         ==>   a2: %v2 = ...; br %b2 or %out
/// out: %w = phi [%v, %a]               b2: ...
/// </code>
/// Values that are used behind the blocks must go through <see cref="KeepForLater"/> before.
/// </summary>
public sealed class BlockCopier(LlvmContext context, Builder builder)
{
    /// <summary>Whether two of the instruction may be in a function.</summary>
    public static bool CanBeCopied(Instruction instruction)
    {
        if (instruction.Opcode is Opcode.Alloca or Opcode.Invoke or Opcode.CallBr or Opcode.LandingPad) return false;
        if (instruction.AsValue.Type.Kind == TypeKind.Token) return false;
        return !instruction.IsCall || instruction.CalledValue is { IsFunction: true } callee && callee.AsFunction.IsIntrinsic;
    }

    /// <param name="blocks">What is copied.</param>
    /// <param name="map">What stands for what in the copy, values and blocks. Phis that are in it already are not copied.</param>
    /// <param name="function">Theirs.</param>
    public void Copy(List<BasicBlock> blocks, Dictionary<nint, nint> map, Function function)
    {
        foreach (var block in blocks) map[block.Handle] = function.AppendBlock(context).Handle;
        var clones = new List<Instruction>();
        var phis = new List<Instruction>();
        foreach (var block in blocks)
        {
            builder.AtEnd(new BasicBlock(map[block.Handle]));
            foreach (var instruction in block.Instructions)
                if (instruction.Opcode != Opcode.Phi) clones.Add(Clone(instruction, map));
                else if (map.TryAdd(instruction.Handle, 0))
                {
                    builder.SetLocation(instruction.DebugLocation);
                    map[instruction.Handle] = builder.Phi(instruction.AsValue.Type).Handle;
                    phis.Add(instruction);
                }
        }
        foreach (var clone in clones)
            for (var i = 0; i < clone.AsValue.OperandCount; i++)
                if (map.TryGetValue(clone.AsValue.Operand(i).Handle, out var mapped)) clone.SetOperand(i, new Value(mapped));
        foreach (var phi in phis)
            for (var i = 0; i < phi.IncomingCount; i++)
                new Instruction(map[phi.Handle]).AddIncoming(Mapped(phi.IncomingValue(i), map), Mapped(phi.IncomingBlock(i), map));
        foreach (var block in blocks) TellExits(block, map);
    }

    /// <summary>Gives a value that is used behind the blocks a stack slot, but for phis right behind them; mem2reg takes it away.</summary>
    public void KeepForLater(Instruction value, Func<BasicBlock, bool> isCopied, Function function)
    {
        Value slot = default;
        foreach (var user in value.AsValue.Users)
        {
            if (isCopied(user.Block)) continue;
            for (var i = 0; i < user.AsValue.OperandCount; i++)
            {
                if (user.AsValue.Operand(i) != value.AsValue) continue;
                var isPhi = user.Opcode == Opcode.Phi;
                if (isPhi && isCopied(user.IncomingBlock(i))) continue;
                if (!slot.Exists) slot = Keep(value, function);
                builder.Before(isPhi ? user.IncomingBlock(i).Terminator : user);
                builder.SetLocation(0);
                user.SetOperand(i, builder.Load(value.AsValue.Type, slot));
            }
        }
    }

    public static Value Mapped(Value value, Dictionary<nint, nint> map) => map.TryGetValue(value.Handle, out var mapped) ? new(mapped) : value;

    public static BasicBlock Mapped(BasicBlock block, Dictionary<nint, nint> map) => map.TryGetValue(block.Handle, out var mapped) ? new(mapped) : block;

    private Instruction Clone(Instruction instruction, Dictionary<nint, nint> map)
    {
        var clone = instruction.Copy();
        builder.Insert(clone);
        map[instruction.Handle] = clone.Handle;
        return clone;
    }

    private static void TellExits(BasicBlock block, Dictionary<nint, nint> map)
    {
        var seen = new HashSet<nint>();
        for (var k = 0; k < block.Terminator.SuccessorCount; k++)
        {
            var exit = block.Terminator.Successor(k);
            if (map.ContainsKey(exit.Handle) || !seen.Add(exit.Handle)) continue;
            foreach (var phi in FlowEditor.Phis(exit))
                for (int i = 0, count = phi.IncomingCount; i < count; i++)
                    if (phi.IncomingBlock(i) == block) phi.AddIncoming(Mapped(phi.IncomingValue(i), map), Mapped(block, map));
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
}
