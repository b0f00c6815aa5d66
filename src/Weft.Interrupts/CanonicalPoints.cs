using Weft.Core.Flow;
using Weft.Llvm;

namespace Weft.Interrupts;

/// <summary>
/// Interrupts on metering's count. The points where one may come are marked in IR as the front end wrote it, where a
/// function begins and where a loop does:
/// <code>
/// loop:  %i = phi ...                        loop:  %i = phi ...
///                                                   call void @weft.interrupts.point()
/// </code>
/// Metering then brings its count up to date before each mark, as before any call. Nothing may remove, repeat or reorder a
/// call that could do anything, so whatever the optimiser does, the same marks are passed with the same counts. Behind the
/// optimiser each becomes a comparison of the count with the one at which the next interrupt is due.
/// </summary>
internal static class CanonicalPoints
{
    private const string PointName = "weft.interrupts.point", ProbeName = "weft.interrupts.canonical";

    public static void Mark(Module module)
    {
        if (module.FindFunction(PointName) != null) return;
        var resolvers = module.IndirectResolvers;
        var functions = module.Functions.Where(f => InterruptsInstrument.MayHold(f) && !resolvers.Contains(f)).ToList();
        if (functions.Count == 0) return;
        var point = module.AddFunction(PointName, LlvmType.Function(module.Context.Void));
        point.Add(module.Context.EnumAttribute("nounwind"u8));
        var weights = new BranchWeights(module.Context);
        using var builder = new Builder(module.Context);
        foreach (var function in functions)
        {
            var graph = new FlowGraph(function, weights);
            MarkAt(Planner.AfterAllocas(function.Entry));
            foreach (var loop in new LoopForest(graph).All)
                foreach (var header in loop.Headers) MarkAt(graph.Blocks[header].FirstInsertion);

            void MarkAt(Instruction before)
            {
                if (!before.Exists) return; // only a catchswitch
                builder.SetArtificialLocation(function);
                builder.Before(before);
                builder.Call(point);
            }
        }
    }

    public static void Probe(Module module)
    {
        if (module.FindFunction(PointName) is not { } point) return;
        using var source = module.Context.ParseAssembly(Probes.Read("canonical.ll"));
        source.Triple = module.Triple;
        source.DataLayout = module.DataLayout;
        module.Link(source);
        var probe = module.FindFunction(ProbeName)!.Value;
        point.AsValue.ReplaceAllUsesWith(probe.AsValue);
        point.Delete();
        Probes.Declare(module, clock: 2, ProbeKind.Canonical);
        probe.Linkage = Linkage.Internal;
        module.RunPasses("always-inline", machine: null, default);
    }
}
