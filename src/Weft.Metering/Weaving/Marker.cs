using Weft.Llvm;
using Weft.Metering.Costs;

namespace Weft.Metering.Weaving;

/// <summary>
/// FRONT: says what each block costs, before anything is optimised.
/// <code>
/// then:                           then:
///                          ==>      mark 3
///   %x = add i32 %n, 1              %x = add i32 %n, 1
///                                   mark %x                 ; if the model has a rule for g that asks for its argument
///   call void @g(i32 %x)            call void @g(i32 %x)
///   br i1 %c, ...                   br i1 %c, ...
/// </code>
/// </summary>
internal sealed class Marker(Module module, InstructionCosts costs, Records? records)
{
    /// <summary>Something to charge for.</summary>
    /// <param name="Before">Where: the beginning of a block, or a call.</param>
    /// <param name="Units">Of a block.</param>
    /// <param name="Linear">Of a call.</param>
    private readonly record struct Site(Instruction Before, ulong Units, LinearCost? Linear)
    {
        public Value Argument => Before.AsValue.Operand(Linear!.Argument);
    }

    public void Mark(IReadOnlyList<Function> functions, Builder builder, WorkMarks marks) => ForEach(functions, builder, (site, record) =>
    {
        if (site.Linear is { } linear) marks.Add(builder, linear, site.Argument, record);
        else marks.Add(builder, site.Units, record);
    });

    /// <summary>The reference: each block charges memory, and looks, unless there are points that do.</summary>
    public void Charge(IReadOnlyList<Function> functions, Builder builder, Probes probes, bool looks)
    {
        var unit = module.Context.Int(64);
        ForEach(functions, builder, (site, record) =>
        {
            var units = site.Linear is { } linear ? WorkMarks.ValueOf(linear, builder.Resize(site.Argument, unit), builder) : unit.Const(site.Units);
            if (record is { } known) builder.Call(probes.Attribute, known, units);
            builder.Call(looks || site.Linear != null ? probes.Check : probes.Charge, units);
        });
    }

    private void ForEach(IReadOnlyList<Function> functions, Builder builder, Action<Site, Value?> insert)
    {
        foreach (var function in functions)
        {
            var sites = Match(function);
            if (sites.Count == 0) continue;
            var record = records?.For(function);
            builder.SetArtificialLocation(function);
            foreach (var site in sites)
            {
                builder.Before(site.Before);
                insert(site, record);
            }
        }
    }

    private List<Site> Match(Function function)
    {
        var sites = new List<Site>();
        var entry = function.Entry;
        foreach (var block in function.Blocks)
        {
            if (block != entry && IsReturn(block)) continue; // the blocks before have paid
            var before = block == entry ? AfterAllocas(block) : block.FirstInsertion;
            if (!before.Exists) continue; // only a catchswitch: nothing may stand beside it, and it costs nothing
            var (units, calls) = CostOf(block);
            if (units + CostOfReturn(block) is var all and > 0) sites.Add(new(before, all, null));
            sites.AddRange(calls);
        }
        return sites;
    }

    private (ulong Units, List<Site> Calls) CostOf(BasicBlock block)
    {
        ulong units = 0;
        var calls = new List<Site>();
        foreach (var instruction in block.Instructions)
        {
            var cost = costs.Of(instruction);
            units += cost.Units;
            if (cost.Linear != null) calls.Add(new(instruction, 0, cost.Linear));
        }
        return (units, calls);
    }

    private ulong CostOfReturn(BasicBlock block) =>
        block.Terminator is { Opcode: Opcode.Br, SuccessorCount: 1 } jump && jump.Successor(0) is var next && next != block && IsReturn(next) ? CostOf(next).Units : 0;

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
