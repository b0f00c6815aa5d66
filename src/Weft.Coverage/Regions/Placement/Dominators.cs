namespace Weft.Coverage.Regions.Placement;

/// <summary>Which blocks every way to a block leads through (Cooper, Harvey and Kennedy 2001).</summary>
internal sealed class Dominators
{
    private readonly int[] order, parent;

    /// <param name="successors">Of each block; the first block is the entry.</param>
    public Dominators(IReadOnlyList<IReadOnlyList<int>> successors)
    {
        (order, parent) = (new int[successors.Count], new int[successors.Count]);
        Array.Fill(order, -1);
        Array.Fill(parent, -1);
        var sorted = new List<int>();
        PostOrder(successors, sorted);
        sorted.Reverse();
        for (var i = 0; i < sorted.Count; i++) order[sorted[i]] = i;
        parent[0] = 0;
        var predecessors = sorted.SelectMany(from => successors[from].Select(to => (from, to))).ToLookup(e => e.to, e => e.from);
        for (var changed = true; changed;)
        {
            changed = false;
            foreach (var block in sorted.Skip(1))
            {
                var common = predecessors[block].Where(p => parent[p] >= 0).Aggregate(Common);
                changed |= parent[block] != common;
                parent[block] = common;
            }
        }
    }

    /// <summary>Whether every way to a block leads through another, or they are the same.</summary>
    public bool Dominates(int above, int block)
    {
        if (order[above] < 0 || order[block] < 0) return false;
        while (order[block] > order[above]) block = parent[block];
        return block == above;
    }

    private int Common(int first, int second)
    {
        while (first != second)
            if (order[first] > order[second]) first = parent[first];
            else second = parent[second];
        return first;
    }

    private static void PostOrder(IReadOnlyList<IReadOnlyList<int>> successors, List<int> sorted)
    {
        var seen = new HashSet<int> { 0 };
        var path = new Stack<(int Block, int Next)>([(0, 0)]);
        while (path.TryPop(out var at))
        {
            if (at.Next == successors[at.Block].Count)
            {
                sorted.Add(at.Block);
                continue;
            }
            path.Push((at.Block, at.Next + 1));
            if (seen.Add(successors[at.Block][at.Next])) path.Push((successors[at.Block][at.Next], 0));
        }
    }
}
