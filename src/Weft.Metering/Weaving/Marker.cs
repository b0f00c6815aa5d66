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
/// <param name="module">What is marked.</param>
/// <param name="builder">Inserts.</param>
/// <param name="costs">What instructions cost.</param>
/// <param name="records">Whose units they are, if somebody wants to know.</param>
/// <param name="contexts">Who called whom, likewise.</param>
internal sealed class Marker(Module module, Builder builder, InstructionCosts costs, Records? records, CallContexts? contexts)
{
    private readonly LlvmType unit = module.Context.Int(64);

    /// <summary>Something to charge for: a block, perhaps with the return behind it, or what an argument of a call adds.</summary>
    /// <param name="Before">Where: the beginning of the block, or the call.</param>
    /// <param name="Parts">Of the block, by whose they are; of a call one, without units.</param>
    /// <param name="Linear">Of a call.</param>
    private readonly record struct Site(Instruction Before, List<(Value? Record, ulong Units)> Parts, LinearCost? Linear)
    {
        public ulong Units => Parts.Aggregate(0ul, (sum, p) => sum + p.Units);

        public Value Argument => Before.AsValue.Operand(Linear!.Argument);
    }

    public void Mark(IReadOnlyList<Function> functions, WorkMarks marks) => ForEach(functions, site =>
    {
        if (site.Linear is { } linear) marks.Add(builder, linear, site.Argument, site.Parts[0].Record);
        else foreach (var (record, units) in site.Parts) marks.Add(builder, units, record);
    });

    /// <summary>The reference: each block charges memory, and looks, unless there are points that do.</summary>
    public void Charge(IReadOnlyList<Function> functions, Probes probes, bool looks) => ForEach(functions, site =>
    {
        foreach (var (record, units) in site.Parts)
            if (record is { } known) builder.Call(probes.Attribute, known, site.Linear == null ? unit.Const(units) : ValueOf(site));
        builder.Call(looks || site.Linear != null ? probes.Check : probes.Charge, ValueOf(site));
    });

    private Value ValueOf(Site site) => site.Linear is { } linear ? WorkMarks.ValueOf(linear, builder.Resize(site.Argument, unit), builder) : unit.Const(site.Units);

    private void ForEach(IReadOnlyList<Function> functions, Action<Site> insert)
    {
        foreach (var function in functions)
        {
            var sites = Match(function);
            if (sites.Count == 0) continue;
            builder.SetArtificialLocation(function);
            var count = contexts?.Weave(function, AfterAllocas(function.Entry), records!.For(function));
            foreach (var site in sites)
            {
                builder.Before(site.Before);
                insert(site);
                count?.Invoke(ValueOf(site));
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
            var calls = new List<Site>();
            var parts = new List<(Value? Record, ulong Units)>();
            AddParts(function, block, parts, calls);
            if (ReturnBehind(block) is { } behind) AddParts(function, behind, parts, calls);
            if (parts.Count > 0) sites.Add(new(before, parts, null));
            sites.AddRange(calls);
        }
        return sites;
    }

    // What has no line of its own has that of what comes before it, so that each unit has one.
    private void AddParts(Function function, BasicBlock block, List<(Value? Record, ulong Units)> parts, List<Site> calls)
    {
        var hasLines = records?.HasLines == true;
        var record = hasLines ? FirstLine(function, block) : records?.For(function);
        foreach (var instruction in block.Instructions)
        {
            if (hasLines && new DebugLocation(instruction.DebugLocation) is { Handle: not 0, Line: > 0 } known) record = records!.For(function, known);
            var (units, linear) = costs.Of(instruction);
            if (linear != null) calls.Add(new(instruction, [(record, 0)], linear));
            if (units == 0) continue;
            var at = parts.FindLastIndex(p => p.Record == record);
            if (at < 0) parts.Add((record, units));
            else parts[at] = (record, parts[at].Units + units);
        }
    }

    private Value FirstLine(Function function, BasicBlock block)
    {
        foreach (var instruction in block.Instructions)
            if (instruction.DebugLocation is var location and not 0 && new DebugLocation(location) is { Line: > 0 } known) return records!.For(function, known);
        return records!.For(function);
    }

    private static BasicBlock? ReturnBehind(BasicBlock block) =>
        block.Terminator is { Opcode: Opcode.Br, SuccessorCount: 1 } jump && jump.Successor(0) is var next && next != block && IsReturn(next) ? next : null;

    /// <summary>
    /// A block that nothing but returns from the function, and that every block before jumps to: charged there, so that a call right
    /// before it can still become a jump.
    /// </summary>
    private static bool IsReturn(BasicBlock block)
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
