using Weft.Coverage.Regions;

namespace Weft.Coverage.Weaving.Own;

/// <summary>Writes sums of counters as LLVM's expressions, each of two sides; what several sums begin with is shared.</summary>
internal sealed class CounterExpressions
{
    private readonly Dictionary<CounterExpression, int> numbers = [];
    private readonly List<CounterExpression> all = [];

    public IReadOnlyList<CounterExpression> All => all;

    public Counter Of(Count count)
    {
        var result = Counter.Zero;
        foreach (var (counter, factor) in count.Factors.OrderBy(f => f.Value < 0)) // a stable sort
            for (var i = 0; i < Math.Abs(factor); i++)
                result = Combine(factor > 0, result, new Counter(CounterKind.Reference, counter));
        return result;
    }

    private Counter Combine(bool isSum, Counter left, Counter right)
    {
        if (isSum && left == Counter.Zero) return right;
        var expression = new CounterExpression(isSum, left, right);
        if (!numbers.TryGetValue(expression, out var number))
        {
            numbers[expression] = number = all.Count;
            all.Add(expression);
        }
        return new Counter(CounterKind.Expression, number);
    }
}
