using Weft.Core.Flow;
using Weft.Llvm;

namespace Weft.Interrupts;

/// <summary>What one walk over a function finds: block by block, what it costs and whom it calls.</summary>
internal sealed class FunctionFacts
{
    private readonly FlowGraph graph;

    public FunctionFacts(Function function, FlowGraph graph, CostModel model, Summaries summaries)
    {
        this.graph = graph;
        Cost = new int[graph.Count];
        Heavy = new bool[graph.Count];
        LastRecursion = new Instruction?[graph.Count];
        Syncs = new bool[graph.Count];
        Cold = new bool[graph.Count];
        for (var i = 0; i < graph.Count; i++) Walk(i, model, summaries);
        SpreadCold();
        Unprobed = FindUnprobed();
        IsPrivate = Array.TrueForAll(LastRecursion, c => c == null) && function.IsOnlyCalled;
        IsSmall = function.HasAttribute("optsize"u8) || function.HasAttribute("minsize"u8);
    }

    /// <summary>Units of a block, with what its callees leave to their callers.</summary>
    public int[] Cost { get; }

    /// <summary>Whether a block calls what may come back to this function, as far as anybody knows.</summary>
    public bool[] Heavy { get; }

    /// <summary>The last call of a block that comes back to this function, as far as names tell.</summary>
    public Instruction?[] LastRecursion { get; }

    /// <summary>Whether a block calls what may look at the thread's count.</summary>
    public bool[] Syncs { get; }

    /// <summary>Whether control hardly ever comes to a block: it ends in a panic, or the optimiser says so.</summary>
    public bool[] Cold { get; }

    /// <summary>Whether control may come to a block between instr_disable() and instr_enable().</summary>
    public bool[] Unprobed { get; }

    public List<(int Block, Instruction Call)> SlowCalls { get; } = [];

    public List<(int Block, Instruction Call)> SyncCalls { get; } = [];

    public List<(int Block, Instruction Call, bool Disables)> RegionCalls { get; } = [];

    public bool ReturnsTwice { get; private set; }

    /// <summary>Whether every call of the function is one by name from functions of its module that do not call back.</summary>
    public bool IsPrivate { get; }

    /// <summary>Whether the user asked for small code.</summary>
    public bool IsSmall { get; }

    private void Walk(int block, CostModel model, Summaries summaries)
    {
        foreach (var instruction in graph.Blocks[block].Instructions)
        {
            Cost[block] += model.Of(instruction);
            if (!instruction.IsCall) continue;
            var (kind, cost, syncs) = summaries.Of(instruction);
            Cost[block] += cost;
            Heavy[block] |= kind is CallKind.Unknown or CallKind.Recursive;
            if (kind == CallKind.Recursive) LastRecursion[block] = instruction;
            Syncs[block] |= syncs;
            if (syncs) SyncCalls.Add((block, instruction));
            if (kind == CallKind.Slow) SlowCalls.Add((block, instruction));
            if (kind is CallKind.DisableRegion or CallKind.EnableRegion) RegionCalls.Add((block, instruction, kind == CallKind.DisableRegion));
            if (kind != CallKind.Inert || cost > 0)
            {
                Cold[block] |= summaries.IsCold(instruction);
                ReturnsTwice |= summaries.ReturnsTwice(instruction);
            }
        }
        if (graph.Blocks[block].Terminator.Opcode == Opcode.Unreachable) Heavy[block] = false; // a panic does not come back
        Cold[block] |= graph.Blocks[block].Terminator.Opcode is Opcode.Unreachable or Opcode.Resume;
    }

    private void SpreadCold()
    {
        const ulong rare = 64;
        for (var i = 0; i < graph.Count; i++)
        {
            if (graph.Weights[i] is not { } weights) continue;
            var sum = weights.Aggregate(0UL, (a, w) => a + Math.Min(w, uint.MaxValue));
            for (var k = 0; k < weights.Length; k++)
                if (weights[k] < sum / rare && graph.Predecessors[graph.Successors[i][k]].Length == 1) Cold[graph.Successors[i][k]] = true;
        }
        // A block is cold when all its ways out are, or all its ways in. Blocks come roughly in the order of control.
        for (var changed = true; changed;)
        {
            changed = false;
            for (var i = graph.Count - 1; i >= 0; i--)
                if (!Cold[i] && graph.Successors[i].Length > 0 && Array.TrueForAll(graph.Successors[i], s => Cold[s])) Cold[i] = changed = true;
            for (var i = 1; i < graph.Count; i++)
                if (!Cold[i] && graph.Predecessors[i].Length > 0 && Array.TrueForAll(graph.Predecessors[i], p => Cold[p])) Cold[i] = changed = true;
        }
        Cold[0] = false;
    }

    private bool[] FindUnprobed()
    {
        var unprobed = new bool[graph.Count];
        if (!RegionCalls.Exists(c => c.Disables)) return unprobed;
        for (var changed = true; changed;)
        {
            changed = false;
            for (var i = 0; i < graph.Count; i++)
            {
                var after = RegionCalls.FindLastIndex(c => c.Block == i) is var last and >= 0 ? RegionCalls[last].Disables : unprobed[i];
                foreach (var target in graph.Successors[i])
                    if (after && !unprobed[target]) unprobed[target] = changed = true;
            }
        }
        return unprobed;
    }
}
