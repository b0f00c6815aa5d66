namespace Weft.Coverage.Regions.Placement;

/// <summary>
/// Regions of whole lines, from debug locations alone: for languages whose syntax is not known, and source that is not at
/// hand. A function is one region, and lines in it that run another number of times are regions in that.
/// </summary>
internal static class LineRegions
{
    public static FunctionRegions? Of(LocatedFunction function, ModuleFiles files, Sites sites)
    {
        if (function.Function.Source is not { Line: > 0 } start || function.Function.SourceFile is not { } file) return null;
        var number = files[file];
        var blocks = new SortedDictionary<int, int> { [start.Line] = 0 };
        foreach (var located in function.Located.Where(l => l.Place.File == number && l.Place.Line >= start.Line && function.Normal[l.Block]))
            blocks.TryAdd(located.Place.Line, located.Block);
        var regions = new List<SourceRegion> { Lines(start.Line, blocks.Keys.Last(), sites.Block(0)) };
        foreach (var (first, last, block) in Runs([.. blocks]))
            if (block != 0)
                regions.Add(Lines(first, last, sites.Block(block)));
        return new FunctionRegions(function.Function.Name, [file.Path], regions, 0);
    }

    /// <summary>Lines one after the other whose code begins in the same block; lines without code go on what is before them.</summary>
    private static IEnumerable<(int First, int Last, int Block)> Runs(KeyValuePair<int, int>[] lines)
    {
        for (var i = 0; i < lines.Length;)
        {
            var first = i++;
            while (i < lines.Length && lines[i].Value == lines[first].Value) i++;
            yield return (lines[first].Key, i < lines.Length ? lines[i].Key - 1 : lines[^1].Key, lines[first].Value);
        }
    }

    private static SourceRegion Lines(int first, int last, Count count) => new(RegionKind.Code, 0, 0, count, null, first, 1, last, int.MaxValue);
}
