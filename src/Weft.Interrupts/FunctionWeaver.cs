using Weft.Core.Flow;
using Weft.Llvm;

namespace Weft.Interrupts;

/// <summary>Does to a function what its plan says; see <see cref="InterruptsInstrument"/> for what that looks like.</summary>
internal sealed class FunctionWeaver : IDisposable
{
    private readonly Builder builder;
    private readonly FlowEditor editor;
    private readonly BranchWeights weights;
    private readonly Probes probes;
    private readonly LlvmContext context;
    private readonly LlvmType word;

    public FunctionWeaver(Module module, Probes probes, BranchWeights weights)
    {
        context = module.Context;
        word = context.Int(64);
        builder = new Builder(context);
        editor = new FlowEditor(context, builder);
        this.probes = probes;
        this.weights = weights;
    }

    public void Weave(Function function, FlowGraph graph, FunctionFacts facts, LoopForest loops, FunctionPlan plan)
    {
        foreach (var probe in plan.Probes)
        {
            At(probe.Before, function);
            Pay(probe.Cost);
        }
        foreach (var call in plan.WaysBack) Behind(call, function, () => Pay(FunctionPlan.WayBack));
        foreach (var (from, to) in plan.WaysOut.Distinct())
        {
            At(editor.Split(from, to).Terminator, function);
            Pay(FunctionPlan.WayBack);
        }
        foreach (var call in plan.Checks) Behind(call, function, () => builder.Call(probes.Check));
        if (plan.Regions.Count > 0 || plan.Unrolled.Count > 0)
        {
            var membership = new LoopMembership(graph, loops);
            var unroller = new Unroller(new BlockCopier(context, builder), editor, membership);
            foreach (var unrolled in plan.Unrolled)
            {
                At(unroller.Unroll(unrolled.Loop, graph, unrolled.Copies, function), function);
                Pay(unrolled.Cost);
            }
            foreach (var region in plan.Regions) Weave(region, function, graph, facts, membership);
        }
        foreach (var marker in plan.Markers) Remove(marker);
    }

    public void Dispose() => builder.Dispose();

    private void Weave(Region region, Function function, FlowGraph graph, FunctionFacts facts, LoopMembership membership)
    {
        builder.Before(function.Entry.First);
        builder.SetArtificialLocation(function);
        var slot = builder.Alloca(word);
        bool IsCold(BasicBlock block) => graph.Find(block) is { } number && facts.Cold[number];
        foreach (var (from, to) in Exits(region.Root, graph))
            if (!Surroundings.IsPad(to) && !IsCold(to)) Leave(from, to, region.Root, function, membership, slot);
        Enter(region.Root, graph, function, membership, slot);
        foreach (var call in region.Calls) Exchange(call, function, slot);
        foreach (var spend in region.Spends) Spend(spend.Before, spend.Cost, function, slot);
        var unroller = new Unroller(new BlockCopier(context, builder), editor, membership);
        foreach (var unrolled in region.Unrolled)
            Spend(unroller.Unroll(unrolled.Loop, graph, unrolled.Copies, function), unrolled.Cost, function, slot);
        var prepaidWeaver = new PrepaidWeaver(context, builder, editor, probes, weights, membership);
        foreach (var prepaid in region.Prepaid) prepaidWeaver.Weave(prepaid, graph, IsCold, slot);
    }

    private void Pay(int units) => builder.Call(probes.Probe(units), word.Const((ulong)units));

    private void Spend(Instruction before, int units, Function function, Value slot)
    {
        At(before, function);
        builder.Store(builder.Call(probes.Spend, builder.Load(word, slot), word.Const((ulong)units), probes.Gap).AsValue, slot);
    }

    private void Enter(Loop root, FlowGraph graph, Function function, LoopMembership membership, Value slot)
    {
        var header = graph.Blocks[root.Header];
        var (block, _) = editor.InsertBefore(header, b => membership.IsIn(b, root));
        builder.AtEnd(block);
        builder.SetArtificialLocation(function);
        Load(slot);
        builder.Branch(header);
        membership.Add(block, root.Parent);
    }

    private void Leave(BasicBlock from, BasicBlock to, Loop root, Function function, LoopMembership membership, Value slot)
    {
        var block = editor.Split(from, to);
        builder.SetArtificialLocation(function);
        builder.Before(block.Terminator);
        Store(slot);
        membership.Add(block, membership.Common(root.Parent, to));
    }

    /// <summary>A call that may look at the count: it finds it in memory, and what it leaves there is taken over.</summary>
    private void Exchange(Instruction call, Function function, Value slot)
    {
        At(call, function);
        Store(slot);
        if (call.Opcode == Opcode.Invoke)
        {
            foreach (var target in (ReadOnlySpan<BasicBlock>)[call.Successor(0), call.Successor(1)])
                if (target.FirstInsertion is { Exists: true } first)
                {
                    At(first, function);
                    Load(slot);
                }
            return;
        }
        At(call.Next, function);
        Load(slot);
    }

    private void Load(Value slot) => builder.Store(builder.Call(probes.Begin, probes.Gap).AsValue, slot);

    private void Store(Value slot) => builder.Call(probes.End, builder.Load(word, slot));

    private static List<(BasicBlock From, BasicBlock To)> Exits(Loop loop, FlowGraph graph)
    {
        var exits = new List<(BasicBlock, BasicBlock)>();
        foreach (var number in loop.Blocks)
        {
            var terminator = graph.Blocks[number].Terminator;
            for (var i = 0; i < terminator.SuccessorCount; i++) // as it is now: a loop woven before may have put a block there
                if (terminator.Successor(i) is var to && !(graph.Find(to) is { } target && loop.Contains(target)) && !exits.Contains((graph.Blocks[number], to)))
                    exits.Add((graph.Blocks[number], to));
        }
        return exits;
    }

    private void Behind(Instruction call, Function function, Action insert)
    {
        var at = call.Opcode == Opcode.Call ? call.Next : call.Successor(0).Predecessors.Count == 1 ? call.Successor(0).FirstInsertion : default;
        if (!at.Exists) return;
        At(at, function);
        insert();
    }

    private static void Remove(Instruction marker)
    {
        if (marker.Opcode == Opcode.Call && !marker.AsValue.HasUses) marker.Erase();
    }

    private void At(Instruction instruction, Function function)
    {
        builder.Before(instruction);
        if (instruction.DebugLocation is var location and not 0) builder.SetLocation(location);
        else builder.SetArtificialLocation(function);
    }
}
