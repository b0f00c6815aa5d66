using Weft.Llvm;

namespace Weft.Coverage.Weaving;

/// <summary>
/// Finds the counters of rustc's and clang's own coverage. rustc hands over <c>atomicrmw add</c> on <c>__profc_*</c>; clang
/// hands over <c>llvm.instrprof.*</c>, which LLVM's own pass turns into the same layout with a load, an add and a store.
/// </summary>
internal static class FrontEndCounters
{
    public static bool ArePresent(Module module) =>
        module.Globals.Any(IsCounters) || module.Functions.Any(f => f.Name.StartsWith("llvm.instrprof.", StringComparison.Ordinal));

    /// <summary>Puts a mark in place of each counter's update. Code that runs before thread-locals exist keeps the front end's.</summary>
    public static void ToMarks(Module module)
    {
        module.RunPasses("instrprof", machine: null, default);
        var marks = new Marks(module);
        var bitmaps = new Bitmaps(module.Context, Probes.LinkInto(module));
        var resolvers = module.IndirectResolvers;
        using var builder = new Builder(module.Context);
        foreach (var function in module.Functions)
        {
            if (function.IsDeclaration || resolvers.Contains(function)) continue;
            foreach (var update in Updates(function)) Replace(update, marks, builder);
            bitmaps.Redirect(function, builder);
        }
    }

    /// <summary>An update of a counter: what it adds, and the instruction that writes it.</summary>
    private readonly record struct Update(Instruction Write, Value Address, Value Amount);

    private static List<Update> Updates(Function function)
    {
        var found = new List<Update>();
        foreach (var block in function.Blocks)
            foreach (var instruction in block.Instructions)
                if (Match(instruction) is { } update)
                    found.Add(update);
        return found;
    }

    private static Update? Match(Instruction instruction)
    {
        var value = instruction.AsValue;
        switch (instruction.Opcode)
        {
            case Opcode.AtomicRMW when IsCounter(value.Operand(0)):
                return new(instruction, value.Operand(0), value.Operand(1));
            case Opcode.Store when IsCounter(value.Operand(1)) && value.Operand(0) is { IsInstruction: true } sum && sum.AsInstruction.Opcode == Opcode.Add:
                return new(instruction, value.Operand(1), sum.Operand(1));
            default:
                return null;
        }
    }

    private static void Replace(Update update, Marks marks, Builder builder)
    {
        builder.Before(update.Write);
        builder.SetLocation(update.Write.DebugLocation);
        marks.Add(builder, update.Address, update.Amount);
        var sum = update.Write.Opcode == Opcode.Store ? update.Write.AsValue.Operand(0).AsInstruction : default;
        update.Write.Erase();
        if (!sum.Exists) return;
        var load = sum.AsValue.Operand(0).AsInstruction;
        if (!sum.AsValue.HasUses) sum.Erase();
        if (!load.AsValue.HasUses) load.Erase();
    }

    public static bool IsCounter(Value address) => address.AddressedGlobal is { Exists: true } global && IsCounters(global);

    private static bool IsCounters(GlobalVariable global) => global.AsValue.NameBytes.StartsWith("__profc_"u8);
}
