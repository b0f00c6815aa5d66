using System.Runtime.InteropServices;
using Weft.Coverage.Model;

namespace Weft.Coverage.Weaving.Binary;

/// <summary>
/// Turns the counts of a function's map into counters that say whether, and sums of those. The count of a difference is that of
/// some block or edge, which gets a counter of its own: the one with the same flow number. It may be in several functions of the
/// IR, into which the front end copied the code.
/// <code>
/// if: (#0 - #1)     ==>     if: #2, set where control takes the edge to the else arm
/// </code>
/// Which counters there are follows from the map alone, wherever places can be found: another module that has the function,
/// perhaps without arms that cannot be reached there, must come to the same ones.
/// </summary>
internal sealed class ReachedCounters
{
    private readonly CounterExpression[] expressions;
    private readonly CounterEvaluator sizes;
    private readonly List<Part> parts;
    private readonly Dictionary<Counter, Counter?> resolved = [];
    private readonly Dictionary<ulong, Counter> bySize = [];
    private readonly Dictionary<string, Counter> byNumbers = [];
    private readonly Dictionary<(Counter, Counter), Counter> sums = [];
    private int count;

    /// <param name="expressions">Of the map.</param>
    /// <param name="counters">How many there are.</param>
    /// <param name="parts">Where code of the function is.</param>
    public ReachedCounters(CounterExpression[] expressions, int counters, List<Part> parts)
    {
        this.expressions = expressions;
        this.parts = parts;
        count = counters;
        // Random numbers for counters: what comes to the same is the same by arithmetic.
        var next = 0ul;
        var random = new ulong[counters];
        for (var i = 0; i < counters; i++) random[i] = FlowNumbers.Random(ref next);
        sizes = new CounterEvaluator(expressions, random, []);
        for (var i = 0; i < counters; i++)
        {
            var counter = new Counter(CounterKind.Reference, i);
            bySize.TryAdd(random[i], counter);
            byNumbers.TryAdd(Key(p => NumberOf(counter, p)), counter);
        }
    }

    /// <summary>A function of the IR or a copy in one, what each counter grows by in it as a flow number, and those of expressions.</summary>
    public sealed record Part(FunctionFlow Flow, CounterEvaluator Values);

    /// <summary>With what is new.</summary>
    public int Count => count;

    /// <summary>Sums.</summary>
    public List<CounterExpression> Sums { get; } = [];

    /// <summary>Counters beyond those given, and where each is set.</summary>
    public List<(int Counter, FunctionFlow Flow, Site Site)> Additions { get; } = [];

    /// <summary>The counters that what was resolved refers to.</summary>
    public HashSet<int> Used { get; } = [];

    /// <summary>Null if there is no place that says whether.</summary>
    public Counter? Resolve(Counter counter)
    {
        ref var known = ref CollectionsMarshal.GetValueRefOrAddDefault(resolved, counter, out var exists);
        if (exists) return known;
        known = null; // also what an expression within itself finds
        return resolved[counter] = Find(counter);
    }

    private Counter? Find(Counter counter)
    {
        if (counter.Kind == CounterKind.Reference) return Use(counter);
        sizes.TryEvaluate(counter, out var size);
        return size == 0 ? Counter.Zero : Sum(counter) ?? Place(counter, size) ?? Rest(counter);
    }

    private Counter? Sum(Counter counter) =>
        expressions[counter.Id].IsSum && Resolve(expressions[counter.Id].Left) is { } left && Resolve(expressions[counter.Id].Right) is { } right ? Sum(left, right) : null;

    private Counter Sum(Counter left, Counter right)
    {
        if (left == Counter.Zero || left == right) return right;
        if (right == Counter.Zero) return left;
        if (sums.TryGetValue((left, right), out var sum)) return sum;
        sums.Add((left, right), sum = new Counter(CounterKind.Expression, Sums.Count));
        Sums.Add(new CounterExpression(IsSum: true, left, right));
        return sum;
    }

    /// <summary>A counter of its own, where that is passed so often, or that of before.</summary>
    private Counter? Place(Counter counter, ulong size)
    {
        if (bySize.TryGetValue(size, out var same)) return Use(same);
        if (Add(p => NumberOf(counter, p)) is not { } added) return null;
        bySize.Add(size, added);
        return added;
    }

    /// <summary>The same, for what is not in the map.</summary>
    private Counter? Place(ulong number) => byNumbers.TryGetValue(Key(_ => number), out var same) ? Use(same) : Add(_ => number);

    private Counter? Add(Func<Part, ulong> numberOf)
    {
        var places = new List<(FunctionFlow, Site)>();
        foreach (var part in parts)
        {
            if (numberOf(part) is not (var number and not 0)) continue;
            if (part.Flow.Find(number) is not { } sites) return null;
            foreach (var site in sites) places.Add((part.Flow, site));
        }
        foreach (var (flow, site) in places) Additions.Add((count, flow, site));
        var added = new Counter(CounterKind.Reference, count++);
        byNumbers.TryAdd(Key(numberOf), added);
        return Use(added);
    }

    private Counter Use(Counter counter)
    {
        Used.Add(counter.Id);
        return counter;
    }

    private string Key(Func<Part, ulong> numberOf) => string.Join(' ', parts.Select(numberOf));

    /// <summary>The sum of all ways out of a block but one. Those of its other ways out share parts with it.</summary>
    private Counter? Rest(Counter counter)
    {
        if (parts is not [var part] || part.Flow.FindRest(NumberOf(counter, part)) is not var (before, behind)) return null;
        if (Places(before) is not { } first || Places(behind) is not { } last) return null;
        return Sum(first.Aggregate(Counter.Zero, Sum), Enumerable.Reverse(last).Aggregate(Counter.Zero, (sum, way) => Sum(way, sum)));
    }

    private List<Counter>? Places(ulong[] numbers)
    {
        var places = new List<Counter>();
        foreach (var number in numbers)
            if (Place(number) is { } place) places.Add(place);
            else return null;
        return places;
    }

    private static ulong NumberOf(Counter counter, Part part)
    {
        part.Values.TryEvaluate(counter, out var number);
        return number;
    }
}
