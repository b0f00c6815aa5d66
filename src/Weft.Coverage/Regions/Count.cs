namespace Weft.Coverage.Regions;

/// <summary>
/// How often something ran, as a sum of points with factors. The form is canonical: two counts that are equal for every
/// run of every program are the same value.
/// </summary>
public sealed class Count : IEquatable<Count>
{
    private readonly SortedDictionary<int, int> factors = [];

    private Count() { }

    public static Count Zero { get; } = new();

    /// <summary>The points that occur, with their factors, by number.</summary>
    public IReadOnlyDictionary<int, int> Factors => factors;

    public bool IsZero => factors.Count == 0;

    /// <summary>The count of one point.</summary>
    public static Count Of(int point) => Sum([(point, 1)]);

    public static Count operator +(Count left, Count right) => Combine(left, right, 1);

    public static Count operator -(Count left, Count right) => Combine(left, right, -1);

    /// <summary>A sum of points with factors, of which some may be the same point.</summary>
    public static Count Sum(IEnumerable<(int Point, int Factor)> terms)
    {
        var result = new Count();
        foreach (var (point, factor) in terms) result.Add(point, factor);
        return result;
    }

    /// <summary>The same count in terms of what its points are sums of.</summary>
    public Count Replace(Func<int, Count> point) =>
        Sum(factors.SelectMany(term => point(term.Key).factors.Select(inner => (inner.Key, term.Value * inner.Value))));

    /// <summary>The number, when the points have these.</summary>
    public long Evaluate(Func<int, long> point)
    {
        long sum = 0;
        foreach (var (number, factor) in factors) sum += factor * point(number);
        return sum;
    }

    public bool Equals(Count? other) => other is not null && factors.SequenceEqual(other.factors);

    public override bool Equals(object? obj) => Equals(obj as Count);

    public override int GetHashCode()
    {
        var hash = new HashCode();
        foreach (var (point, factor) in factors) hash.Add((point, factor));
        return hash.ToHashCode();
    }

    public override string ToString() => IsZero ? "0" : string.Join(" ", factors.Select(f => $"{f.Value:+0;-0}*#{f.Key}"));

    private static Count Combine(Count left, Count right, int sign)
    {
        if (right.IsZero) return left;
        var result = new Count();
        foreach (var (point, factor) in left.factors) result.factors[point] = factor;
        foreach (var (point, factor) in right.factors) result.Add(point, sign * factor);
        return result;
    }

    // Only while it is made.
    private void Add(int point, int factor)
    {
        var sum = factors.GetValueOrDefault(point) + factor;
        if (sum == 0) factors.Remove(point);
        else factors[point] = sum;
    }
}
