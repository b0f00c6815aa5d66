namespace Weft.Coverage.Model;

/// <summary>
/// Numbers the test vectors of a decision: a walk from the first condition adds <see cref="Of"/> of each outcome on its way, and
/// the sum is the vector's number. LLVM's mcdc::TVIdxBuilder; what is not reached from the first condition makes it invalid.
/// </summary>
internal sealed class VectorIndices
{
    private readonly (int WhenFalse, int WhenTrue)[] next;
    private readonly int[,] indices;

    /// <param name="next">By condition, the one that follows when it is false and true, or -1.</param>
    public VectorIndices((int WhenFalse, int WhenTrue)[] next)
    {
        this.next = next;
        indices = new int[next.Length, 2];
        IsValid = Number();
    }

    /// <summary>False if conditions go round in circles, or there are too many vectors.</summary>
    public bool IsValid { get; }

    /// <summary>How many vectors there can be.</summary>
    public int Count { get; private set; }

    public int Of(int condition, bool outcome) => indices[condition, outcome ? 1 : 0];

    public int Next(int condition, bool outcome) => outcome ? next[condition].WhenTrue : next[condition].WhenFalse;

    private bool Number()
    {
        var incoming = new int[next.Length];
        for (var id = 0; id < next.Length; id++)
            foreach (var outcome in (ReadOnlySpan<bool>)[false, true])
            {
                var follower = Next(id, outcome);
                if (follower == 0 || follower >= next.Length) return false;
                if (follower > 0) incoming[follower]++;
            }

        var widths = new long[next.Length];
        widths[0] = 1;
        var ends = new List<(long NegativeWidth, int Order, int Id, int Outcome)>();
        var queue = new Queue<int>([0]);
        var visited = 0;
        for (; queue.TryDequeue(out var id); visited++)
            for (var outcome = 0; outcome < 2; outcome++)
            {
                var follower = Next(id, outcome == 1);
                if (follower < 0)
                {
                    ends.Add((-widths[id], ends.Count, id, outcome));
                    continue;
                }
                indices[id, outcome] = (int)widths[follower];
                widths[follower] += widths[id];
                if (widths[follower] > int.MaxValue) return false;
                if (--incoming[follower] == 0) queue.Enqueue(follower);
            }
        return visited == next.Length && NumberEnds(ends);
    }

    /// <summary>The last outcomes, those first that most ways lead to.</summary>
    private bool NumberEnds(List<(long NegativeWidth, int Order, int Id, int Outcome)> ends)
    {
        ends.Sort();
        long index = 0;
        foreach (var (negativeWidth, _, id, outcome) in ends)
        {
            indices[id, outcome] = (int)index;
            index -= negativeWidth;
            if (index >= int.MaxValue) return false;
        }
        Count = (int)index;
        return true;
    }
}
