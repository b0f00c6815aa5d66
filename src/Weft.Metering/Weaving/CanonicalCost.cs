using Weft.Llvm;

namespace Weft.Metering.Weaving;

/// <summary>
/// The canonical unit: one per instruction of the front end's IR that stands for work. Free are instructions that only
/// describe (debug, lifetime, assumptions, annotations), that name or reinterpret a value without touching it (phi,
/// bitcast, freeze, pointer-integer casts, parts of aggregates), stack slots, and jumps without a choice: these are what
/// -g, front-end cleanups and a target's calling convention change. docs/metering.md has the table for users.
/// </summary>
internal sealed class CanonicalCost(Module module)
{
    private readonly HashSet<uint> freeIntrinsics = [.. FreeIntrinsicNames().Select(name => Function.LookupIntrinsic(System.Text.Encoding.ASCII.GetBytes(name))).Where(id => id != 0)];

    // What other instruments put there before is not the program's work.
    private readonly HashSet<Function> ours = [.. module.Functions.Where(f => f.AsValue.NameBytes.StartsWith("weft."u8))];

    private readonly FrontEndCoverage coverage = new();
    private readonly bool isCovered = FrontEndCoverage.IsIn(module);

    public ulong Of(BasicBlock block)
    {
        ulong units = 0;
        foreach (var instruction in block.Instructions) units += Of(instruction);
        return units;
    }

    public ulong Of(Instruction instruction) => IsFree(instruction) || isCovered && coverage.Has(instruction) ? 0ul : 1;

    private bool IsFree(Instruction instruction) => instruction.Opcode switch
    {
        Opcode.Phi or Opcode.Alloca or Opcode.BitCast or Opcode.AddrSpaceCast or Opcode.PtrToInt or Opcode.PtrToAddr or Opcode.IntToPtr or Opcode.Freeze => true,
        Opcode.ExtractValue or Opcode.InsertValue or Opcode.LandingPad or Opcode.CatchPad or Opcode.CleanupPad or Opcode.CatchSwitch => true,
        Opcode.Unreachable => true,
        Opcode.Load => IsDebuggerScript(instruction.AsValue.Operand(0)),
        Opcode.Br => instruction.AsValue.OperandCount == 1,
        Opcode.Call => instruction.CalledValue is { IsFunction: true } callee && (freeIntrinsics.Contains(callee.AsFunction.IntrinsicId) || ours.Contains(callee.AsFunction)),
        _ => false,
    };

    // With debug information rustc's main reads this section so that the linker keeps it.
    private static bool IsDebuggerScript(Value pointer) => pointer.IsConstant && pointer.NameBytes.SequenceEqual("__rustc_debug_gdb_scripts_section__"u8);

    private static string[] FreeIntrinsicNames() =>
    [
        "llvm.dbg.declare", "llvm.dbg.value", "llvm.dbg.label", "llvm.dbg.assign",
        "llvm.lifetime.start", "llvm.lifetime.end", "llvm.invariant.start", "llvm.invariant.end",
        "llvm.launder.invariant.group", "llvm.strip.invariant.group",
        "llvm.assume", "llvm.expect", "llvm.expect.with.probability", "llvm.is.constant", "llvm.sideeffect", "llvm.donothing",
        "llvm.experimental.noalias.scope.decl", "llvm.allow.runtime.check", "llvm.allow.ubsan.check", "llvm.fake.use",
        "llvm.var.annotation", "llvm.ptr.annotation", "llvm.annotation", "llvm.codeview.annotation", "llvm.pseudoprobe",
        "llvm.stacksave", "llvm.stackrestore", "llvm.threadlocal.address", "llvm.arithmetic.fence",
        "llvm.instrprof.increment", "llvm.instrprof.increment.step", "llvm.instrprof.cover", "llvm.instrprof.value.profile",
        "llvm.instrprof.mcdc.parameters", "llvm.instrprof.mcdc.tvbitmap.update",
        "llvm.coro.id", "llvm.coro.begin", "llvm.coro.free", "llvm.coro.size", "llvm.coro.alloc", "llvm.coro.save", "llvm.coro.end",
        "llvm.eh.typeid.for",
    ];
}
