using Weft.Core.Flow;
using Weft.Llvm;

namespace Weft.Coverage.Weaving.Binary;

/// <summary>A block, the edges from it to another block, or a mark in it where that would add nothing.</summary>
internal readonly record struct Site(int Block, int To = Site.None, Instruction Idle = default)
{
    public const int None = -1;

    public bool IsEdge => To != None;
}

/// <summary>
/// Random numbers on blocks and edges that obey the law of flow: what comes into a block goes out of it. Two places that
/// control passes equally often, whatever the input, have equal numbers; others have, but for one chance in 2^64, different ones.
/// So do sums and differences. (Arithmetic is modulo 2^64.)
/// </summary>
/// <remarks>
/// As front ends have it, control that leaves by unwinding is lost and comes from nowhere where it is caught, and none goes to the
/// panics of checks. Blocks that cannot be reached have no flow.
/// </remarks>
internal sealed class FlowNumbers
{
    // What rustc calls where a check of its own fails (core::panicking), and clang under -fsanitize.
    private static readonly string[] FailedChecks =
        ["panic_bounds_check", "11panic_const", "panic_misaligned_pointer_dereference", "panic_null_pointer_dereference", "panic_invalid_enum_construction", "llvm.ubsantrap"];

    private readonly FlowGraph graph;
    private readonly int outside;
    private readonly List<(int From, int To)> edges = [];
    private readonly int[] firstEdge;
    private readonly ulong[] ofEdge;
    private readonly ulong[] ofBlock;

    public FlowNumbers(FlowGraph graph, ulong seed)
    {
        this.graph = graph;
        outside = graph.Count;
        firstEdge = new int[graph.Count];
        var reachable = Reachable();
        for (var block = 0; block < graph.Count; block++)
            if (reachable[block]) AddEdges(block);
            else firstEdge[block] = int.MaxValue;
        ofEdge = new ulong[edges.Count];
        Solve(seed);
        ofBlock = new ulong[graph.Count];
        for (var i = 0; i < edges.Count; i++)
            if (edges[i].To != outside)
                ofBlock[edges[i].To] += ofEdge[i];
    }

    public ulong this[int block] => ofBlock[block];

    /// <summary>
    /// The blocks that have flow, in the function's order, then edges that are neither all of a block's way out nor all of one's way
    /// in, and that a block can be put on.
    /// </summary>
    public IEnumerable<(Site Site, ulong Number)> Sites()
    {
        for (var block = 0; block < graph.Count; block++)
            if (ofBlock[block] != 0)
                yield return (new Site(block), ofBlock[block]);
        for (var i = 0; i < edges.Count; i++)
            if (edges[i] is var (from, to) && from != outside && to != outside && graph.Predecessors[to].Length > 1 && graph.Successors[from].Length > 1
                && graph.Blocks[from].Terminator.Opcode is Opcode.Br or Opcode.Switch)
                yield return (new Site(from, to), ofEdge[i]);
    }

    /// <summary>The numbers of a block's ways out.</summary>
    public IEnumerable<ulong> WaysOut(int block)
    {
        for (var i = firstEdge[block]; i < edges.Count && edges[i].From == block; i++) yield return ofEdge[i];
    }

    private bool[] Reachable()
    {
        var reached = new bool[graph.Count];
        var work = new Stack<int>([0]);
        while (work.TryPop(out var block))
        {
            if (reached[block] || IsNever(block)) continue;
            reached[block] = true;
            foreach (var next in graph.Successors[block]) work.Push(next);
        }
        return reached;
    }

    private void AddEdges(int block)
    {
        if (block == 0 || IsPad(block)) edges.Add((outside, block));
        firstEdge[block] = edges.Count;
        foreach (var next in graph.Successors[block].Distinct())
            if (!IsPad(next) && !IsNever(next))
                edges.Add((block, next));
        if (edges.Count == firstEdge[block]) edges.Add((block, outside));
    }

    /// <summary>Whether the front end counts on it that control does not come here.</summary>
    private bool IsNever(int block)
    {
        if (graph.Blocks[block].Terminator.Opcode != Opcode.Unreachable) return false;
        if (graph.Blocks[block].First.Opcode == Opcode.Unreachable) return true;
        foreach (var instruction in graph.Blocks[block].Instructions)
            if (instruction.IsCall && instruction.CalledValue is { IsFunction: true } callee && callee.Name is var name && Array.Exists(FailedChecks, name.Contains))
                return true;
        return false;
    }

    private bool IsPad(int block)
    {
        var first = graph.Blocks[block].First;
        while (first.Opcode == Opcode.Phi) first = first.Next;
        return first.Opcode is Opcode.LandingPad or Opcode.CatchSwitch or Opcode.CatchPad or Opcode.CleanupPad;
    }

    /// <summary>Random numbers on all edges but those of a spanning tree, which follow.</summary>
    private void Solve(ulong seed)
    {
        var touching = new List<int>[graph.Count + 1];
        for (var i = 0; i < touching.Length; i++) touching[i] = [];
        for (var i = 0; i < edges.Count; i++)
        {
            touching[edges[i].From].Add(i);
            if (edges[i].To != edges[i].From) touching[edges[i].To].Add(i);
        }
        var tree = new (int Block, int Edge)[graph.Count + 1];
        var order = Tree(touching, tree);
        var isTree = order.Skip(1).Select(b => tree[b].Edge).ToHashSet();
        for (var i = 0; i < edges.Count; i++)
            if (!isTree.Contains(i))
                ofEdge[i] = Random(ref seed);
        for (var i = order.Count - 1; i > 0; i--)
        {
            var block = order[i];
            ulong comes = 0, goes = 0;
            foreach (var edge in touching[block])
            {
                if (edges[edge].To == block) comes += ofEdge[edge];
                if (edges[edge].From == block) goes += ofEdge[edge];
            }
            ofEdge[tree[block].Edge] = edges[tree[block].Edge].To == block ? goes - comes : comes - goes;
        }
    }

    /// <summary>The blocks, parents first, from outside on; of each the edge that leads to its parent.</summary>
    private List<int> Tree(List<int>[] touching, (int Block, int Edge)[] tree)
    {
        var order = new List<int> { outside };
        var known = new bool[graph.Count + 1];
        known[outside] = true;
        for (var i = 0; i < order.Count; i++)
            foreach (var edge in touching[order[i]])
            {
                var other = edges[edge].From == order[i] ? edges[edge].To : edges[edge].From;
                if (known[other]) continue;
                known[other] = true;
                tree[other] = (order[i], edge);
                order.Add(other);
            }
        return order;
    }

    /// <summary>SplitMix64 (Steele, Lea, Flood 2014): the same numbers on every build.</summary>
    public static ulong Random(ref ulong state)
    {
        var z = state += 0x9E3779B97F4A7C15;
        z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9;
        z = (z ^ z >> 27) * 0x94D049BB133111EB;
        return z ^ z >> 31;
    }
}
