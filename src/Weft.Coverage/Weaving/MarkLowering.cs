using Weft.Core.Flow;
using Weft.Coverage.Weaving.Binary;
using Weft.Llvm;

namespace Weft.Coverage.Weaving;

/// <summary>
/// Turns marks into additions to the counters of the running thread.
/// <code>
/// call void @weft.coverage.count(ptr @c, i64 1)
/// call void @weft.coverage.count(ptr @d, i64 1)
/// ==>
/// %shift = call ptr @weft.coverage.enter()                    ; once, at the function's entry
/// ...
/// %shift = call ptr @weft.coverage.shift()                    ; behind each call
/// %own.c = getelementptr i8, ptr %shift, i64 ptrtoint (ptr @c to i64)
/// call void @weft.coverage.add(ptr %own.c, i64 1)
/// %own.d = getelementptr i8, ptr %shift, i64 ptrtoint (ptr @d to i64)
/// call void @weft.coverage.add(ptr %own.d, i64 1)
/// </code>
/// </summary>
internal static class MarkLowering
{
    public static void Run(Module module, bool shared, bool promotes)
    {
        var marks = new Marks(module); // what runs between may have dropped a function that nobody called
        var functions = module.Functions.Where(f => !f.IsDeclaration && marks.In(f).Count > 0).ToList();
        var probes = new Probes(module);
        using var builder = new Builder(module.Context);
        var weights = new BranchWeights(module.Context);
        ICounters counters = shared ? new SharedCounters(module.Context, builder, probes) : new ThreadCounters(module.Context, builder, probes, marks, weights);
        var gathering = new Gathering(marks, new Observers(marks), builder, module.Context.Int(64));
        var versions = new LoopVersions(module, marks, probes, weights, builder);
        var sets = false;
        foreach (var function in functions)
        {
            sets |= marks.In(function).Exists(marks.IsSetting);
            if (promotes) Gather(FunctionShape.Of(function, weights));
            var own = marks.In(function);
            if (!own.TrueForAll(marks.IsSetting)) counters.Enter(function);
            foreach (var mark in own) Lower(mark);
        }
        marks.Delete();
        if (shared) AskFor(module, "weft_coverage_atomic");
        if (sets) AskFor(module, "weft_coverage_binary");
        probes.Seal(module);

        void Gather(FunctionShape shape)
        {
            new LoopPromotion(gathering, versions, shape).Run();
            new PendingCounts(gathering, shape).Run();
        }

        void Lower(Instruction mark)
        {
            builder.Before(mark);
            builder.SetLocation(mark.DebugLocation);
            var amount = marks.AmountOf(mark, module.Context.Int(64));
            if (marks.IsSetting(mark)) builder.Call(probes.Set, Marks.CounterOf(mark), amount);
            else counters.Add(Marks.CounterOf(mark), amount);
            mark.Erase();
        }
    }

    // A section that says to the runtime, at the start, what counters the program needs: see runtime/coverage.c.
    private static void AskFor(Module module, string section)
    {
        var flag = module.AddGlobal(module.Context.Int(8), section);
        flag.Initializer = module.Context.Int(8).Const(1);
        flag.Linkage = Linkage.Private;
        flag.SetSection(System.Text.Encoding.ASCII.GetBytes(section));
        module.KeepInObject(flag);
    }
}

/// <summary>How an addition to a counter is written.</summary>
internal interface ICounters
{
    /// <summary>Prepares a function in which something will be added.</summary>
    void Enter(Function function);

    /// <summary>Adds to a counter where the builder stands.</summary>
    void Add(Value counter, Value amount);
}

/// <summary>One set of counters for all threads.</summary>
internal sealed class SharedCounters(LlvmContext context, Builder builder, Probes probes) : ICounters
{
    public void Enter(Function function) { }

    public void Add(Value counter, Value amount) => builder.Call(probes.AddShared, counter.ToConstantInt(context.Int(64)), amount);
}

/// <summary>The running thread's counters inside one function.</summary>
internal sealed class ThreadCounters(LlvmContext context, Builder builder, Probes probes, Marks marks, BranchWeights weights) : ICounters
{
    private Value shift;

    public void Enter(Function function)
    {
        var places = new ShiftReloads(new FlowGraph(function, weights), marks).Find();
        builder.Before(function.Entry.First);
        builder.SetArtificialLocation(function);
        shift = builder.Alloca(context.Pointer);
        builder.Before(AfterAllocas.In(function.Entry));
        builder.Store(builder.Call(probes.Enter).AsValue, shift);
        foreach (var place in places)
        {
            builder.Before(place);
            builder.Store(builder.Call(probes.Shift).AsValue, shift);
        }
    }

    public void Add(Value counter, Value amount) =>
        builder.Call(probes.Add, builder.Advance(builder.Load(context.Pointer, shift), counter.ToConstantInt(context.Int(64))), amount);
}

/// <summary>The probe is inlined and brings a branch with it: an alloca behind it would no longer be a fixed slot of the frame.</summary>
internal static class AfterAllocas
{
    public static Instruction In(BasicBlock entry)
    {
        var instruction = entry.First;
        while (instruction.Opcode == Opcode.Alloca) instruction = instruction.Next;
        return instruction;
    }
}
