using Weft.Llvm;

namespace Weft.Coverage.Weaving;

/// <summary>
/// Marks say "this counter grows by so much here":
/// <code>
/// call void @llvm.var.annotation(ptr %counter, ptr null, ptr null, i32 1, ptr null)     a constant amount
/// call void @weft.coverage.count(ptr %counter, i64 %amount)                             any amount
/// </code>
/// To the optimiser both have an effect that nothing else can see, so a mark is never dropped, merged with another or run
/// speculatively; loads and stores of the program move past it freely; and a function that is copied into its caller takes
/// its marks along. The first form costs nothing in the eyes of the inliner.
/// </summary>
internal sealed class Marks
{
    private const string Name = "weft.coverage.count", Annotation = "llvm.var.annotation.p0.p0";

    /// <summary>
    /// What runs over marks before they become memory accesses: the first half of what would run without them, so that
    /// functions are inlined as they would be, and loops take the form that promotion needs.
    /// </summary>
    public const string Simplification = "lto-pre-link<O2>,function(loop-simplify,lcssa,loop(loop-rotate),loop-simplify)";

    private readonly Function annotation, mark;
    private readonly Value nothing;
    private readonly LlvmType word;

    public Marks(Module module)
    {
        var context = module.Context;
        var pointer = context.Pointer;
        word = context.Int(32);
        nothing = pointer.Null;
        annotation = module.FindFunction(Annotation) ?? module.AddFunction(Annotation, LlvmType.Function(context.Void, pointer, pointer, pointer, word, pointer));
        mark = module.FindFunction(Name) ?? module.AddFunction(Name, LlvmType.Function(context.Void, pointer, context.Int(64)));
        foreach (var attribute in (ReadOnlySpan<byte[]>)["nounwind"u8.ToArray(), "willreturn"u8.ToArray(), "nocallback"u8.ToArray(), "nofree"u8.ToArray()]) mark.Add(context.EnumAttribute(attribute));
        mark.Add(context.EnumAttribute("memory"u8, InaccessibleReadWrite));
    }

    // Two bits (read, write) for each kind of memory: arguments, inaccessible, everything else.
    private const ulong InaccessibleReadWrite = 0b11_00;

    public void Add(Builder builder, Value counter, Value amount)
    {
        if (amount.IsConstantInt && amount.ZExtValue <= int.MaxValue) builder.Call(annotation, counter, nothing, nothing, word.Const(amount.ZExtValue), nothing);
        else builder.Call(mark, counter, amount);
    }

    /// <summary>The marks of a function.</summary>
    public List<Instruction> In(Function function)
    {
        var found = new List<Instruction>();
        foreach (var block in function.Blocks)
            foreach (var instruction in block.Instructions)
                if (Is(instruction))
                    found.Add(instruction);
        return found;
    }

    public bool Is(Instruction instruction)
    {
        if (instruction.Opcode != Opcode.Call) return false;
        var callee = instruction.CalledValue.Handle;
        return callee == mark.AsValue.Handle || callee == annotation.AsValue.Handle && FrontEndCounters.IsCounter(instruction.AsValue.Operand(0));
    }

    /// <summary>The counter's address.</summary>
    public static Value CounterOf(Instruction mark) => mark.AsValue.Operand(0);

    /// <summary>What is added to it.</summary>
    public Value AmountOf(Instruction instruction, LlvmType type) =>
        instruction.CalledValue.Handle == mark.AsValue.Handle ? instruction.AsValue.Operand(1) : type.Const(instruction.AsValue.Operand(3).ZExtValue);

    /// <summary>Ends the life of marks: there must be none left.</summary>
    public void Delete() => mark.Delete();
}
