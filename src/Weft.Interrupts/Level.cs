using Weft.Core.Flow;
namespace Weft.Interrupts;

/// <summary>
/// The acyclic flow graph of a function's body or of one round of a loop: inner loops are single nodes, and jumps back to
/// the loop's headers end a path. A node is a block's number, or that of an inner loop's first header.
/// </summary>
internal sealed class Level
{
    private readonly FlowGraph graph;
    private readonly FunctionFacts facts;
    private readonly Dictionary<int, Loop> children = [];
    private readonly Dictionary<int, int> nodeOf = [];
    private readonly Dictionary<int, (int Node, double Probability)[]> edges = [];

    public Level(FlowGraph graph, FunctionFacts facts, LoopForest loops, Loop? loop)
    {
        this.graph = graph;
        this.facts = facts;
        Loop = loop;
        foreach (var child in loop?.Children ?? loops.Roots)
        {
            children[child.Header] = child;
            foreach (var block in child.Blocks) nodeOf[block] = child.Header;
        }
        Order = TopologicalOrder();
    }

    public Loop? Loop { get; }

    /// <summary>Nodes that control can come to, each after those that lead to it.</summary>
    public List<int> Order { get; }

    public Loop? ChildAt(int node) => children.GetValueOrDefault(node);

    public (int Node, double Probability)[] Next(int node) => edges[node];

    private int NodeOf(int block) => nodeOf.GetValueOrDefault(block, block);

    private List<int> TopologicalOrder()
    {
        var order = new List<int>();
        var seen = new HashSet<int>();
        var path = new Stack<(int Node, int Next)>();
        foreach (var start in Loop?.Headers ?? [0])
            if (seen.Add(NodeOf(start))) Walk(NodeOf(start));
        order.Reverse();
        return order;

        void Walk(int start)
        {
            path.Push((start, 0));
            edges[start] = Edges(start);
            while (path.TryPop(out var at))
            {
                var targets = edges[at.Node];
                if (at.Next == targets.Length)
                {
                    order.Add(at.Node);
                    continue;
                }
                path.Push((at.Node, at.Next + 1));
                var target = targets[at.Next].Node;
                if (!seen.Add(target)) continue;
                edges[target] = Edges(target);
                path.Push((target, 0));
            }
        }
    }

    private (int, double)[] Edges(int node)
    {
        var found = new Dictionary<int, double>();
        if (children.TryGetValue(node, out var child))
        {
            foreach (var block in child.Blocks)
                foreach (var target in graph.Successors[block])
                    if (!child.Contains(target)) Add(target, facts.Cold[target] ? 0 : 1);
        }
        else
        {
            for (var k = 0; k < graph.Successors[node].Length; k++)
            {
                var target = graph.Successors[node][k];
                Add(target, graph.Weights[node] is { } weights ? weights[k] : facts.Cold[target] ? 0 : 1);
            }
        }
        var sum = found.Values.Sum();
        return [.. found.Where(f => f.Key >= 0).Select(f => (f.Key, sum > 0 ? f.Value / sum : 1.0 / found.Count))];

        // What leads out of the level has a share in the probabilities, but no node: -1.
        void Add(int target, double weight)
        {
            var inside = (Loop == null || Loop.Contains(target)) && !(Loop?.Headers.Contains(target) ?? false);
            var key = inside ? NodeOf(target) : -1;
            found[key] = found.GetValueOrDefault(key) + weight;
        }
    }
}
