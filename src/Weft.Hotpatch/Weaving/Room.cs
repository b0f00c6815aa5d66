using System.Buffers.Binary;
using Weft.Core;
using Weft.Core.Flow;
using Weft.Llvm;

namespace Weft.Hotpatch.Weaving;

/// <summary>
/// The bytes before a function that a jump to its replacement is written to. They trap, should anything fall into them.
/// <para>
/// LLVM aligns where they begin, not the function. On x86_64 a function without a loop has nothing else that is aligned in it:
/// eight bytes are enough for it, and its section needs to be aligned to eight only (<see cref="EntryAlignment"/>), which gives
/// back four of them on average. With a loop they are sixteen, so that the loop lies as it would without.
/// </para>
/// </summary>
internal abstract class Room
{
    public const int Small = 8, Large = 16;

    /// <exception cref="WeftException">A target whose functions cannot be replaced.</exception>
    public static Room For(string triple) => triple switch
    {
        _ when triple.StartsWith("x86_64", StringComparison.Ordinal) => new X86(),
        // Windows' tables of prologues do not allow for the nop, and LLVM refuses.
        _ when triple.StartsWith("aarch64", StringComparison.Ordinal) && TargetSystem.IsCoff(triple) => throw new WeftException($"hotpatch is not there for Windows on aarch64 (target '{triple}')", "build this without --with hotpatch"),
        _ when triple.StartsWith("aarch64", StringComparison.Ordinal) || triple.StartsWith("arm64", StringComparison.Ordinal) => new Arm(),
        _ => throw new WeftException($"hotpatch is not there for target '{triple}': it is for x86_64 and aarch64", "build this without --with hotpatch"),
    };

    public abstract void Make(Module module, Function function);

    private sealed class X86 : Room
    {
        private const byte Int3 = 0xCC;

        public override void Make(Module module, Function function)
        {
            var bytes = new byte[LoopSearch.HasLoop(function) ? Large : Small];
            bytes.AsSpan().Fill(Int3);
            function.SetPrefix(module.Context.ConstBytes(bytes));
            function.Add(module.Context.StringAttribute("patchable-function"u8, "prologue-short-redirect"u8));
        }
    }

    private sealed class Arm : Room
    {
        private const uint Nop = 0xD503201F, BtiC = 0xD503245F, Brk = 0xD4200000;

        public override void Make(Module module, Function function)
        {
            function.SetPrefix(Words(module, Brk, Brk, Brk, Brk));
            // Where branches must land on a mark, the mark comes first; the function's own, behind, does nothing then.
            function.SetPrologue(NeedsMark(module, function) ? Words(module, BtiC, Nop) : Words(module, Nop));
        }

        private static bool NeedsMark(Module module, Function function) =>
            function.StringAttribute("branch-target-enforcement"u8) is { } own ? own != "false" : module.HasFlag("branch-target-enforcement");

        private static Value Words(Module module, params ReadOnlySpan<uint> words)
        {
            var bytes = new byte[words.Length * 4];
            for (var i = 0; i < words.Length; i++) BinaryPrimitives.WriteUInt32LittleEndian(bytes.AsSpan(i * 4), words[i]);
            return module.Context.ConstBytes(bytes);
        }
    }
}
