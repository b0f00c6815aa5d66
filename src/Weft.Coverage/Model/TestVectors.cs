using System.Numerics;

namespace Weft.Coverage.Model;

/// <summary>
/// The test vectors of a decision that ran, and which conditions they show to decide alone: LLVM's MCDCRecordProcessor and
/// MCDCRecord::findIndependencePairs.
/// </summary>
internal sealed class TestVectors
{
    private readonly MappedRegion region;
    private readonly List<MappedRegion> conditions;
    private readonly VectorIndices indices;
    private readonly byte[] bitmap;
    private readonly bool byCondition;
    private readonly List<(int Index, Vector Vector)>[] executed = [[], []];

    private TestVectors(MappedRegion region, List<MappedRegion> conditions, VectorIndices indices, byte[] bitmap, bool byCondition)
    {
        (this.region, this.conditions, this.indices, this.bitmap, this.byCondition) = (region, conditions, indices, bitmap, byCondition);
        if (bitmap.AsSpan().ContainsAnyExcept((byte)0)) Walk();
    }

    /// <param name="region">The decision.</param>
    /// <param name="conditions">All of them, in the order of the map, but the first to be evaluated in front.</param>
    /// <param name="bitmap">Of the function.</param>
    /// <param name="byCondition">See <see cref="Profiles.Profile.BitmapsByCondition"/>.</param>
    /// <returns>Null if the conditions do not make a decision.</returns>
    public static Decision? Evaluate(MappedRegion region, List<MappedRegion> conditions, byte[] bitmap, bool byCondition)
    {
        var next = new (int, int)[conditions.Count];
        foreach (var condition in conditions) next[condition.Condition.Id] = (condition.Condition.WhenFalse, condition.Condition.WhenTrue);
        var numbers = new VectorIndices(next);
        return numbers.IsValid ? new TestVectors(region, conditions, numbers, bitmap, byCondition).ToDecision() : null;
    }

    /// <summary>Goes every way through the conditions, keeping the values given on it; conditions not met stay unset.</summary>
    private void Walk()
    {
        // More vectors than bits: the bitmap is not of this decision.
        if (indices.Count > 8L * bitmap.Length) return;
        var vector = new Vector(conditions.Count);
        var stack = new Stack<(int Condition, int Index, int Outcomes)>([(0, 0, 0)]);
        while (stack.TryPop(out var at))
        {
            if (at.Outcomes == 2)
            {
                vector.Unset(at.Condition);
                continue;
            }
            var outcome = at.Outcomes == 1;
            stack.Push(at with { Outcomes = at.Outcomes + 1 });
            vector.Set(at.Condition, outcome);
            var index = at.Index + indices.Of(at.Condition, outcome);
            var next = indices.Next(at.Condition, outcome);
            if (next >= 0) stack.Push((next, index, 0));
            else if (Ran(vector, index)) executed[outcome ? 1 : 0].Add((index, vector.Copy()));
        }
        foreach (var vectors in executed) vectors.Sort((a, b) => a.Index.CompareTo(b.Index));
    }

    private bool Ran(Vector vector, int index)
    {
        var bit = byCondition ? region.Decision.BitmapEnd * 8L + (long)vector.Lowest : (long)region.Decision.BitmapEnd - indices.Count + index;
        return bit >= 0 && bit / 8 < bitmap.Length && (bitmap[bit / 8] >> (int)(bit % 8) & 1) != 0;
    }

    private Decision ToDecision()
    {
        var pairs = IndependencePairs();
        var found = new Condition[conditions.Count];
        for (var i = 0; i < found.Length; i++)
        {
            var condition = conditions[i];
            var isFolded = condition.Count.Kind == CounterKind.Zero || condition.FalseCount.Kind == CounterKind.Zero;
            found[i] = new Condition(condition.StartLine, condition.StartColumn, isFolded, pairs[condition.Condition.Id]);
        }
        var vectors = new List<TestVector>();
        foreach (var outcome in (ReadOnlySpan<bool>)[false, true])
            foreach (var (_, vector) in executed[outcome ? 1 : 0]) vectors.Add(new TestVector(conditions.ConvertAll(c => vector[c.Condition.Id]).ToArray(), outcome));
        return new Decision(FunctionEvaluator.Counted(region, 0, 0), found, [.. vectors]);
    }

    /// <summary>By condition, the first two vectors with other results that differ in that condition alone.</summary>
    private (int, int)?[] IndependencePairs()
    {
        var pairs = new (int, int)?[conditions.Count];
        var missing = pairs.Length;
        for (var i = 0; i < executed[1].Count && missing > 0; i++)
            for (var j = 0; j < executed[0].Count && missing > 0; j++)
            {
                var only = executed[1][i].Vector.OnlyDifference(executed[0][j].Vector);
                if (only < 0 || pairs[only] != null) continue;
                pairs[only] = (j, executed[0].Count + i);
                missing--;
            }
        return pairs;
    }

    /// <summary>A value for each condition, or none.</summary>
    private sealed class Vector(ulong[] values, ulong[] seen)
    {
        public Vector(int conditions) : this(new ulong[(conditions + 63) / 64], new ulong[(conditions + 63) / 64]) { }

        public ulong Lowest => values[0];

        public bool? this[int id] => (seen[id / 64] >> id % 64 & 1) == 0 ? null : (values[id / 64] >> id % 64 & 1) != 0;

        public void Set(int id, bool value)
        {
            Unset(id);
            seen[id / 64] |= 1UL << id % 64;
            if (value) values[id / 64] |= 1UL << id % 64;
        }

        public void Unset(int id)
        {
            seen[id / 64] &= ~(1UL << id % 64);
            values[id / 64] &= ~(1UL << id % 64);
        }

        public Vector Copy() => new((ulong[])values.Clone(), (ulong[])seen.Clone());

        /// <summary>The one condition that both have, and not the same; -1 if there are none or several.</summary>
        public int OnlyDifference(Vector other)
        {
            var only = -1;
            for (var word = 0; word < values.Length; word++)
            {
                var differences = (values[word] ^ other.Get(word).Values) & seen[word] & other.Get(word).Seen;
                if (differences == 0) continue;
                if (only >= 0 || (differences & differences - 1) != 0) return -1;
                only = word * 64 + BitOperations.TrailingZeroCount(differences);
            }
            return only;
        }

        private (ulong Values, ulong Seen) Get(int word) => (values[word], seen[word]);
    }
}
