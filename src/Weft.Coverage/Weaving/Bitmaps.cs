using Weft.Llvm;

namespace Weft.Coverage.Weaving;

/// <summary>
/// Sends the updates of MC/DC bitmaps to those of the running thread.
/// <code>
/// %byte = getelementptr i8, ptr @__profbm_f, i32 %at
/// ==>
/// %own = call ptr @weft.coverage.own_bits(i64 ptrtoint (ptr @__profbm_f to i64))
/// %byte = getelementptr i8, ptr %own, i32 %at
/// </code>
/// Guarantee: a bit that LLVM's own code would set in the module's bitmap is set in exactly one thread's, by that thread.
/// </summary>
internal sealed class Bitmaps(LlvmContext context, Probes probes)
{
    public void Redirect(Function function, Builder builder)
    {
        foreach (var (user, index) in Uses(function))
        {
            builder.Before(user);
            builder.SetLocation(user.DebugLocation);
            user.SetOperand(index, builder.Call(probes.OwnBits, user.AsValue.Operand(index).ToConstantInt(context.Int(64))).AsValue);
        }
    }

    private static List<(Instruction User, int Operand)> Uses(Function function)
    {
        var uses = new List<(Instruction, int)>();
        foreach (var block in function.Blocks)
            foreach (var instruction in block.Instructions)
                for (var i = 0; i < instruction.AsValue.OperandCount; i++)
                    if (instruction.AsValue.Operand(i).AddressedGlobal is { Exists: true } global && global.AsValue.NameBytes.StartsWith("__profbm_"u8))
                        uses.Add((instruction, i));
        return uses;
    }
}
