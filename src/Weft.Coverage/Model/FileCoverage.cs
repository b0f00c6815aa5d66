namespace Weft.Coverage.Model;

/// <summary>From here to the next segment, the source ran so often.</summary>
/// <param name="Line">From 1.</param>
/// <param name="Column">From 1, in bytes.</param>
/// <param name="Count">How often.</param>
/// <param name="HasCount">False where there is no code, or it was skipped.</param>
/// <param name="IsRegionEntry">Whether a region begins here, or one before it goes on.</param>
/// <param name="IsGap">Whether it counts for its line only where nothing else does.</param>
public readonly record struct Segment(int Line, int Column, ulong Count, bool HasCount, bool IsRegionEntry, bool IsGap);

/// <summary>How often a line ran.</summary>
/// <param name="Line">From 1.</param>
/// <param name="Count">The largest count of its regions.</param>
/// <param name="HasSeveralRegions">Whether several regions begin in it.</param>
public readonly record struct LineCount(int Line, ulong Count, bool HasSeveralRegions);

/// <summary>What ran of a source file, over all functions that have code in it.</summary>
/// <param name="Path">As the compiler wrote it, made absolute with its working directory.</param>
/// <param name="Segments">By place.</param>
/// <param name="Branches">Of every instantiation, in the order of functions.</param>
/// <param name="Decisions">Of every instantiation, in the order of functions.</param>
/// <param name="Expansions">Of functions that are defined in this file.</param>
public sealed record FileCoverage(
    string Path, IReadOnlyList<Segment> Segments, IReadOnlyList<CountedRegion> Branches, IReadOnlyList<Decision> Decisions, IReadOnlyList<Expansion> Expansions)
{
    /// <summary>The lines that have code, in order.</summary>
    public IEnumerable<LineCount> Lines => LineCounts.Of(Segments);
}
