using System.Runtime.InteropServices;

namespace Weft.Coverage.Model;

/// <summary>A stretch of source and how often it ran. Places are as in <see cref="MappedRegion"/>.</summary>
/// <param name="Start">Line and column, the line in the upper half: places compare as numbers.</param>
/// <param name="End">The place behind the last character, likewise.</param>
/// <param name="Count">How often it ran; for a branch, how often the condition was true.</param>
/// <param name="FalseCount">For a branch, how often the condition was false.</param>
/// <param name="File">Index into the function's files.</param>
/// <param name="ExpandedFile">For an expansion, the index of what the macro or include became.</param>
/// <param name="Kind">What the counts mean.</param>
/// <param name="IsNeverTrue">For a branch, that the compiler knew the condition to be false.</param>
/// <param name="IsNeverFalse">For a branch, that the compiler knew the condition to be true.</param>
[StructLayout(LayoutKind.Auto)]
public readonly record struct CountedRegion(
    ulong Start, ulong End, ulong Count, ulong FalseCount, int File, int ExpandedFile, RegionKind Kind, bool IsNeverTrue, bool IsNeverFalse)
{
    public int StartLine => (int)(Start >> 32);

    public int StartColumn => (int)Start;

    public int EndLine => (int)(End >> 32);

    /// <summary><see cref="int.MaxValue"/> where the region goes on to the end of the line.</summary>
    public int EndColumn => (int)End;

    public bool IsBranch => Kind is RegionKind.Branch or RegionKind.ConditionBranch;

    /// <summary>Whether the condition of a branch is a constant.</summary>
    public bool IsFolded => IsNeverTrue && IsNeverFalse;

    internal static ulong Place(int line, int column) => (ulong)line << 32 | (uint)column;
}
