using Weft.Core.Flow;
using Weft.Llvm;

namespace Weft.Metering.Weaving;

/// <summary>
/// MIDDLE: charges gather in a value, which the optimiser keeps in a register or knows as a constant, until somebody might look.
/// <code>
/// mark 2                                  br i1 %c, label %then, label %out
/// br i1 %c, label %then, label %out
/// then:                                   then:
/// mark 3                           ==>    call void @weft.metering.check(i64 5)
/// call void @g()                          call void @g()
/// br label %out                           br label %out
/// out:                                    out:
///                                         %pending = phi i64 [ 2, %entry ], [ 0, %then ]
///                                         call void @weft.metering.charge(i64 %pending)
/// ret void                                ret void
/// </code>
/// Guarantee: the sum of what is charged equals the sum of the marks on every path, and nothing is pending where
/// <see cref="Observers"/> says that somebody looks.
/// </summary>
internal sealed class MarkLowering : IDisposable
{
    private readonly Module module;
    private readonly WorkMarks marks;
    private readonly Probes probes;
    private readonly Observers observers;
    private readonly LimitPoints? points;
    private readonly Builder builder;
    private readonly FlowEditor editor;
    private readonly BranchWeights weights;
    private readonly LlvmType unit;
    private readonly bool looksInLoops, unrolls;

    private MarkLowering(Module module, Func<Function, bool> isWoven, bool looksInLoops, bool unrolls, bool isReplaceable)
    {
        this.module = module;
        this.looksInLoops = looksInLoops;
        this.unrolls = unrolls;
        marks = new(module);
        points = LimitPoints.Find(module);
        probes = new(module, points != null);
        observers = new(isWoven, points != null, isReplaceable);
        builder = new(module.Context);
        editor = new(module.Context, builder);
        weights = new(module.Context);
        unit = module.Context.Int(64);
    }

    /// <param name="module">What FRONT has marked.</param>
    /// <param name="isWoven">Whether a function of the module is one that has marks, if it does any work.</param>
    /// <param name="looksInLoops">Whether loops and recursions have to look for the limit.</param>
    /// <param name="unrolls">Whether tiny loops may be written out.</param>
    /// <param name="isReplaceable">Whether functions may be replaced in the running program.</param>
    public static void Run(Module module, Func<Function, bool> isWoven, bool looksInLoops, bool unrolls, bool isReplaceable)
    {
        using var lowering = new MarkLowering(module, isWoven, looksInLoops, unrolls, isReplaceable);
        var functions = CallOrder.CalleesFirst([.. module.Functions.Where(f => !f.IsDeclaration)]); // woven ones are inlined in others, too
        foreach (var function in functions)
        {
            lowering.Lower(function);
            lowering.observers.SetLowered(function);
        }
        lowering.marks.Delete();
        lowering.points?.Seal(lowering.probes);
        lowering.probes.Seal();
    }

    public void Dispose() => builder.Dispose();

    private void Lower(Function function)
    {
        var flow = FlowOf(function);
        var isQuiet = flow.IsQuiet && observers.IsKnown(function);
        if (Array.Exists(flow.Steps, block => block.Exists(s => s.Units > 0 || marks.Is(s.At)))) Lower(function, flow);
        // Only now: calls of itself have to be seen, a recursion that charges only on its way back would never find its limit.
        if (isQuiet) observers.SetQuiet(function);
    }

    private void Lower(Function function, FunctionFlow flow)
    {
        if (unrolls && points != null && new PointChunker(module, builder, weights, points, marks).Run(flow)) flow = FlowOf(function);
        if (Residue.IsPossible(flow, observers)) flow = Leave(function);
        var (plan, limits) = Plan(flow);
        if (plan.ChecksAtReturn && observers.IsKnown(function)) observers.SetChecking(function);
        if (limits != null && unrolls && Unroll(flow, limits))
        {
            flow = FlowOf(function);
            (plan, limits) = Plan(flow);
        }
        new ChargeWeaver(flow, plan, looksInLoops ? limits : null, marks, probes, editor, builder, unit).Run();
        foreach (var step in flow.Steps.SelectMany(s => s).Where(s => marks.Is(s.At))) Remove(step.At);
    }

    private FunctionFlow Leave(Function function)
    {
        observers.SetResidue(function, Residue.Unknown);
        var flow = FlowOf(function);
        observers.SetResidue(function, Residue.Choose(flow, PlanOf(flow)));
        return FlowOf(function);
    }

    private FunctionFlow FlowOf(Function function) => new(function, weights, marks, observers, points);

    // Where there are points, nothing else looks.
    private (ChargePlan Plan, LoopLimits? Limits) Plan(FunctionFlow flow)
    {
        var plan = PlanOf(flow);
        return (plan, points == null ? new LoopLimits(flow, plan, module) : null);
    }

    private ChargePlan PlanOf(FunctionFlow flow) => new(flow, observers, looksInLoops && points == null);

    /// <summary>Tiny loops that look each time round, or add to what is pending, do so once in several rounds.</summary>
    private bool Unroll(FunctionFlow flow, LoopLimits limits)
    {
        var function = flow.Function;
        if (function.HasAttribute("optsize"u8) || function.HasAttribute("minsize"u8)) return false;
        var tiny = limits.Uncounted.Select(l => (Loop: l, Copies: Unroller.Copies(l, flow.Graph, MostUnrolled, marks.Is))).Where(t => t.Copies > 1).ToList();
        if (tiny.Count == 0) return false;
        var membership = new LoopMembership(flow.Graph, limits.Forest);
        var unroller = new Unroller(new BlockCopier(module.Context, builder), editor, membership);
        foreach (var (loop, copies) in tiny) unroller.Unroll(loop, flow.Graph, copies, function);
        return true;
    }

    // Instructions of a loop that is written out several times.
    private const int MostUnrolled = 12;

    private void Remove(Instruction mark)
    {
        if (marks.RecordOf(mark) is { } record)
        {
            builder.Before(mark);
            builder.SetLocation(mark.DebugLocation);
            builder.Call(probes.Attribute, record, marks.ValueOf(mark, builder));
        }
        mark.Erase();
    }
}
