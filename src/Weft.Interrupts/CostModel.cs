using System.Text;
using Weft.Llvm;

namespace Weft.Interrupts;

/// <summary>
/// What an instruction of optimised IR usually costs, in units near one cycle of a simple machine. Only ratios matter: the
/// runtime learns how many units a cycle has. docs/interrupts.md has the table for users.
/// </summary>
internal sealed class CostModel(Module module)
{
    private const int RegisterBits = 128;

    private readonly Dictionary<uint, int> intrinsics = Table();

    /// <summary>Cost without what a called function does.</summary>
    public int Of(Instruction instruction) => instruction.Opcode switch
    {
        Opcode.Phi or Opcode.Alloca or Opcode.BitCast or Opcode.AddrSpaceCast or Opcode.PtrToInt or Opcode.PtrToAddr or Opcode.IntToPtr or Opcode.Freeze => 0,
        Opcode.ExtractValue or Opcode.InsertValue or Opcode.LandingPad or Opcode.Unreachable or Opcode.Trunc or Opcode.ZExt => 0,
        Opcode.Br => instruction.AsValue.OperandCount == 1 ? 0 : 1,
        Opcode.GetElementPtr => IsConstantOffset(instruction) ? 0 : 1,
        Opcode.Switch or Opcode.IndirectBr => 4,
        Opcode.UDiv or Opcode.SDiv or Opcode.URem or Opcode.SRem => IsPowerOfTwo(instruction.AsValue.Operand(1)) ? 1 : instruction.AsValue.Operand(1).IsConstant ? 4 : 20 * Parts(instruction.AsValue.Type),
        Opcode.FDiv or Opcode.FRem => 8 * Parts(instruction.AsValue.Type),
        Opcode.Mul => 2 * Parts(instruction.AsValue.Type),
        Opcode.Store => Parts(instruction.AsValue.Operand(0).Type),
        Opcode.AtomicRMW or Opcode.AtomicCmpXchg or Opcode.Fence => 20,
        Opcode.Call or Opcode.Invoke or Opcode.CallBr => OfCall(instruction),
        _ => Parts(instruction.AsValue.Type),
    };

    private int OfCall(Instruction call)
    {
        var callee = call.CalledValue;
        if (callee.IsInlineAsm) return 2;
        if (callee is not { IsFunction: true }) return 4;
        var id = callee.AsFunction.IntrinsicId;
        if (id == 0) return 3;
        return (intrinsics.TryGetValue(id, out var cost) ? cost : 1) * Parts(call.AsValue.Type);
    }

    private int Parts(LlvmType type) => type.Kind == TypeKind.Vector ? Math.Max(1, (int)(module.SizeOf(type) * 8 / RegisterBits)) : 1;

    private static bool IsConstantOffset(Instruction pointer)
    {
        for (var i = 1; i < pointer.AsValue.OperandCount; i++)
            if (!pointer.AsValue.Operand(i).IsConstant) return false;
        return true;
    }

    private static bool IsPowerOfTwo(Value value) => value.IsConstantInt && value.Type.IntWidth <= 64 && ulong.IsPow2(value.ZExtValue);

    private static Dictionary<uint, int> Table()
    {
        var table = new Dictionary<uint, int>();
        Add(0, "llvm.dbg.declare", "llvm.dbg.value", "llvm.dbg.label", "llvm.dbg.assign", "llvm.lifetime.start", "llvm.lifetime.end", "llvm.invariant.start", "llvm.invariant.end",
            "llvm.assume", "llvm.experimental.noalias.scope.decl", "llvm.sideeffect", "llvm.donothing", "llvm.annotation", "llvm.var.annotation", "llvm.ptr.annotation", "llvm.pseudoprobe", "llvm.fake.use", "llvm.threadlocal.address");
        Add(10, "llvm.sqrt");
        Add(20, "llvm.memcpy", "llvm.memmove", "llvm.memset", "llvm.memcpy.inline", "llvm.memset.inline");
        Add(40, "llvm.sin", "llvm.cos", "llvm.exp", "llvm.exp2", "llvm.log", "llvm.log2", "llvm.log10", "llvm.pow");
        Add(4, "llvm.ctpop", "llvm.bswap", "llvm.bitreverse", "llvm.masked.gather", "llvm.masked.scatter");
        return table;

        void Add(int cost, params string[] names)
        {
            foreach (var name in names)
                if (Function.LookupIntrinsic(Encoding.ASCII.GetBytes(name)) is var id and not 0) table[id] = cost;
        }
    }
}
