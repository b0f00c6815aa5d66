using Weft.Core.Flow;
using Weft.Llvm;

namespace Weft.Coverage.Regions.Placement;

/// <summary>
/// Chooses what to count in a function so that all its sites are known: a maximum spanning tree of the flow graph needs no
/// counters, the edges outside it do (Knuth and Stevenson 1973), and of those only the ones that a site depends on get one.
/// <code>
///         outside ──▶ entry          tree: entry ▶ else ▶ end ▶ outside
///        ▲            │    │         counters: outside ▶ entry, entry ▶ then
///        │          then  else       else = (outside ▶ entry) - (entry ▶ then)
///        └─── end ◀───┴────┘
/// </code>
/// Unwinding is no flow here: a block counts as run where it begins, and one that only unwinding reaches begins outside.
/// Guarantee: where nothing unwinds, every site has the count that a counter of its own would have.
/// </summary>
internal sealed class CounterPlan
{
    private const long MostDepth = 15, Uncountable = long.MaxValue / 2;

    private readonly record struct Edge(int From, int To, int Block, int Successor, long Weight);

    private readonly LocatedFunction function;
    private readonly LoopForest loops;
    private readonly Sites sites;
    private readonly int outside;
    private readonly List<Edge> edges = [];
    private readonly Dictionary<(int Block, int Successor), int> edgeOf = [];
    private readonly List<int>[] incoming, outgoing;
    private readonly bool[] inTree;
    private readonly int[] begin, end; // of each node's subtree, in the order of a walk
    private readonly int[] treeEdge; // to the node's parent
    private readonly Dictionary<Site, int> counters = [];

    public CounterPlan(LocatedFunction function, Sites sites)
    {
        this.function = function;
        this.sites = sites;
        loops = new LoopForest(function.Graph);
        outside = function.Graph.Count;
        AddEdges();
        incoming = [.. Enumerable.Range(0, outside + 1).Select(_ => new List<int>())];
        outgoing = [.. Enumerable.Range(0, outside + 1).Select(_ => new List<int>())];
        for (var i = 0; i < edges.Count; i++)
        {
            incoming[edges[i].To].Add(i);
            outgoing[edges[i].From].Add(i);
        }
        inTree = new bool[edges.Count];
        (begin, end, treeEdge) = (new int[outside + 1], new int[outside + 1], new int[outside + 1]);
        GrowTree();
        CounterOf(new Site(SiteKind.Edge, outside)); // the first counter is the function's
    }

    /// <summary>What each counter counts, by number. An edge from the block behind the last is the function's entry.</summary>
    public List<Site> Counters { get; } = [];

    /// <summary>Whether a site is where the function is entered.</summary>
    public bool IsEntry(Site site) => site is { Kind: SiteKind.Edge } && site.Block == outside;

    /// <summary>A site as a sum of counters.</summary>
    public Count CountOf(int number)
    {
        var site = sites.All[number];
        return site.Kind switch
        {
            SiteKind.Edge => OfEdge(edgeOf[(site.Block, site.Successor)]),
            SiteKind.Block => OfBlock(site.Block),
            _ => CounterOf(site),
        };
    }

    private Count OfBlock(int block)
    {
        var (into, from) = (incoming[block], outgoing[block]);
        var known = into.TrueForAll(e => !inTree[e]) || !from.TrueForAll(e => !inTree[e]) ? into : from;
        return Count.Sum(known.SelectMany(e => OfEdge(e).Factors.Select(f => (f.Key, f.Value))));
    }

    /// <summary>An edge of the tree parts it in two: what flows along it one way flows back along the others between the parts.</summary>
    private Count OfEdge(int number)
    {
        var edge = edges[number];
        if (!inTree[number]) return CounterOf(SiteOf(edge));
        var below = treeEdge[edge.From] == number ? edge.From : edge.To;
        var terms = new List<(int, int)>();
        for (var i = 0; i < edges.Count; i++)
        {
            if (i == number || IsBelow(edges[i].From, below) == IsBelow(edges[i].To, below)) continue;
            var enters = IsBelow(edges[i].To, below);
            terms.Add((NumberOf(SiteOf(edges[i])), enters == (edge.From == below) ? 1 : -1));
        }
        return Count.Sum(terms);
    }

    private bool IsBelow(int node, int top) => begin[top] <= begin[node] && begin[node] < end[top];

    private Count CounterOf(Site site) => Count.Of(NumberOf(site));

