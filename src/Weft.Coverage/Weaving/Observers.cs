using Weft.Llvm;

namespace Weft.Coverage.Weaving;

/// <summary>
/// Where counts must be in memory, because somebody may look at them: before calls, which might not come back, might fork
/// or might be asked for the counts, and where a thread may wait for another.
/// </summary>
internal sealed class Observers(Marks marks)
{
    public bool Is(Instruction instruction) =>
        instruction.IsSynchronising || instruction.IsCall && !marks.Is(instruction) && !(instruction.CalledValue is { IsFunction: true } callee && IsSilent(callee.AsFunction));

    // Where a coroutine waits, another thread may go on.
    private static bool IsSilent(Function callee) => callee.IsIntrinsic && !callee.Name.StartsWith("llvm.coro.", StringComparison.Ordinal);

    /// <summary>Whether control leaves the function here.</summary>
    public static bool IsExit(Instruction instruction) => instruction.Opcode is Opcode.Ret or Opcode.Resume or Opcode.CleanupRet;
}
