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
/// <param name="module">What is marked.</param>
/// <param name="builder">Inserts.</param>
/// <param name="records">Whose units they are, if somebody wants to know.</param>
/// <param name="contexts">Who called whom, likewise.</param>
internal sealed class Marker(Module module, Builder builder, Records? records, CallContexts? contexts)
{
    private readonly CanonicalCost cost = new(module);

    public void Mark(IReadOnlyList<Function> functions, WorkMarks marks) => ForEach(functions, parts =>
    {
        foreach (var (record, units) in parts) marks.Add(builder, units, record);
    });

    /// <summary>The reference: each block charges memory, and looks.</summary>
    public void Charge(IReadOnlyList<Function> functions, Probes probes)
    {
        var unit = module.Context.Int(64);
        ForEach(functions, parts =>
        {
            foreach (var (record, units) in parts)
                if (record is { } known) builder.Call(probes.Attribute, known, unit.Const(units));
            builder.Call(probes.Check, unit.Const(Sum(parts)));
        });
    }

    /// <summary>Where a block charges, and what for: for itself, and perhaps for the return behind it.</summary>
    private readonly record struct Site(Instruction Before, BasicBlock Block, BasicBlock? Return);

    private void ForEach(IReadOnlyList<Function> functions, Action<List<(Value? Record, ulong Units)>> insert)
    {
        foreach (var function in functions)
        {
            var sites = Match(function);
            if (sites.Count == 0) continue;
            var parts = sites.ConvertAll(s => Parts(function, s));
            builder.SetArtificialLocation(function);
            var count = contexts?.Weave(function, AfterAllocas(function.Entry), records!.For(function));
            for (var i = 0; i < sites.Count; i++)
            {
                builder.Before(sites[i].Before);
                insert(parts[i]);
                count?.Invoke(Sum(parts[i]));
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
            var site = new Site(before, block, ReturnBehind(block));
            if (UnitsOf(site) > 0) sites.Add(site);
        }
        return sites;
    }

    private ulong UnitsOf(Site site) => cost.Of(site.Block) + (site.Return is { } behind ? cost.Of(behind) : 0);

    private static ulong Sum(List<(Value? Record, ulong Units)> parts) => parts.Aggregate(0ul, (sum, p) => sum + p.Units);

    private List<(Value? Record, ulong Units)> Parts(Function function, Site site)
    {
        if (records == null) return [(null, UnitsOf(site))];
        if (!records.HasLines) return [(records.For(function), UnitsOf(site))];
        var parts = new List<(Value? Record, ulong Units)>();
        AddLines(function, site.Block, parts);
        if (site.Return is { } behind) AddLines(function, behind, parts);
        return parts;
    }

    // What has no line of its own has that of what comes before it, so that each unit has one.
    private void AddLines(Function function, BasicBlock block, List<(Value? Record, ulong Units)> parts)
    {
        var record = FirstLine(function, block);
        foreach (var instruction in block.Instructions)
        {
            var location = new DebugLocation(instruction.DebugLocation);
            if (location.Handle != 0 && location.Line > 0) record = records!.For(function, location);
            if (cost.Of(instruction) is not (var units and > 0)) continue;
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

    private BasicBlock? ReturnBehind(BasicBlock block) =>
        block.Terminator is { Opcode: Opcode.Br, SuccessorCount: 1 } jump && jump.Successor(0) is var next && next != block && IsReturn(next) ? next : null;

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
    private static Instruction AfterAllocas(BasicBlock entry)
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
