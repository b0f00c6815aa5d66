namespace Weft.Coverage.Regions.C;

/// <summary>
/// Numbers the files that a function's regions lie in and gives every region lines and columns, as clang does
/// (CoverageMappingGen.cpp, CoverageMappingBuilder): outer files before what they include and expand, and then regions
/// for the expansions, the code, and what the preprocessor skipped.
/// </summary>
internal sealed class RegionWriter(Extents extents, IReadOnlyList<SkippedRange> skipped)
{
    private readonly Dictionary<VirtualFile, (int Number, Location First)> numbers = [];
    private readonly List<SourceRegion> written = [];
    private readonly List<string> files = [];

    public FunctionRegions Write(string name, IReadOnlyList<OpenRegion> regions, int points)
    {
        NumberFiles(regions);
        var expanded = WriteExpansions();
        foreach (var region in regions) WriteSource(region, expanded);
        WriteSkipped();
        return new FunctionRegions(name, files, written, points);
    }

    private void NumberFiles(IReadOnlyList<OpenRegion> regions)
    {
        var found = new List<Location>();
        var seen = new HashSet<VirtualFile>();
        foreach (var region in regions) LeaveScratchAndSystem(region);
        foreach (var region in regions)
            if (seen.Add(region.Start!.Value.File) && region.Start.Value.File.Source is { IsSystem: false })
                found.Add(region.Start.Value);
        foreach (var first in found.OrderBy(f => f.File.Depth)) // a stable sort
        {
            numbers[first.File] = (files.Count, first);
            files.Add(first.File.Source!.Path);
        }
    }

    /// <summary>What pasting made counts where the macro does that; what a macro of the system's became, where the user wrote it.</summary>
    private static void LeaveScratchAndSystem(OpenRegion region)
    {
        Location start = region.Start!.Value, end = region.End!.Value;
        if (start.File.Source == null && end.File.Source == null) (start, end) = (start.Parent!.Value, end.File.ExpansionEnd!.Value);
        if (start.File is { IsMacro: true, Source.IsSystem: true } && start.File.Source == end.File.Source) (start, end) = (start.InFile, end.InFile);
        (region.Start, region.End) = (start, end);
    }

    private HashSet<(Location, Location)> WriteExpansions()
    {
        var expanded = new HashSet<(Location, Location)>();
        foreach (var (file, (number, _)) in numbers)
        {
            if (file.Parent is not { } parent || !numbers.TryGetValue(parent.File, out var outer)) continue;
            var end = extents.EndOfToken(parent);
            expanded.Add((parent, end));
            Add(RegionKind.Expansion, outer.Number, number, Count.Zero, null, parent, end);
        }
        return expanded;
    }

    private void WriteSource(OpenRegion region, HashSet<(Location, Location)> expanded)
    {
        Location start = region.Start!.Value, end = region.End!.Value;
        // What an expansion covers needs no region around it.
        if (!numbers.TryGetValue(start.File, out var file) || expanded.Contains((start, end))) return;
        var kind = region.IsGap ? RegionKind.Gap : region.IsSkipped ? RegionKind.Skipped : region.IsBranch ? RegionKind.Branch : RegionKind.Code;
        Add(kind, file.Number, 0, region.Count, kind == RegionKind.Branch ? region.FalseCount : null, start, end);
    }

    private void Add(RegionKind kind, int file, int expandedFile, Count count, Count? falseCount, Location start, Location end)
    {
        var (line, column) = start.Position;
        var (endLine, endColumn) = end.Position;
        written.Add(new SourceRegion(kind, file, expandedFile, count, falseCount, line, column, endLine, endColumn));
    }

    private void WriteSkipped()
    {
        var lines = new (int First, int Last)[files.Count];
        Array.Fill(lines, (int.MaxValue, 0));
        foreach (var region in written)
            lines[region.File] = (Math.Min(lines[region.File].First, region.StartLine), Math.Max(lines[region.File].Last, region.EndLine));
        foreach (var range in skipped)
        {
            if (!numbers.TryGetValue(range.Start.File, out var file) || Lines(range) is not var (first, firstColumn, last, lastColumn)) continue;
            if (first >= lines[file.Number].First && last <= lines[file.Number].Last)
                written.Add(new SourceRegion(RegionKind.Skipped, file.Number, 0, Count.Zero, null, first, firstColumn, last, lastColumn));
        }
    }

    /// <summary>A comment takes whole lines, without those where other tokens stand; null when none is left.</summary>
    private static (int First, int FirstColumn, int Last, int LastColumn)? Lines(SkippedRange range)
    {
        var (first, firstColumn) = range.Start.Position;
        var (last, lastColumn) = range.End.Position;
        if (range.Kind != SkippedKind.Comment) return (first, firstColumn, last, lastColumn);
        if (range.Previous is { } previous && previous.File == range.Start.File && previous.Position.Line == first) first++;
        if (range.Next is { } next && next.File == range.End.File && next.Position.Line == last)
        {
            last--;
            lastColumn++;
        }
        return first < last || first == last && lastColumn >= 1 ? (first, 1, last, lastColumn) : null;
    }
}
