using System.Numerics;

namespace Weft.Tracing.Page;

/// <summary>How many durations there are of which size, to a sixteenth.</summary>
internal sealed class Durations
{
    private readonly long[] counts = new long[61 * 16];

    public long Count { get; private set; }

    public void Add(long duration)
    {
        counts[Bucket(Math.Max(duration, 0))]++;
        Count++;
    }

    /// <summary>The least duration of which, with all longer ones, there are at most <paramref name="most"/>.</summary>
    public long Shortest(long most)
    {
        var kept = 0L;
        for (var bucket = counts.Length - 1; bucket >= 0; bucket--)
        {
            kept += counts[bucket];
            if (kept > most) return Least(bucket + 1);
        }
        return 0;
    }

    private static int Bucket(long duration)
    {
        if (duration < 16) return (int)duration;
        var octave = BitOperations.Log2((ulong)duration) - 3;
        return octave * 16 + (int)(duration >> (octave - 1) & 15);
    }

    private static long Least(int bucket) => bucket < 16 ? bucket : bucket < 60 * 16 ? (16L + bucket % 16) << (bucket / 16 - 1) : long.MaxValue;
}
