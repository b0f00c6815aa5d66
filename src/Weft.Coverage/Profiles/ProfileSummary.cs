namespace Weft.Coverage.Profiles;

/// <summary>
/// What an indexed profile says of all its counts, for an optimiser to tell hot from cold: LLVM's InstrProfSummaryBuilder. Of use
/// also to people: see the properties.
/// </summary>
public sealed class ProfileSummary
{
    private const uint Scale = 1_000_000;

    /// <summary>Parts of all counts, in millionths: ProfileSummaryBuilder::DefaultCutoffs.</summary>
    private static readonly uint[] Cutoffs =
        [10_000, 100_000, 200_000, 300_000, 400_000, 500_000, 600_000, 700_000, 800_000, 900_000, 950_000, 990_000, 999_000, 999_900, 999_990, 999_999];

    private readonly Dictionary<ulong, uint> frequencies = [];

    public int Functions { get; private set; }

    public ulong Counters { get; private set; }

    /// <summary>The largest first counter of a function.</summary>
    public ulong LargestEntry { get; private set; }

    /// <summary>The largest counter but for first ones.</summary>
    public ulong LargestInner { get; private set; }

    public ulong Largest => ulong.Max(LargestEntry, LargestInner);

    public ulong Total { get; private set; }

    public static ProfileSummary Of(IEnumerable<FunctionCounts> functions)
    {
        var summary = new ProfileSummary();
        foreach (var function in functions) summary.Add(function.Counts);
        return summary;
    }

    internal void Write(IndexedProfileWriter.Writer writer)
    {
        ulong[] fields = [(ulong)Functions, Counters, LargestEntry, Largest, LargestInner, Total];
        writer.U64((ulong)fields.Length);
        writer.U64((ulong)Cutoffs.Length);
        foreach (var field in fields) writer.U64(field);
        foreach (var (cutoff, count, counters) in Detailed())
        {
            writer.U64(cutoff);
            writer.U64(count);
            writer.U64(counters);
        }
    }

    private void Add(ulong[] counts)
    {
        if (counts[0] > FunctionCounts.LargestCount) return; // a mark of its own for hot and warm functions
        Functions++;
        Add(counts[0]);
        LargestEntry = ulong.Max(LargestEntry, counts[0]);
        foreach (var count in counts.AsSpan(1))
        {
            if (count == ulong.MaxValue) continue;
            Add(count);
            LargestInner = ulong.Max(LargestInner, count);
        }
    }

    private void Add(ulong count)
    {
        Total += count;
        Counters++;
        frequencies[count] = frequencies.GetValueOrDefault(count) + 1;
    }

    /// <summary>For each cutoff, the least count of those largest ones that make up so much of the total, and how many they are.</summary>
    private IEnumerable<(uint Cutoff, ulong Count, uint Counters)> Detailed()
    {
        var counts = frequencies.Keys.ToArray();
        Array.Sort(counts, (a, b) => b.CompareTo(a));
        ulong sum = 0, count = 0;
        var (next, seen) = (0, 0u);
        foreach (var cutoff in Cutoffs)
        {
            var desired = (ulong)((UInt128)Total * cutoff / Scale);
            for (; sum < desired && next < counts.Length; next++)
            {
                count = counts[next];
                sum += count * frequencies[count];
                seen += frequencies[count];
            }
            yield return (cutoff, count, seen);
        }
    }
}
