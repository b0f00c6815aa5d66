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
    public static Count Of(int point) => Zero.Plus(point, 1);

    public static Count operator +(Count left, Count right) => Combine(left, right, 1);

    public static Count operator -(Count left, Count right) => Combine(left, right, -1);

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
        var result = left;
        foreach (var (point, factor) in right.factors) result = result.Plus(point, sign * factor);
        return result;
    }

    private Count Plus(int point, int factor)
    {
        var result = new Count();
        foreach (var (number, known) in factors) result.factors[number] = known;
        var sum = result.factors.GetValueOrDefault(point) + factor;
        if (sum == 0) result.factors.Remove(point);
        else result.factors[point] = sum;
        return result;
    }
}
