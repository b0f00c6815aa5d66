namespace Weft.Core.Flow;

/// <summary>A cycle of the flow graph: a strongly connected part of what is left when the headers of the loops around it are cut out.</summary>
public sealed class Loop(Loop? parent, int[] headers, int[] blocks)
{
    private readonly HashSet<int> members = [.. blocks];

    public Loop? Parent { get; } = parent;

    /// <summary>Where control enters. More than one: the loop is irreducible.</summary>
    public int[] Headers { get; } = headers;

    /// <summary>All blocks, those of inner loops included.</summary>
    public int[] Blocks { get; } = blocks;

    public List<Loop> Children { get; } = [];

    public int Header => Headers[0];

    public bool IsReducible => Headers.Length == 1;

    public bool Contains(int block) => members.Contains(block);

    /// <summary>Whether control can go round without coming to a block that stops it.</summary>
    public bool GoesRound(FlowGraph graph, Func<int, bool> stops) => Array.Exists(Headers, h => GoesRound(h, graph, stops));

    private bool GoesRound(int header, FlowGraph graph, Func<int, bool> stops)
    {
        if (stops(header)) return false;
        var seen = new HashSet<int>();
        var work = new Stack<int>();
        work.Push(header);
        while (work.TryPop(out var block))
            foreach (var next in graph.Successors[block])
            {
                if (next == header) return true;
                if (Contains(next) && !stops(next) && seen.Add(next)) work.Push(next);
            }
        return false;
    }
}

/// <summary>
/// Every cycle of a function, nested. Strongly connected components, found again inside each loop without the edges to its
/// headers (Steensgaard 1993): needs no dominators, and irreducible flow is nothing special.
/// </summary>
public sealed class LoopForest
{
    private readonly FlowGraph graph;
    private readonly int[] index, low;
    private readonly bool[] onStack;
    private readonly Loop?[] innermost;

    public LoopForest(FlowGraph graph)
    {
        this.graph = graph;
        index = new int[graph.Count];
        low = new int[graph.Count];
        onStack = new bool[graph.Count];
        innermost = new Loop?[graph.Count];
        int[] all = [.. graph.Order.Order()];
        var isReached = new bool[graph.Count];
        foreach (var block in all) isReached[block] = true;
        // A work list, not recursion: generated code nests thousands deep.
        var work = new Stack<(Loop? Parent, int[] Blocks)>();
        work.Push((null, all));
        while (work.TryPop(out var item))
            foreach (var component in Components(item.Blocks, item.Parent))
                work.Push((AddLoop(component, item.Parent, isReached), component));
    }

    public List<Loop> Roots { get; } = [];

    /// <summary>Every loop, outer ones before those in them.</summary>
    public List<Loop> All { get; } = [];

    /// <summary>The innermost loop around a block.</summary>
    public Loop? Of(int block) => innermost[block];

    // Unoptimised code has blocks that nothing leads to: ways from there into a loop make no header.
    private Loop AddLoop(int[] component, Loop? parent, bool[] isReached)
    {
        var members = component.ToHashSet();
        var headers = component.Where(b => b == 0 || graph.Predecessors[b].Any(p => isReached[p] && !members.Contains(p))).Order().ToArray();
        var loop = new Loop(parent, headers, component);
        (parent?.Children ?? Roots).Add(loop);
        All.Add(loop);
        foreach (var block in component) innermost[block] = loop;
        return loop;
    }

    /// <summary>Tarjan's components with a cycle, of the blocks given, without edges to the parent's headers.</summary>
    private List<int[]> Components(int[] blocks, Loop? parent)
    {
        const int unvisited = 0, outside = -1;
        Array.Fill(index, outside);
        foreach (var block in blocks) index[block] = unvisited;
        var cut = parent?.Headers ?? [];
        var components = new List<int[]>();
        var path = new Stack<(int Block, int Next)>();
        var stack = new Stack<int>();
        var counter = 0;
        foreach (var root in blocks)
        {
            if (index[root] != unvisited) continue;
            Enter(root);
            while (path.TryPop(out var at))
            {
                var successors = graph.Successors[at.Block];
                if (at.Next < successors.Length)
                {
                    path.Push((at.Block, at.Next + 1));
                    var target = successors[at.Next];
                    if (index[target] == outside || cut.Contains(target)) continue;
                    if (index[target] == unvisited) Enter(target);
                    else if (onStack[target]) low[at.Block] = Math.Min(low[at.Block], index[target]);
                    continue;
                }
                if (path.TryPeek(out var caller)) low[caller.Block] = Math.Min(low[caller.Block], low[at.Block]);
                if (low[at.Block] == index[at.Block]) Leave(at.Block);
            }
        }
        return components;

        void Enter(int block)
        {
            index[block] = low[block] = ++counter;
            onStack[block] = true;
            stack.Push(block);
            path.Push((block, 0));
        }

        void Leave(int block)
        {
            var component = new List<int>();
            int member;
            do
            {
                member = stack.Pop();
                onStack[member] = false;
                component.Add(member);
            }
            while (member != block);
            if (component.Count > 1 || graph.Successors[block].Contains(block) && !cut.Contains(block)) components.Add([.. component]);
        }
    }
}