    private int NumberOf(Site site)
    {
        if (counters.TryGetValue(site, out var number)) return number;
        Counters.Add(site);
        return counters[site] = Counters.Count - 1;
    }

    // A block that is entered from outside by unwinding is counted where it lands.
    private Site SiteOf(Edge edge) => edge.From == outside && edge.To != 0 ? new Site(SiteKind.Landing, edge.To) : new Site(SiteKind.Edge, edge.Block, edge.Successor);

    private void AddEdges()
    {
        var wanted = sites.All.Where(s => s.Kind == SiteKind.Edge).Select(s => (s.Block, s.Successor)).ToHashSet();
        var graph = function.Graph;
        var cut = new DeadEnds(function, sites);
        var entered = new bool[graph.Count];
        Add(new Edge(outside, 0, outside, 0, -1));
        entered[0] = true;
        for (var block = 0; block < graph.Count; block++)
        {
            var leaves = false;
            foreach (var successor in function.NormalSuccessors(block))
            {
                var target = graph.Successors[block][successor];
                leaves = true;
                if (cut.IsCut(block, successor)) continue;
                entered[target] = true;
                // What a region begins with is best counted there: then its count depends on nothing that runs later.
                var weight = CanSplit(block) ? 4L << (int)(3 * Math.Min(Depth(block, target), MostDepth)) : Uncountable;
                Add(new Edge(block, target, block, successor, wanted.Contains((block, successor)) ? weight : weight + 1));
            }
            if (!leaves) Add(new Edge(block, outside, block, -1, 6));
        }
        for (var block = 0; block < graph.Count; block++)
            if (!entered[block])
                Add(new Edge(outside, block, block, -2, 0));
        LeaveEndlessLoops();
    }

    // No block can be put on an edge of a computed jump.
    private bool CanSplit(int block) => function.Graph.Blocks[block].Terminator.Opcode is not (Opcode.IndirectBr or Opcode.CallBr);

    private void Add(Edge edge)
    {
        edgeOf[(edge.Block, edge.Successor)] = edges.Count;
        edges.Add(edge);
    }

    // Flow through a loop without an exit has to go somewhere, for the books to balance; nobody asks how much it is.
    private void LeaveEndlessLoops()
    {
        var graph = function.Graph;
        var leaves = new bool[graph.Count];
        var from = edges.Where(e => e.From != outside && e.To != outside).ToLookup(e => e.To, e => e.From);
        var work = new Stack<int>(edges.Where(e => e.To == outside).Select(e => e.From));
        Spread();
        for (var block = graph.Count - 1; block >= 0; block--)
        {
            if (leaves[block]) continue;
            Add(new Edge(block, outside, block, -1, long.MaxValue));
            work.Push(block);
            Spread();
        }

        void Spread()
        {
            while (work.TryPop(out var block))
            {
                if (leaves[block]) continue;
                leaves[block] = true;
                foreach (var before in from[block]) work.Push(before);
            }
        }
    }

    private int Depth(int from, int to)
    {
        var depth = 0;
        for (var loop = loops.Of(from); loop != null; loop = loop.Parent)
            if (loop.Contains(to))
                depth++;
        return depth;
    }

    private void GrowTree()
    {
        var group = Enumerable.Range(0, outside + 1).ToArray();
        foreach (var i in Enumerable.Range(0, edges.Count).OrderByDescending(i => edges[i].Weight)) // a stable sort
        {
            int from = Find(edges[i].From), to = Find(edges[i].To);
            if (from == to) continue;
            group[from] = to;
            inTree[i] = true;
        }
        Walk();

        int Find(int node)
        {
            while (group[node] != node) node = group[node] = group[group[node]];
            return node;
        }
    }

    private void Walk()
    {
        var clock = 0;
        Array.Fill(begin, -1);
        Array.Fill(treeEdge, -1);
        var path = new Stack<(int Node, bool Done)>([(outside, false)]);
        while (path.TryPop(out var at))
        {
            if (at.Done)
            {
                end[at.Node] = clock;
                continue;
            }
            begin[at.Node] = clock++;
            path.Push((at.Node, true));
            foreach (var i in incoming[at.Node].Concat(outgoing[at.Node]))
            {
                var other = edges[i].From == at.Node ? edges[i].To : edges[i].From;
                if (!inTree[i] || i == treeEdge[at.Node]) continue;
                treeEdge[other] = i;
                path.Push((other, false));
            }
        }
    }
}
