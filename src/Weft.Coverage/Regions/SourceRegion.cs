namespace Weft.Coverage.Regions;

/// <summary>A region of a coverage map before it is known what its points count: see <see cref="MappedRegion"/>.</summary>
public sealed record SourceRegion(
    RegionKind Kind, int File, int ExpandedFile, Count Count, Count? FalseCount, int StartLine, int StartColumn, int EndLine, int EndColumn);

/// <summary>The regions of one function.</summary>
/// <param name="Name">As the source has it.</param>
/// <param name="Files">The files they lie in, once for each inclusion and expansion.</param>
/// <param name="Regions">In the order of the coverage map.</param>
/// <param name="Points">How many points their counts are made of.</param>
public sealed record FunctionRegions(string Name, IReadOnlyList<string> Files, IReadOnlyList<SourceRegion> Regions, int Points);
