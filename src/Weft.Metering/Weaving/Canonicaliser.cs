using Weft.Llvm;

namespace Weft.Metering.Weaving;

/// <summary>
/// Makes what a program executes independent of how hard the optimiser tries, as far as charges can tell. Before:
/// <code>
/// declare i32 @f(i32) memory(none)       a call the optimiser may drop, merge with another, or hoist
/// call ptr @_Znwm(i64 8) builtin         an allocation it may remove together with its release
/// define available_externally @g() ...   a body that is used only where inlining likes it
/// %k = call i1 @llvm.is.constant(i32 %x) a question whose answer depends on the level
/// define linkonce_odr @h() ...           a copy that a shared library, which has its own, uses if this module still has it in the end
/// </code>
/// After: no such attributes, no such bodies, <c>%k</c> is whether <c>%x</c> is constant already in this IR, and the copy is hidden,
/// unless its address may tell it from another.
/// </summary>
internal static class Canonicaliser
{
    public static void Run(Module module)
    {
        // Inline first what must be: libstdc++ has always_inline members of extern templates that exist nowhere else.
        module.RunPasses("always-inline,elim-avail-extern", machine: null, default);
        uint memory = Llvm.Attribute.Kind("memory"u8), speculatable = Llvm.Attribute.Kind("speculatable"u8);
        uint builtin = Llvm.Attribute.Kind("builtin"u8), allocation = Llvm.Attribute.Kind("allockind"u8);
        var isConstant = Function.LookupIntrinsic("llvm.is.constant"u8);
        foreach (var function in module.Functions)
        {
            if (function.IsIntrinsic) continue;
            if (function is { Linkage: Linkage.LinkOnceOdr, IsDeclaration: false, IsAddressTaken: false }) function.Visibility = Visibility.Hidden;
            foreach (var kind in (ReadOnlySpan<uint>)[memory, speculatable, allocation]) function.RemoveAttribute(kind);
            function.RemoveStringAttribute("alloc-family"u8);
            function.RemoveStringAttribute("alloc-variant-zeroed"u8);
            foreach (var block in function.Blocks)
                foreach (var instruction in block.Instructions)
                    if (instruction.IsCall)
                        Canonicalise(module, instruction, [memory, speculatable, builtin], isConstant);
        }
    }

    private static void Canonicalise(Module module, Instruction call, ReadOnlySpan<uint> attributes, uint isConstant)
    {
        var callee = call.CalledValue;
        var intrinsic = callee.IsFunction ? callee.AsFunction.IntrinsicId : 0;
        if (intrinsic != 0 && intrinsic == isConstant) AnswerNow(module, call);
        if (intrinsic != 0 || callee.IsInlineAsm) return;
        foreach (var kind in attributes) call.RemoveCallSiteAttribute(kind);
    }

    private static void AnswerNow(Module module, Instruction question)
    {
        var answer = module.Context.Int(1).Const(question.AsValue.Operand(0).IsConstant ? 1ul : 0);
        question.AsValue.ReplaceAllUsesWith(answer);
        question.Erase();
    }
}
