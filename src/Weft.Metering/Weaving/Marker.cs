using Weft.Llvm;

namespace Weft.Metering.Weaving;

/// <summary>
/// FRONT: says what each block costs, before anything is optimised.
/// <code>
/// then:                           then:
///                          ==>      mark 3
///   %x = add i32 %n, 1              %x = add i32 %n, 1
///   call void @g(i32 %x)            call void @g(i32 %x)
///   br i1 %c, ...                   br i1 %c, ...
/// </code>
/// </summary>
internal sealed class Marker(Module module, Records? records)
{
    private readonly CanonicalCost cost = new(module);

    public void Mark(IReadOnlyList<Function> functions, Builder builder, WorkMarks marks) =>
        ForEach(functions, builder, (units, record) => marks.Add(builder, units, record));

    /// <summary>The reference: each block charges memory, and looks, unless there are points that do.</summary>
    public void Charge(IReadOnlyList<Function> functions, Builder builder, Probes probes, bool looks)
    {
        var unit = module.Context.Int(64);
        ForEach(functions, builder, (units, record) =>
        {
            if (record is { } known) builder.Call(probes.Attribute, known, unit.Const(units));
            builder.Call(looks ? probes.Check : probes.Charge, unit.Const(units));
        });
    }

    private void ForEach(IReadOnlyList<Function> functions, Builder builder, Action<ulong, Value?> insert)
    {
        foreach (var function in functions)
        {
            var sites = Match(function);
            if (sites.Count == 0) continue;
            var record = records?.For(function);
            builder.SetArtificialLocation(function);
            foreach (var (before, units) in sites)
            {
                builder.Before(before);
                insert(units, record);
            }
        }
    }

    private List<(Instruction Before, ulong Units)> Match(Function function)
    {
        var sites = new List<(Instruction, ulong)>();
        var entry = function.Entry;
        foreach (var block in function.Blocks)
        {
            if (block != entry && IsReturn(block)) continue; // the blocks before have paid
            var before = block == entry ? AfterAllocas(block) : block.FirstInsertion;
            if (!before.Exists) continue; // only a catchswitch: nothing may stand beside it, and it costs nothing
            if (cost.Of(block) + CostOfReturn(block) is var units and > 0) sites.Add((before, units));
        }
        return sites;
    }

    private ulong CostOfReturn(BasicBlock block) =>
        block.Terminator is { Opcode: Opcode.Br, SuccessorCount: 1 } jump && jump.Successor(0) is var next && next != block && IsReturn(next) ? cost.Of(next) : 0;

    /// <summary>
    /// A block that nothing but returns from the function, and that every block before jumps to: charged there, so that a call right
    /// before it can still become a jump.
    /// </summary>
    private bool IsReturn(BasicBlock block)
    {
        if (block.Terminator.Opcode != Opcode.Ret) return false;
        foreach (var instruction in block.Instructions)
            if (instruction.IsCall || instruction.IsSynchronising) return false;
        return block.Predecessors is { Count: > 0 } before && before.TrueForAll(b => b.Terminator is { Opcode: Opcode.Br, SuccessorCount: 1 });
    }

    // What a charge becomes may bring a branch: an alloca behind it would no longer be a fixed slot of the frame.
    public static Instruction AfterAllocas(BasicBlock entry)
    {
        var first = entry.First;
        foreach (var instruction in entry.Instructions)
        {
            if (instruction.Opcode == Opcode.Alloca) first = instruction.Next;
            if (instruction.IsCall && !(instruction.CalledValue is { IsFunction: true } callee && callee.AsFunction.IsIntrinsic)) break;
        }
        return first;
    }
}
