using Weft.Llvm;

namespace Weft.Metering.Weaving;

/// <summary>
/// FRONT, before anything is inlined: keeps the thread's place in its tree of calls, whose nodes are functions called by those above.
/// <code>
/// define i32 @f(i32 %n) {               define i32 @f(i32 %n) {
///                                         %caller = call ptr @weft.metering.current()
///                                         %own = call ptr @weft.metering.enter(ptr @record of f, ptr %caller)
///                                         call void @weft.metering.count(ptr %own, i64 3)
///                                         call void @weft.metering.calls(ptr %own, i32 LINE)
///   call void @g()                 ==>    call void @g()
///                                         call void @weft.metering.leave(ptr %caller)
///   ret i32 %n                            ret i32 %n
/// }                                     }
/// </code>
/// Guarantee: what a woven function calls, directly or by code that is not woven, is below its node, however control came to be in
/// the function again: a function says where it is before each call, so nothing need be put right after a longjmp or an exception.
/// </summary>
internal sealed class CallContexts(Module module, Builder builder, Probes probes)
{
    private readonly LlvmType line = module.Context.Int(32);

    /// <summary>Puts in everything but counts. Returns what puts in a count where the builder stands.</summary>
    /// <param name="function">One that has work in it.</param>
    /// <param name="start">Behind what must come first in it.</param>
    /// <param name="record">Its record.</param>
    public Action<Value> Weave(Function function, Instruction start, Value record)
    {
        builder.Before(start);
        Value caller = builder.Call(probes.Current).AsValue, own = builder.Call(probes.Enter, record, caller).AsValue;
        if (function.HasAttribute("presplitcoroutine"u8)) return Resumed(record, caller);
        foreach (var block in function.Blocks)
            foreach (var instruction in block.Instructions)
                if (IsExit(instruction)) Leave(instruction, caller);
                else if (MayEnter(instruction)) Say(own, instruction);
        return units => builder.Call(probes.Count, own, units);
    }

    // A coroutine goes on below whoever resumes it, at each of its blocks perhaps another: it has no node for the time between.
    private Action<Value> Resumed(Value record, Value caller)
    {
        builder.Call(probes.Leave, caller);
        return units => builder.Call(probes.Count, builder.Call(probes.Find, record).AsValue, units);
    }

    private void Leave(Instruction exit, Value caller)
    {
        builder.Before(exit);
        builder.Call(probes.Leave, caller);
    }

    private void Say(Value own, Instruction call)
    {
        builder.Before(call);
        var at = call.DebugLocation is var location and not 0 ? new DebugLocation(location).Outermost.Line : 0;
        builder.Call(probes.Calls, own, line.Const((ulong)at));
    }

    // Nothing may stand between a call that must become a jump and its return: the caller calls then.
    private static bool IsExit(Instruction instruction) =>
        instruction.IsMustTail || instruction.Opcode is Opcode.Resume or Opcode.CleanupRet || instruction.Opcode == Opcode.Ret && !BehindMustTail(instruction);

    private static bool BehindMustTail(Instruction exit)
    {
        foreach (var instruction in exit.Block.Instructions)
            if (instruction.IsMustTail) return true;
        return false;
    }

    private static bool MayEnter(Instruction instruction) =>
        instruction.IsCall && instruction.CalledValue is var callee && !callee.IsInlineAsm && !(callee.IsFunction && (callee.AsFunction.IsIntrinsic || callee.NameBytes.StartsWith("weft."u8)));
}
