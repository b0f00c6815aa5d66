namespace Weft.Coverage.Model;

/// <summary>
/// The arithmetic of a function's counters. Each expression is worked out once: they share parts, and walking through them for
/// every region takes time that grows exponentially.
/// </summary>
public sealed class CounterEvaluator
{
    private const int Cyclic = int.MaxValue;

    private readonly CounterExpression[] expressions;
    private readonly ulong[]? counts;
    private readonly int available;
    private readonly long[] values;
    private readonly int[] largest;

    /// <param name="expressions">Of the function's map; their ids are within it.</param>
    /// <param name="counts">Of its profile. Null if it has none: all are zero, and as many as regions ask for with their (first) counter.</param>
    /// <param name="regions">Of its map.</param>
    public CounterEvaluator(CounterExpression[] expressions, ulong[]? counts, ReadOnlySpan<MappedRegion> regions)
    {
        this.expressions = expressions;
        this.counts = counts;
        values = new long[expressions.Length];
        largest = new int[expressions.Length];
        EvaluateAll();
        available = counts?.Length ?? Needed(regions);
    }

    /// <summary>The first counter, which counts calls in most functions.</summary>
    public ulong First => counts is { Length: > 0 } ? counts[0] : 0;

    /// <summary>What a counter stands for. Sums and differences wrap around, and a difference may seem enormous if counters were torn.</summary>
    /// <returns>Whether the profile has all counters it refers to.</returns>
    public bool TryEvaluate(Counter counter, out ulong value)
    {
        value = (ulong)Value(counter);
        return Largest(counter) < available;
    }

    private int Needed(ReadOnlySpan<MappedRegion> regions)
    {
        var needed = 0;
        foreach (var region in regions)
            if (Largest(region.Count) is var id && id != Cyclic) needed = Math.Max(needed, id);
        return needed + 1;
    }

    private long Value(Counter counter) => counter.Kind switch
    {
        CounterKind.Reference => counts != null && counter.Id < counts.Length ? (long)counts[counter.Id] : 0,
        CounterKind.Expression => values[counter.Id],
        _ => 0,
    };

    /// <summary>The largest id of a counter that is part of it; -1 if there is none.</summary>
    private int Largest(Counter counter) => counter.Kind switch
    {
        CounterKind.Reference => counter.Id,
        CounterKind.Expression => largest[counter.Id],
        _ => -1,
    };

    private void EvaluateAll()
    {
        if (expressions.Length == 0) return;
        var isDone = new bool[expressions.Length];
        var isOpen = new bool[expressions.Length];
        var stack = new Stack<int>();
        for (var id = 0; id < expressions.Length; id++)
        {
            if (!isDone[id]) stack.Push(id);
            while (stack.TryPeek(out var top))
            {
                var (isSum, left, right) = expressions[top];
                if (!isDone[top] && !isOpen[top])
                {
                    isOpen[top] = true;
                    PushUnlessDone(left);
                    PushUnlessDone(right);
                    continue;
                }
                stack.Pop();
                if (isDone[top]) continue;
                values[top] = isSum ? Value(left) + Value(right) : Value(left) - Value(right);
                largest[top] = IsOpen(left) || IsOpen(right) ? Cyclic : Math.Max(Largest(left), Largest(right));
                isDone[top] = true;
            }
        }

        bool IsOpen(Counter counter) => counter.Kind == CounterKind.Expression && !isDone[counter.Id];
        void PushUnlessDone(Counter counter) { if (IsOpen(counter) && !isOpen[counter.Id]) stack.Push(counter.Id); }
    }
}
