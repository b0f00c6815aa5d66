namespace Weft.Coverage.Sources;

/// <summary>Ranges of lines, sorted and apart from each other; both ends belong to a range.</summary>
public sealed class LineSet
{
    private readonly List<(int First, int Last)> ranges = [];

    /// <param name="ranges">In any order; may overlap.</param>
    public LineSet(IEnumerable<(int First, int Last)> ranges)
    {
        foreach (var range in ranges.Order())
        {
            if (this.ranges.Count > 0 && range.First <= this.ranges[^1].Last + 1) this.ranges[^1] = (this.ranges[^1].First, Math.Max(this.ranges[^1].Last, range.Last));
            else this.ranges.Add(range);
        }
    }

    public static LineSet Of(IEnumerable<int> lines) => new(lines.Select(l => (l, l)));

    public IReadOnlyList<(int First, int Last)> Ranges => ranges;

    public int Count => ranges.Sum(r => r.Last - r.First + 1);

    public bool Contains(int line) => RangeOf(line) != null;

    /// <summary>The range that has this line.</summary>
    public (int First, int Last)? RangeOf(int line)
    {
        int low = 0, high = ranges.Count - 1;
        while (low <= high)
        {
            var middle = (low + high) / 2;
            if (ranges[middle].Last < line) low = middle + 1;
            else if (ranges[middle].First > line) high = middle - 1;
            else return ranges[middle];
        }
        return null;
    }

    /// <summary>As people write it: <c>3-7,12</c>.</summary>
    public override string ToString() => string.Join(',', ranges.Select(r => r.First == r.Last ? $"{r.First}" : $"{r.First}-{r.Last}"));
}
