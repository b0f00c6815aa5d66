using Weft.Llvm;

namespace Weft.Metering.Weaving;

/// <summary>
/// Marks say "here so many units of work are done":
/// <code>
/// call void @llvm.var.annotation(ptr %record, ptr null, ptr null, i32 UNITS, ptr @weft.metering.work)
/// </code>
/// To the optimiser an annotation has an effect that nothing else can see, and costs nothing: it is never dropped, merged with
/// another or run speculatively, loads and stores of the program move past it freely, functions are inlined as they are
/// without, and a function that is copied into its caller takes its marks along.
/// </summary>
internal sealed class WorkMarks
{
    private const string SubjectName = "weft.metering.work", Annotation = "llvm.var.annotation.p0.p0";

    private readonly Function annotation;
    private readonly GlobalVariable subject;
    private readonly Value nothing;
    private readonly LlvmType word;

    public WorkMarks(Module module)
    {
        var context = module.Context;
        var pointer = context.Pointer;
        word = context.Int(32);
        nothing = pointer.Null;
        subject = module.FindGlobal(SubjectName) ?? module.AddGlobal(context.Int(8), SubjectName);
        annotation = module.FindFunction(Annotation) ?? module.AddFunction(Annotation, LlvmType.Function(context.Void, pointer, pointer, pointer, word, pointer));
        annotation.Add(context.EnumAttribute("nomerge"u8)); // else marks of two branches become one behind them, whose units are a phi
    }

    /// <summary>Whether a module has marks.</summary>
    public static bool AreIn(Module module) => module.FindGlobal(SubjectName) != null;

    /// <summary>Puts a mark where the builder stands.</summary>
    /// <param name="builder">Where.</param>
    /// <param name="units">How much.</param>
    /// <param name="record">The function's record, if somebody wants to know whose the work is.</param>
    public void Add(Builder builder, ulong units, Value? record)
    {
        for (; units > int.MaxValue; units -= int.MaxValue) Add(builder, int.MaxValue, record);
        builder.Call(annotation, record ?? subject.AsValue, nothing, nothing, word.Const(units), subject.AsValue);
    }

    public bool Is(Instruction instruction) =>
        instruction.Opcode == Opcode.Call && instruction.CalledValue.Handle == annotation.Handle && instruction.AsValue.Operand(4).Handle == subject.Handle;

    public static ulong UnitsOf(Instruction mark) => mark.AsValue.Operand(3).ZExtValue;

    /// <summary>The record that was given, or none.</summary>
    public Value? RecordOf(Instruction mark) => mark.AsValue.Operand(0) is var record && record.Handle != subject.Handle ? record : null;

    /// <summary>Ends the life of marks: there must be none left.</summary>
    public void Delete() => subject.Delete();
}
