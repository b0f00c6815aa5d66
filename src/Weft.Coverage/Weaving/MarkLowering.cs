using Weft.Core.Flow;
using Weft.Llvm;

namespace Weft.Coverage.Weaving;

/// <summary>
/// Turns marks into additions to the counters of the running thread.
/// <code>
/// call void @weft.coverage.count(ptr @c, i64 1)
/// ==>
/// %shift = call ptr @weft.coverage.shift()                    ; once, at the function's entry
/// %own = getelementptr i8, ptr %shift, i64 ptrtoint (ptr @c to i64)
/// call void @weft.coverage.add(ptr %own, i64 1)
/// </code>
/// </summary>
internal static class MarkLowering
{
    public static void Run(Module module, Marks marks, bool promotes)
    {
        var functions = module.Functions.Where(f => !f.IsDeclaration && marks.In(f).Count > 0).ToList();
        var probes = Probes.LinkInto(module);
        using var builder = new Builder(module.Context);
        var weights = new BranchWeights(module.Context);
        foreach (var function in functions)
        {
            var counters = new ThreadCounters(module.Context, builder, probes, function);
            if (promotes) new LoopPromotion(marks, builder, counters, new FlowGraph(function, weights)).Run();
            foreach (var mark in marks.In(function))
            {
                builder.Before(mark);
                builder.SetLocation(mark.DebugLocation);
                counters.Add(mark.AsValue.Operand(0), mark.AsValue.Operand(1));
                mark.Erase();
            }
        }
        marks.Delete();
        probes.Seal();
    }
}

/// <summary>The running thread's counters inside one function.</summary>
internal sealed class ThreadCounters
{
    private readonly Builder builder;
    private readonly Probes probes;
    private readonly LlvmType word;
    private readonly Value shift;

    public ThreadCounters(LlvmContext context, Builder builder, Probes probes, Function function)
    {
        this.builder = builder;
        this.probes = probes;
        word = context.Int(64);
        Function = function;
        builder.Before(AfterAllocas(function.Entry));
        builder.SetArtificialLocation(function);
        shift = builder.Call(probes.Shift).AsValue;
    }

    public Function Function { get; }

    public LlvmType Word => word;

    /// <summary>Adds to a counter where the builder stands.</summary>
    public void Add(Value counter, Value amount) => builder.Call(probes.Add, builder.Advance(shift, counter.ToConstantInt(word)), amount);

    // The probe is inlined and brings a branch with it: an alloca behind it would no longer be a fixed slot of the frame.
    private static Instruction AfterAllocas(BasicBlock entry)
    {
        var instruction = entry.First;
        while (instruction.Opcode == Opcode.Alloca) instruction = instruction.Next;
        return instruction;
    }
}
