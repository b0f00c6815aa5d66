using Weft.Llvm;

namespace Weft.Metering.Weaving;

/// <summary>
/// What the front ends' own coverage puts between a program's instructions, which is not the program's work: rustc's
/// additions to counters, and what clang writes beside its <c>llvm.instrprof</c> intrinsics.
/// </summary>
internal sealed class FrontEndCoverage
{
    private readonly uint increment = Function.LookupIntrinsic("llvm.instrprof.increment"u8), decision = Function.LookupIntrinsic("llvm.instrprof.mcdc.tvbitmap.update"u8);

    public static bool IsIn(Module module) => module.Globals.Any(g => g.AsValue.NameBytes.StartsWith("__prof"u8));

    public bool Has(Instruction instruction) => instruction.Opcode switch
    {
        Opcode.AtomicRMW => IsCounter(instruction.AsValue.Operand(0)),
        Opcode.Br => LeadsAroundACounter(instruction),
        Opcode.Load or Opcode.Add or Opcode.Select => IsOfDecision(instruction.AsValue),
        Opcode.Store => IsDecisionSlot(instruction.AsValue.Operand(1)),
        _ => false,
    };

    private static bool IsCounter(Value pointer) => pointer.AddressedGlobal is { Exists: true } global && global.AsValue.NameBytes.StartsWith("__profc_"u8);

    // The value of a && b, whose right side has a counter of its own. An empty "if" looks the same, but nothing behind it
    // has its condition for a value:
    //          br i1 %b, label %count, label %end
    //   count: call void @llvm.instrprof.increment(...)
    //          br label %end                                    (no counter in system headers)
    //   end:   %both = phi i1 [ false, %entry ], [ %b, %count ], [ %b, %rhs ]
    private bool LeadsAroundACounter(Instruction branch)
    {
        if (branch.SuccessorCount != 2) return false;
        var (first, second) = (branch.Successor(0), branch.Successor(1));
        var end = OnlyCounts(first, second) ? second : OnlyCounts(second, first) ? first : default;
        return end != default && branch.Condition.Users.Exists(u => u.Block == end);
    }

    private bool OnlyCounts(BasicBlock block, BasicBlock end)
    {
        var last = IsCallOf(increment, block.First) ? block.First.Next : block.First;
        return last.Opcode == Opcode.Br && last.SuccessorCount == 1 && last.Successor(0) == end;
    }

    // MC/DC gathers the outcomes of a decision's conditions in a slot of the frame.
    private bool IsDecisionSlot(Value pointer) =>
        pointer.IsInstruction && pointer.AsInstruction.Opcode == Opcode.Alloca && pointer.Users.Exists(u => IsCallOf(decision, u));

    private bool IsOfDecision(Value value) => value.IsInstruction && value.AsInstruction.Opcode switch
    {
        Opcode.Load => IsDecisionSlot(value.Operand(0)),
        Opcode.Add => IsOfDecision(value.Operand(0)),
        Opcode.Select => IsOfDecision(value.Operand(1)),
        _ => false,
    };

    private static bool IsCallOf(uint intrinsic, Instruction instruction) =>
        intrinsic != 0 && instruction.Opcode == Opcode.Call && instruction.CalledValue is { IsFunction: true } callee && callee.AsFunction.IntrinsicId == intrinsic;
}
