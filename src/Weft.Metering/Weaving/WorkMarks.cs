using Weft.Llvm;
using Weft.Metering.Costs;

namespace Weft.Metering.Weaving;

/// <summary>
/// Marks say "here so many units of work are done":
/// <code>
/// call void @llvm.var.annotation(ptr %record, ptr null, ptr null, i32 UNITS, ptr @weft.metering.work)
/// </code>
/// To the optimiser an annotation has an effect that nothing else can see, and costs nothing: it is never dropped, merged with
/// another or run speculatively, loads and stores of the program move past it freely, functions are inlined as they are
/// without, and a function that is copied into its caller takes its marks along. A mark whose units a running program knows:
/// <code>
/// call void @llvm.var.annotation(ptr %record, ptr inttoptr(%argument), ptr inttoptr(PER), i32 UNITS, ptr @weft.metering.work)
/// </code>
/// </summary>
internal sealed class WorkMarks
{
    private const string SubjectName = "weft.metering.work", Annotation = "llvm.var.annotation.p0.p0";

    private readonly Function annotation;
    private readonly GlobalVariable subject;
    private readonly Value nothing;
    private readonly LlvmType word, unit;

    public WorkMarks(Module module)
    {
        var context = module.Context;
        var pointer = context.Pointer;
        word = context.Int(32);
        unit = context.Int(64);
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

    /// <summary>Puts a mark of what an argument adds.</summary>
    public void Add(Builder builder, LinearCost cost, Value argument, Value? record) => builder.Call(annotation,
        record ?? subject.AsValue, builder.IntToPointer(builder.Resize(argument, unit)), builder.IntToPointer(unit.Const(cost.Per)), word.Const(cost.Units), subject.AsValue);

    public bool Is(Instruction instruction) =>
        instruction.Opcode == Opcode.Call && instruction.CalledValue.Handle == annotation.Handle && instruction.AsValue.Operand(4).Handle == subject.Handle;

    /// <summary>Whether only the running program knows the units.</summary>
    public static bool IsLinear(Instruction mark) => !mark.AsValue.Operand(2).IsNullConstant;

    /// <summary>What is known of the units: none of a linear mark.</summary>
    public static ulong UnitsOf(Instruction mark) => IsLinear(mark) ? 0 : mark.AsValue.Operand(3).ZExtValue;

    /// <summary>The units as a value, where the builder stands.</summary>
    public Value ValueOf(Instruction mark, Builder builder)
    {
        if (!IsLinear(mark)) return unit.Const(UnitsOf(mark));
        var cost = new LinearCost(0, mark.AsValue.Operand(3).ZExtValue, mark.AsValue.Operand(2).Operand(0).ZExtValue);
        return ValueOf(cost, builder.PointerToInt(mark.AsValue.Operand(1), unit), builder);
    }

    /// <summary>What an argument adds: <c>min(argument / per, most) * units</c>, which cannot overflow.</summary>
    public static Value ValueOf(LinearCost cost, Value argument, Builder builder)
    {
        var times = builder.Binary(Opcode.UDiv, argument, argument.Type.Const(cost.Per));
        var most = argument.Type.Const(cost.MostTimes);
        return builder.Mul(builder.Select(builder.Compare(Predicate.UnsignedGreater, times, most), most, times), argument.Type.Const(cost.Units));
    }

    /// <summary>The record that was given, or none.</summary>
    public Value? RecordOf(Instruction mark) => mark.AsValue.Operand(0) is var record && record.Handle != subject.Handle ? record : null;

    /// <summary>Ends the life of marks: there must be none left.</summary>
    public void Delete() => subject.Delete();
}
