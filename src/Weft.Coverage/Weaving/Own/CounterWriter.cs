using Weft.Core.Flow;
using Weft.Coverage.Regions.Placement;
using Weft.Llvm;

namespace Weft.Coverage.Weaving.Own;

/// <summary>
/// Counts the sites of a plan as a front end would:
/// <code>
/// call void @llvm.instrprof.increment.step(ptr @__profn_f, i64 hash, i32 counters, i32 number, i64 1)
/// </code>
/// </summary>
internal sealed class CounterWriter(Module module, Builder builder)
{
    private const string Intrinsic = "llvm.instrprof.increment.step";

    private readonly FlowEditor editor = new(module.Context, builder);
    private readonly LlvmType word = module.Context.Int(64), number = module.Context.Int(32);

    public void Write(LocatedFunction function, CounterPlan plan, Value name, ulong hash)
    {
        var pointer = module.Context.Pointer;
        var increment = module.FindFunction(Intrinsic) ?? module.AddFunction(Intrinsic, LlvmType.Function(module.Context.Void, pointer, word, number, number, word));
        for (var i = 0; i < plan.Counters.Count; i++)
        {
            var site = plan.Counters[i];
            if (site.Kind == SiteKind.Never) continue;
            builder.Before(PlaceOf(function, plan, site));
            builder.SetArtificialLocation(function.Function);
            var step = site.Kind == SiteKind.Value ? builder.Resize(site.Condition, word) : word.Const(1);
            builder.Call(increment, name, word.Const(hash), number.Const((ulong)plan.Counters.Count), number.Const((ulong)i), step);
        }
    }

    private Instruction PlaceOf(LocatedFunction function, CounterPlan plan, Site site)
    {
        if (site.Kind == SiteKind.Value) return site.Before;
        if (plan.IsEntry(site)) return AfterAllocas.In(function.Function.Entry);
        var block = function.Graph.Blocks[site.Block];
        if (site.Kind != SiteKind.Edge || site.Successor < 0 || function.NormalSuccessors(site.Block).Take(2).Count() == 1) return First(block);
        var target = block.Terminator.Successor(site.Successor);
        var isOnlyWay = target.Predecessors is [_] && Enumerable.Range(0, block.Terminator.SuccessorCount).Count(i => block.Terminator.Successor(i) == target) == 1;
        return isOnlyWay ? First(target) : editor.Split(block, site.Successor).Terminator;
    }

    private static Instruction First(BasicBlock block) => block == block.Parent.Entry ? AfterAllocas.In(block) : block.FirstInsertion;
}
