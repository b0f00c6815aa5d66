namespace Weft.Coverage.Profiles;

/// <summary>What a function counted.</summary>
/// <param name="name">As the compiler knows it: mangled, and with <c>file;</c> before it if it is local to a file.</param>
/// <param name="nameHash">See <see cref="ProfileNames.Hash(ReadOnlySpan{byte})"/>.</param>
/// <param name="structuralHash">Of the function's shape: counts of another shape are no use.</param>
/// <param name="counts">How often, by counter. Merging writes into it.</param>
/// <param name="bitmap">For MC/DC: one bit for each test vector that ran. Merging writes into it.</param>
public sealed class FunctionCounts(string name, ulong nameHash, ulong structuralHash, ulong[] counts, byte[] bitmap)
{
    /// <summary>LLVM gives the two largest counts other meanings.</summary>
    public const ulong LargestCount = ulong.MaxValue - 2;

    /// <summary>A bit that LLVM takes for the mark of a context sensitive function, though hashes of front ends may have it.</summary>
    internal const ulong ContextBit = 1UL << 60;

    public string Name => name;

    public ulong NameHash => nameHash;

    public ulong StructuralHash => structuralHash;

    public ulong[] Counts => counts;

    public byte[] Bitmap => bitmap;

    internal bool SeemsContextSensitive => (structuralHash & ContextBit) != 0;

    /// <summary>Another shape of the function of this name.</summary>
    internal FunctionCounts? Next { get; set; }

    /// <summary>Adds what another run counted, as InstrProfRecord::merge does.</summary>
    /// <returns>What could not be added, or was too large to.</returns>
    internal MergeProblems Add(FunctionCounts other)
    {
        if (other.Counts.Length != counts.Length) return MergeProblems.CounterMismatch;
        var problems = MergeProblems.None;
        for (var i = 0; i < counts.Length; i++)
        {
            var sum = counts[i] + other.Counts[i];
            var overflows = sum < counts[i] || sum > LargestCount;
            counts[i] = overflows ? LargestCount : sum;
            if (overflows) problems |= MergeProblems.Overflow;
        }
        if (other.Bitmap.Length != bitmap.Length) return problems | MergeProblems.BitmapMismatch;
        for (var i = 0; i < bitmap.Length; i++) bitmap[i] |= other.Bitmap[i];
        return problems;
    }
}

/// <summary>Why two records of a function do not make an exact sum.</summary>
[Flags]
public enum MergeProblems
{
    None = 0,

    /// <summary>One name and one hash, but other numbers of counters: the later record is left out.</summary>
    CounterMismatch = 1,

    /// <summary>Other sizes of the bitmap: the later one is left out.</summary>
    BitmapMismatch = 2,

    /// <summary>A sum is more than <see cref="FunctionCounts.LargestCount"/>, and stays there.</summary>
    Overflow = 4,
}
