using System.Runtime.InteropServices;

namespace Weft.Tracing;

/// <summary>The distinct stacks of a trace, all threads together, as a tree: how often each was there, and how long on top.</summary>
public sealed class StackTree
{
    /// <summary>The function of nodes that stand for everything below <see cref="Deepest"/> calls.</summary>
    public const int Deeper = int.MinValue;

    // What stacks are written to repeats the whole stack for each: runaway recursion would fill any disk.
    private const int Deepest = 1000;

    private readonly List<Node> nodes = [new Node(-1, 0)];
    private readonly Dictionary<(int Parent, int Function), int> children = [];

    private StackTree() { }

    public static StackTree Of(ITraceSource source, Func<TraceThread, IEnumerable<CallEvent>> calls)
    {
        var tree = new StackTree();
        foreach (var thread in source.Threads) tree.Add(calls(thread));
        return tree;
    }

    /// <summary>Nodes in order, each after its parent and siblings by name: depth from 0, function, calls, and nanoseconds in itself and with callees.</summary>
    /// <param name="name">Of a function.</param>
    public IEnumerable<(int Depth, int Function, long Calls, long Self, long Total)> Walk(Func<int, string> name)
    {
        var totals = Totals();
        var byParent = Enumerable.Range(1, nodes.Count - 1).OrderBy(i => nodes[i].Parent).ThenByDescending(i => name(nodes[i].Function), StringComparer.Ordinal).ToList();
        var firstOf = new int[nodes.Count];
        for (var i = byParent.Count - 1; i >= 0; i--) firstOf[nodes[byParent[i]].Parent] = i;
        var waiting = new Stack<(int Node, int Depth)>();
        for (var (node, depth) = (0, -1); ;)
        {
            if (HasChildren(node))
                for (var i = firstOf[node]; i < byParent.Count && nodes[byParent[i]].Parent == node; i++) waiting.Push((byParent[i], depth + 1));
            if (!waiting.TryPop(out var next)) yield break;
            (node, depth) = next;
            yield return (depth, nodes[node].Function, nodes[node].Calls, nodes[node].Self, totals[node]);
        }

        bool HasChildren(int node) => byParent.Count > 0 && nodes[byParent[firstOf[node]]].Parent == node;
    }

    private void Add(IEnumerable<CallEvent> events)
    {
        var open = new Stack<(int Node, long Callees)>();
        foreach (var e in events)
        {
            if (e.Kind == CallKind.Begin)
            {
                open.Push((Enter(open.TryPeek(out var caller) ? caller.Node : 0, open.Count, e.Id), 0));
            }
            else if (e.Kind == CallKind.End && open.TryPop(out var call))
            {
                var time = e.Time - e.Start;
                CollectionsMarshal.AsSpan(nodes)[call.Node].Self += Math.Max(0, time - call.Callees);
                if (open.TryPop(out var caller)) open.Push(caller with { Callees = caller.Callees + time });
            }
        }
    }

    private int Enter(int parent, int depth, int function)
    {
        if (depth >= Deepest) function = Deeper;
        if (depth > Deepest) return Called(parent); // stands for itself
        ref var node = ref CollectionsMarshal.GetValueRefOrAddDefault(children, (parent, function), out var known);
        if (!known)
        {
            node = nodes.Count;
            nodes.Add(new Node(parent, function));
        }
        return Called(node);
    }

    private int Called(int node)
    {
        CollectionsMarshal.AsSpan(nodes)[node].Calls++;
        return node;
    }

    // A node comes after its parent.
    private long[] Totals()
    {
        var totals = new long[nodes.Count];
        for (var i = nodes.Count - 1; i > 0; i--)
        {
            totals[i] += nodes[i].Self;
            totals[nodes[i].Parent] += totals[i];
        }
        return totals;
    }

    private record struct Node(int Parent, int Function)
    {
        public long Calls;
        public long Self;
    }
}
