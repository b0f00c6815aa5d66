using System.Text;
using Weft.Llvm;
using Weft.Metering.Costs;

namespace Weft.Metering.Weaving;

/// <summary>What an instruction costs.</summary>
/// <param name="Units">Known now.</param>
/// <param name="Linear">Known when the call comes; null: nothing.</param>
internal readonly record struct Cost(ulong Units, LinearCost? Linear);

/// <summary>What the instructions of a module cost by a model.</summary>
internal sealed class InstructionCosts(Module module, CostModel model, CallCosts calls)
{
    // What an argument that is a constant adds is known now; but a large amount has to be looked at before the call.
    private const ulong MostConstant = 1 << 20;

    private readonly HashSet<uint> free = Numbers(model.FreeIntrinsics), never = Numbers(NeverCharged);

    // What other instruments put there before is not the program's work.
    private readonly HashSet<Function> ours = [.. module.Functions.Where(f => f.AsValue.NameBytes.StartsWith("weft."u8))];

    private readonly HashSet<uint> hints = Numbers(["llvm.expect", "llvm.expect.with.probability"]);
    private readonly bool hintsAreFree = model.FreeIntrinsics.Contains("llvm.expect");

    private readonly FrontEndCoverage coverage = new();
    private readonly bool isCovered = FrontEndCoverage.IsIn(module);

    public Cost Of(Instruction instruction)
    {
        if (IsNeverCharged(instruction) || isCovered && coverage.Has(instruction)) return default;
        if (!instruction.IsCall) return new(hintsAreFree && IsForHint(instruction.AsValue) ? 0 : model.WeightOf(instruction), null);
        if (calls.Of(instruction) is { } call) return Fold(call, instruction);
        return new(instruction.Opcode == Opcode.Call && IsCallOf(free, instruction) ? 0 : model.WeightOf(instruction), null);
    }

    /// <summary>
    /// Makes a value as wide as <c>llvm.expect</c> takes it, for nothing else: __builtin_expect takes a long, which is not as long on all targets.
    /// </summary>
    private bool IsForHint(Value value)
    {
        if (value.AsInstruction.Opcode is not (Opcode.SExt or Opcode.ZExt or Opcode.Trunc)) return false;
        foreach (var user in value.AllUsers)
            if (!user.IsInstruction || !(user.AsInstruction.IsCall ? IsCallOf(hints, user.AsInstruction) : IsForHint(user))) return false;
        return value.HasUses;
    }

    private static Cost Fold(CallCost call, Instruction instruction)
    {
        if (call.Linear is not { } linear) return new(call.Units, null);
        var argument = instruction.AsValue.Operand(linear.Argument);
        return argument.IsConstantInt && linear.Of(argument.ZExtValue) is var units and <= MostConstant ? new(call.Units + units, null) : new(call.Units, linear);
    }

    /// <summary>By no model, since -g, coverage and other instruments must not change a count.</summary>
    private bool IsNeverCharged(Instruction instruction) => instruction.Opcode switch
    {
        Opcode.Call => IsCallOf(never, instruction) || ours.Contains(instruction.CalledValue.AsFunction),
        Opcode.Load => IsDebuggerScript(instruction.AsValue.Operand(0)),
        Opcode.CatchSwitch => true, // nothing may stand in its block that could charge for it
        _ => false,
    };

    private static bool IsCallOf(HashSet<uint> intrinsics, Instruction call) => call.CalledValue is { IsFunction: true } callee && intrinsics.Contains(callee.AsFunction.IntrinsicId);

    // With debug information rustc's main reads this section so that the linker keeps it.
    private static bool IsDebuggerScript(Value pointer) => pointer.IsConstant && pointer.NameBytes.SequenceEqual("__rustc_debug_gdb_scripts_section__"u8);

    private static HashSet<uint> Numbers(IEnumerable<string> intrinsics) => [.. intrinsics.Select(name => Function.LookupIntrinsic(Encoding.ASCII.GetBytes(name))).Where(id => id != 0)];

    private static readonly string[] NeverCharged =
    [
        "llvm.dbg.declare", "llvm.dbg.value", "llvm.dbg.label", "llvm.dbg.assign", "llvm.pseudoprobe",
        "llvm.instrprof.increment", "llvm.instrprof.increment.step", "llvm.instrprof.cover", "llvm.instrprof.value.profile",
        "llvm.instrprof.mcdc.parameters", "llvm.instrprof.mcdc.tvbitmap.update",
    ];
}
