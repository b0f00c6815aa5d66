namespace Weft.Hotpatch.Check;

/// <summary>What being replaceable means on a processor, by its instructions.</summary>
internal abstract class Rules
{
    /// <summary>How many bytes a jump to anywhere needs, at least.</summary>
    public abstract int LeastRoom { get; }

    /// <summary>How many bytes behind the patch point are exchanged at once.</summary>
    public abstract int Exchanged { get; }

    public static Rules For(Processor processor) => processor == Processor.X86 ? new X86Rules() : new ArmRules();

    /// <summary>How many bytes a mark for indirect branches takes at the start of a function.</summary>
    public abstract int SizeOfMark(ReadOnlySpan<byte> function);

    /// <summary>The instruction at a place in words.</summary>
    public abstract string Describe(CodeSection section, ulong place, ulong end);

    /// <summary>Why the instruction at a place cannot be exchanged, if it cannot.</summary>
    /// <param name="section">Where it is.</param>
    /// <param name="place">The patch point.</param>
    /// <param name="end">Of its function.</param>
    public abstract IEnumerable<string> WhyFixed(CodeSection section, ulong place, ulong end);

    /// <summary>The branches of a function whose targets the file tells.</summary>
    public abstract IEnumerable<Branch> Branches(CodeSection section, ulong start, ulong end);

    /// <summary>
    /// Whether the stack pointer has moved when control leaves the straight line that a function begins with. No compiler makes a
    /// loop of such a line, as the stack would grow: a jump to the entry is a call then, with everything as a caller leaves it.
    /// </summary>
    public abstract bool MovesStackAtOnce(CodeSection section, ulong start, ulong end);

    /// <summary>How many bytes at the end of a gap between two functions are filler.</summary>
    public abstract int Room(CodeSection section, ulong gap, ulong end);

    /// <summary>Whether the bytes before a function end in room as Weft makes it.</summary>
    /// <param name="before">What no other function owns.</param>
    /// <param name="entry">Of the function.</param>
    /// <param name="isFilled">Whether the linker has filled gaps with the same bytes.</param>
    public abstract bool IsWoven(ReadOnlySpan<byte> before, ulong entry, bool isFilled);
}

/// <param name="From">Place of the instruction.</param>
/// <param name="Target">Where it leads.</param>
/// <param name="IsCall">It comes back.</param>
/// <param name="ByName">It leads there by a symbol that the linker has yet to look up.</param>
internal readonly record struct Branch(ulong From, ulong Target, bool IsCall, bool ByName);

/// <summary>A section's references, asked for in the order of their offsets.</summary>
internal struct ReferenceCursor(IReadOnlyList<CodeReference> references)
{
    private int next = -1;

    /// <summary>The reference whose field is at an offset, which must not be smaller than the one before.</summary>
    public CodeReference? At(int offset)
    {
        if (next < 0) next = FirstFrom(offset);
        while (next < references.Count && references[next].Offset < offset) next++;
        return next < references.Count && references[next].Offset == offset ? references[next] : null;
    }

    private readonly int FirstFrom(int offset)
    {
        int low = 0, high = references.Count;
        while (low < high)
        {
            var middle = (low + high) / 2;
            if (references[middle].Offset < offset) low = middle + 1;
            else high = middle;
        }
        return low;
    }
}
