namespace Weft.Coverage.Profiles;

/// <summary>What kind of counters a profile has: the bits of its version that LLVM's <c>InstrProfData.inc</c> calls variants.</summary>
[Flags]
public enum ProfileVariants : ulong
{
    /// <summary>Counters that the front end placed: those of coverage.</summary>
    None = 0,
    LoopEntries = 1UL << 55,

    /// <summary>Counters that LLVM placed; no coverage map speaks of them.</summary>
    IntermediateRepresentation = 1UL << 56,
    ContextSensitive = 1UL << 57,
    EntryFirst = 1UL << 58,
    DebugInfoCorrelation = 1UL << 59,

    /// <summary>Whether something ran, not how often.</summary>
    SingleByte = 1UL << 60,
    EntryOnly = 1UL << 61,
    Memory = 1UL << 62,
    Temporal = 1UL << 63,
}

/// <summary>What one or more runs of programs counted, by function.</summary>
public sealed class Profile
{
    private readonly List<FunctionCounts> functions = [];
    private readonly Dictionary<ulong, FunctionCounts> byName = [];
    private readonly List<byte[]> binaryIds = [];

    public ProfileVariants Variants { get; internal set; }

    /// <summary>
    /// Whether bits of MC/DC bitmaps are indexed by the values of conditions, as LLVM 18 did, and not by number of test vector.
    /// </summary>
    public bool BitmapsByCondition { get; internal set; }

    /// <summary>In the order they were added.</summary>
    public IReadOnlyList<FunctionCounts> Functions => functions;

    /// <summary>The linker's names (<c>build-id</c>) for the binaries that ran, each once.</summary>
    public IReadOnlyList<byte[]> BinaryIds => binaryIds;

    /// <summary>What the function of that name and shape counted.</summary>
    public FunctionCounts? Find(ulong nameHash, ulong structuralHash)
    {
        for (var found = byName.GetValueOrDefault(nameHash); found != null; found = found.Next)
            if (found.StructuralHash == structuralHash) return found;
        return null;
    }

    /// <summary>Whether a function of that name counted anything, whatever its shape, if only it is context sensitive like this one or not.</summary>
    public bool Knows(ulong nameHash, ulong structuralHash)
    {
        for (var found = byName.GetValueOrDefault(nameHash); found != null; found = found.Next)
            if (((found.StructuralHash ^ structuralHash) & FunctionCounts.ContextBit) == 0) return true;
        return false;
    }

    /// <summary>Adds one function's counts to what is already known of it. The record becomes the profile's.</summary>
    public MergeProblems Add(FunctionCounts function)
    {
        if (!byName.TryGetValue(function.NameHash, out var same))
        {
            byName.Add(function.NameHash, function);
            functions.Add(function);
            return MergeProblems.None;
        }
        for (; ; same = same.Next)
        {
            if (same.StructuralHash == function.StructuralHash) return same.Add(function);
            if (same.Next != null) continue;
            same.Next = function;
            functions.Add(function);
            return MergeProblems.None;
        }
    }

    internal void AddBinaryId(byte[] id)
    {
        foreach (var known in binaryIds)
            if (known.AsSpan().SequenceEqual(id)) return;
        binaryIds.Add(id);
    }
}
