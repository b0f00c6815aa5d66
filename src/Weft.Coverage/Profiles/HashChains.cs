using System.Numerics;

namespace Weft.Coverage.Profiles;

/// <summary>
/// Entries of a hash table in the buckets and in the order that LLVM's OnDiskChainedHashTableGenerator brings them: each new entry
/// goes to the front of its chain, and the table is rebuilt whenever it gets too full, which turns chains around.
/// </summary>
internal sealed class HashChains
{
    private readonly List<(ulong Hash, Range Functions)> keys;
    private readonly int[] next;
    private int[] first;

    public HashChains(List<(ulong Hash, Range Functions)> keys)
    {
        this.keys = keys;
        next = new int[keys.Count];
        first = Empty(64);
        for (var key = 0; key < keys.Count; key++)
        {
            if (4L * (key + 1) >= 3L * first.Length) Resize(first.Length * 2);
            Insert(first, key);
        }
        var target = keys.Count <= 2 ? 1 : (int)BitOperations.RoundUpToPowerOf2((uint)(keys.Count * 4L / 3 + 1));
        if (target != first.Length) Resize(target);
    }

    public int Buckets => first.Length;

    /// <summary>The first entry of a bucket, or -1.</summary>
    public int First(int bucket) => first[bucket];

    /// <summary>The entry behind this one, or -1.</summary>
    public int Next(int key) => next[key];

    private static int[] Empty(int size)
    {
        var buckets = new int[size];
        Array.Fill(buckets, -1);
        return buckets;
    }

    private void Resize(int size)
    {
        var resized = Empty(size);
        foreach (var chain in first)
            for (int key = chain, after; key >= 0; key = after)
            {
                after = next[key];
                Insert(resized, key);
            }
        first = resized;
    }

    private void Insert(int[] buckets, int key)
    {
        var bucket = (int)(keys[key].Hash & (ulong)(buckets.Length - 1));
        next[key] = buckets[bucket];
        buckets[bucket] = key;
    }
}
