using System.Numerics;

namespace Weft.Tracing;

/// <summary>
/// How often which duration came, in bounded memory: exact below 128 ns, and 64 buckets for every doubling above, so that what it
/// says is at most 1/128 (0.8 %) wrong.
/// </summary>
public sealed class DurationHistogram
{
    private const int Bits = 6;
    private const int Buckets = 1 << Bits;

    // By octave, since most functions need few of them.
    private readonly long[]?[] octaves = new long[]?[64 - Bits];

    private long largest;

    public long Count { get; private set; }

    public void Add(long duration)
    {
        var octave = Octave((ulong)duration);
        (octaves[octave] ??= new long[Buckets])[(int)((ulong)duration >> Math.Max(octave - 1, 0)) & (Buckets - 1)]++;
        largest = Math.Max(largest, duration);
        Count++;
    }

    public void Add(DurationHistogram other)
    {
        for (var octave = 0; octave < octaves.Length; octave++)
            if (other.octaves[octave] is { } counts)
            {
                var own = octaves[octave] ??= new long[Buckets];
                for (var bucket = 0; bucket < Buckets; bucket++) own[bucket] += counts[bucket];
            }
        largest = Math.Max(largest, other.largest);
        Count += other.Count;
    }

    /// <summary>The duration that so great a part of all do not exceed; 0 if there are none.</summary>
    public long Percentile(double part)
    {
        var rank = Math.Max(1, (long)Math.Ceiling(part * Count));
        if (rank >= Count) return largest;
        for (var octave = 0; octave < octaves.Length; octave++)
            for (var bucket = 0; bucket < Buckets && octaves[octave] is { } counts; bucket++)
                if ((rank -= counts[bucket]) <= 0) return Middle(octave, bucket);
        return largest;
    }

    // Octave 0 has 0 to 63, octave 1 64 to 127, octave 2 128 to 255 in steps of two.
    private static int Octave(ulong duration) => Math.Max(0, BitOperations.Log2(duration) - Bits + 1);

    private static long Middle(int octave, int bucket)
    {
        if (octave == 0) return bucket;
        var width = 1L << (octave - 1);
        return (Buckets + bucket) * width + width / 2;
    }
}
