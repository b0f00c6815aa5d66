namespace Weft.Coverage.Regions.Placement;

/// <summary>
/// Finds counts of blocks from those of others: what flows into a block flows out of it. An edge is known when it is a
/// block's only one, or the only unknown one of a block that is known.
/// </summary>
internal sealed class BlockFlow
{
    private readonly Count?[] known;
    private readonly ILookup<int, int> outgoing, incoming;
    private readonly Dictionary<int, Count> edgeCounts = [];

    /// <param name="successors">Of each block.</param>
    /// <param name="known">The counts of blocks; null where nobody knows yet.</param>
    public BlockFlow(IReadOnlyList<int>[] successors, Count?[] known)
    {
        this.known = known;
        var edges = successors.SelectMany((to, from) => to.Select(t => (From: from, To: t))).ToList();
        outgoing = Enumerable.Range(0, edges.Count).ToLookup(e => edges[e].From);
        incoming = Enumerable.Range(0, edges.Count).ToLookup(e => edges[e].To);
    }

    /// <summary>Fills in all that follows; more may be known when it is asked again.</summary>
    public void Solve()
    {
        for (var changed = true; changed;)
        {
            changed = false;
            for (var block = 0; block < known.Length; block++)
            {
                changed |= Balance(block, [.. outgoing[block]]);
                if (block > 0) changed |= Balance(block, [.. incoming[block]]); // the first is entered from outside
            }
        }
    }

    /// <summary>One side of a block: all that flows in, or all that flows out.</summary>
    private bool Balance(int block, int[] side)
    {
        if (side.Length == 0) return false;
        var unknown = side.Where(e => !edgeCounts.ContainsKey(e)).ToList();
        var sum = side.Aggregate(Count.Zero, (total, e) => edgeCounts.TryGetValue(e, out var count) ? total + count : total);
        if (known[block] is { } count)
        {
            if (unknown is not [var last]) return false;
            edgeCounts[last] = count - sum;
            return true;
        }
        if (unknown.Count > 0) return false;
        known[block] = sum;
        return true;
    }
}
