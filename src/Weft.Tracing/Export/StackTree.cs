namespace Weft.Tracing;

/// <summary>
/// A <see cref="CallTree"/> in the order in which stacks are written. What is deeper than a thousand calls is one node: each stack
/// is written with all of its callers, and runaway recursion would fill any disk.
/// </summary>
internal sealed class StackTree
{
    private const int Deepest = 1000;

    private readonly ITraceSource source;
    private readonly Dictionary<int, string> names = [];

    private StackTree(ITraceSource source) => this.source = source;

    /// <summary>Calls the outermost.</summary>
    public Node Root { get; } = new(null, 0, -1);

    /// <summary>Calls that found no room: their time is their callers' own.</summary>
    public long Folded { get; private init; }

    public static StackTree Of(ITraceSource source, Func<TraceThread, IEnumerable<CallEvent>> calls)
    {
        var called = CallTree.Of(source.Threads, calls, _ => true);
        var tree = new StackTree(source) { Folded = called.Folded };
        var nodes = new Node[called.Branches.Count];
        nodes[0] = tree.Root;
        for (var i = 1; i < nodes.Length; i++) nodes[i] = nodes[called.Branches[i].Parent].Grow(called.Branches[i]);
        return tree;
    }

    /// <summary>Of a node's function.</summary>
    public string Name(Node node)
    {
        if (node.Depth == Deepest) return "(deeper)";
        if (!names.TryGetValue(node.Function, out var name)) names[node.Function] = name = source.Function(node.Function).Name;
        return name;
    }

    /// <summary>Every node after its parent, and siblings by their names.</summary>
    public IEnumerable<Node> Walk()
    {
        var waiting = new Stack<Node>([Root]);
        while (waiting.TryPop(out var node))
        {
            if (node != Root) yield return node;
            foreach (var child in node.Children.OrderByDescending(Name, StringComparer.Ordinal)) waiting.Push(child);
        }
    }

    internal sealed class Node(Node? parent, int function, int depth)
    {
        private List<Node>? children;

        public int Function => function;

        /// <summary>0 of the outermost.</summary>
        public int Depth => depth;

        public long Calls { get; private set; }

        /// <summary>Nanoseconds without what it called.</summary>
        public long Self { get; private set; }

        /// <summary>Nanoseconds with it.</summary>
        public long Total { get; private set; }

        /// <summary>Calls of it and of everything below it.</summary>
        public long AllCalls { get; private set; }

        public IReadOnlyList<Node> Children => children ?? [];

        public Node Grow(CallTree.Branch branch)
        {
            var node = depth < Deepest ? Child(branch.Function) : this;
            node.Calls += branch.Calls;
            node.Self += branch.Self;
            for (var above = node; above != null; above = above.Parent)
            {
                above.Total += branch.Self;
                above.AllCalls += branch.Calls;
            }
            return node;
        }

        private Node? Parent => parent;

        private Node Child(int of)
        {
            children ??= [];
            if (depth < Deepest - 1 || children.Count == 0) children.Add(new Node(this, of, depth + 1));
            return children[^1];
        }
    }
}
