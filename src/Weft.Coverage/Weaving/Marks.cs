using Weft.Llvm;

namespace Weft.Coverage.Weaving;

/// <summary>
/// Marks say "this counter grows by so much here", or "this counter is set here, if the amount is not 0":
/// <code>
/// call void @llvm.var.annotation(ptr %counter, ptr null, ptr null, i32 1, ptr null)     grows by a constant amount
/// call void @weft.coverage.count(ptr %counter, i64 %amount)                             by any amount
/// call void @llvm.var.annotation(ptr %counter, ptr null, ptr null, i32 -1, ptr null)    is set
/// call void @weft.coverage.flag(ptr %counter, i64 %amount)                              is set, if
/// </code>
/// To the optimiser both have an effect that nothing else can see, so a mark is never dropped, merged with another or run
/// speculatively; loads and stores of the program move past it freely; and a function that is copied into its caller takes
/// its marks along. Annotations cost nothing in the eyes of the inliner.
/// </summary>
internal sealed class Marks
{
    private const string CountName = "weft.coverage.count", SetName = "weft.coverage.flag", Annotation = "llvm.var.annotation.p0.p0";

    private readonly Function annotation, count, set;
    private readonly Value nothing;
    private readonly LlvmType word;

    public Marks(Module module)
    {
        var context = module.Context;
        var pointer = context.Pointer;
        word = context.Int(32);
        nothing = pointer.Null;
        annotation = module.FindFunction(Annotation) ?? module.AddFunction(Annotation, LlvmType.Function(context.Void, pointer, pointer, pointer, word, pointer));
        annotation.Add(context.EnumAttribute(NoMerge));
        count = Declare(module, CountName);
        set = Declare(module, SetName);
    }

    private static Function Declare(Module module, string name)
    {
        if (module.FindFunction(name) is { } known) return known;
        var context = module.Context;
        var function = module.AddFunction(name, LlvmType.Function(context.Void, context.Pointer, context.Int(64)));
        foreach (var attribute in (ReadOnlySpan<byte[]>)["nounwind"u8.ToArray(), "willreturn"u8.ToArray(), "nocallback"u8.ToArray(), "nofree"u8.ToArray(), NoMerge]) function.Add(context.EnumAttribute(attribute));
        function.Add(context.EnumAttribute("memory"u8, InaccessibleReadWrite));
        return function;
    }

    // Else the marks of two branches may become one behind them, whose counter is a phi.
    private static readonly byte[] NoMerge = "nomerge"u8.ToArray();

    // Two bits (read, write) for each kind of memory: arguments, inaccessible, everything else.
    private const ulong InaccessibleReadWrite = 0b11_00;

    public void Add(Builder builder, Value counter, Value amount)
    {
        if (amount.IsConstantInt && amount.ZExtValue <= int.MaxValue) builder.Call(annotation, counter, nothing, nothing, word.Const(amount.ZExtValue), nothing);
        else builder.Call(count, counter, amount);
    }

    public void Set(Builder builder, Value counter, Value condition)
    {
        if (!condition.IsConstantInt) builder.Call(set, counter, condition);
        else if (condition.ZExtValue != 0) builder.Call(annotation, counter, nothing, nothing, word.Const(Setting), nothing);
    }

    // What an annotation has in place of an amount.
    private const uint Setting = uint.MaxValue;

    /// <summary>The marks of a function.</summary>
    public List<Instruction> In(Function function)
    {
        var found = new List<Instruction>();
        foreach (var block in function.Blocks) found.AddRange(In(block));
        return found;
    }

    /// <summary>The marks of a block.</summary>
    public List<Instruction> In(BasicBlock block)
    {
        var found = new List<Instruction>();
        foreach (var instruction in block.Instructions)
            if (Is(instruction)) found.Add(instruction);
        return found;
    }

    public bool Is(Instruction instruction)
    {
        if (instruction.Opcode != Opcode.Call) return false;
        var callee = instruction.CalledValue.Handle;
        return callee == count.Handle || callee == set.Handle || callee == annotation.Handle && FrontEndCounters.IsCounter(instruction.AsValue.Operand(0));
    }

    /// <summary>Whether the mark sets its counter.</summary>
    public bool IsSetting(Instruction mark) => HasFixedAmount(mark) ? mark.AsValue.Operand(3).ZExtValue == Setting : mark.CalledValue.Handle == set.Handle;

    /// <summary>Whether the mark always does the same.</summary>
    public bool HasFixedAmount(Instruction mark) => mark.CalledValue.Handle == annotation.Handle;

    /// <summary>Whether its amount is 0 or 1, as something was true.</summary>
    public bool IsCondition(Instruction mark) =>
        !HasFixedAmount(mark) && mark.AsValue.Operand(1) is { IsInstruction: true } amount && amount.AsInstruction.Opcode == Opcode.ZExt && amount.Operand(0).Type is { Kind: TypeKind.Integer, IntWidth: 1 };

    /// <summary>The counter's address.</summary>
    public static Value CounterOf(Instruction mark) => mark.AsValue.Operand(0);

    /// <summary>What is added to it, or not 0 where it is set.</summary>
    public Value AmountOf(Instruction mark, LlvmType type) =>
        !HasFixedAmount(mark) ? mark.AsValue.Operand(1) : type.Const(IsSetting(mark) ? 1 : mark.AsValue.Operand(3).ZExtValue);

    /// <summary>Ends the life of marks: there must be none left.</summary>
    public void Delete()
    {
        count.Delete();
        set.Delete();
    }
}
