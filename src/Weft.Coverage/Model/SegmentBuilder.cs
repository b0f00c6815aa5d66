namespace Weft.Coverage.Model;

/// <summary>
/// Segments from nested regions of one file: LLVM's SegmentBuilder (CoverageMapping.cpp). Regions are sorted, those of one place
/// made one, and then a stack of regions is kept that are open at the place reached.
/// </summary>
internal sealed class SegmentBuilder
{
    private readonly List<Segment> segments = [];
    private readonly List<CountedRegion> active = [];

    /// <param name="regions">Without branches. They are reordered.</param>
    public static List<Segment> Build(Span<CountedRegion> regions)
    {
        regions.Sort(static (a, b) =>
            a.Start != b.Start ? a.Start.CompareTo(b.Start) : a.End != b.End ? b.End.CompareTo(a.End) : a.Kind.CompareTo(b.Kind));
        var builder = new SegmentBuilder();
        builder.Add(Combine(regions));
        return builder.segments;
    }

    /// <summary>Adds up regions of the same place. The first one's kind is the one that counts.</summary>
    private static ReadOnlySpan<CountedRegion> Combine(Span<CountedRegion> regions)
    {
        var kept = 0;
        for (var i = 0; i < regions.Length; i++)
        {
            if (kept > 0 && regions[kept - 1].Start == regions[i].Start && regions[kept - 1].End == regions[i].End)
            {
                if (regions[i].Kind == regions[kept - 1].Kind) regions[kept - 1] = regions[kept - 1] with { Count = regions[kept - 1].Count + regions[i].Count };
            }
            else
            {
                regions[kept++] = regions[i];
            }
        }
        return regions[..kept];
    }

    private void Add(ReadOnlySpan<CountedRegion> regions)
    {
        for (var i = 0; i < regions.Length; i++)
        {
            var region = regions[i];
            var isLast = i + 1 == regions.Length;
            CompleteBefore(region.Start);
            var isEntry = region.Kind != RegionKind.Gap;
            if (region.Start == region.End)
            {
                AddEmpty(region, isEntry, isLast);
                continue;
            }
            if (isLast || regions[i + 1].Start != region.Start) Emit(region, region.Start, isEntry);
            active.Add(region);
        }
        if (active.Count > 0) Complete(0, null);
    }

    /// <summary>A region of no length is never open: what is open around it counts.</summary>
    private void AddEmpty(in CountedRegion region, bool isEntry, bool isLast)
    {
        var isSkipped = isLast || region.Kind == RegionKind.Skipped;
        Emit(active.Count == 0 ? region : active[^1], region.Start, isEntry, isSkipped);
        if (isSkipped && active.Count > 0) Emit(active[^1], region.Start, isEntry: false);
    }

    /// <summary>Closes the regions that end at this place or before it.</summary>
    private void CompleteBefore(ulong place)
    {
        var kept = 0;
        List<CountedRegion>? completed = null;
        for (var i = 0; i < active.Count; i++)
        {
            if (active[i].End <= place) (completed ??= []).Add(active[i]);
            else active[kept++] = active[i];
        }
        if (completed == null) return;
        for (var i = 0; i < completed.Count; i++) active[kept + i] = completed[i];
        Complete(kept, place);
    }

    /// <param name="first">Index of the first open region to close; all behind it are closed too.</param>
    /// <param name="next">Where the next region begins; null behind the last.</param>
    private void Complete(int first, ulong? next)
    {
        SortByEnd(first);
        for (var i = first + 1; i < active.Count; i++)
        {
            var place = active[i - 1].End;
            if (place == next) break;
            if (place == active[i].End) continue;
            // Of several that end together, the last one counts.
            var last = i;
            while (last + 1 < active.Count && active[last + 1].End == active[i].End) last++;
            Emit(active[last], place, isEntry: false);
        }
        var end = active[^1];
        if (first > 0 && end.End != next) Emit(active[first - 1], end.End, isEntry: false);
        else if (first == 0 && end.End != next) Emit(end, end.End, isEntry: false, isSkipped: true);
        active.RemoveRange(first, active.Count - first);
    }

    /// <summary>Those that end together keep their order.</summary>
    private void SortByEnd(int first)
    {
        if (active.Count - first < 2) return;
        var sorted = active.Skip(first).OrderBy(r => r.End).ToArray();
        sorted.CopyTo(System.Runtime.InteropServices.CollectionsMarshal.AsSpan(active)[first..]);
    }

    private void Emit(in CountedRegion region, ulong place, bool isEntry, bool isSkipped = false)
    {
        var hasCount = !isSkipped && region.Kind != RegionKind.Skipped;
        if (segments.Count > 0 && !isEntry && !isSkipped)
        {
            // It would change nothing.
            var last = segments[^1];
            if (last.HasCount == hasCount && last.Count == region.Count && !last.IsRegionEntry) return;
        }
        var (line, column) = ((int)(place >> 32), (int)place);
        segments.Add(hasCount ? new Segment(line, column, region.Count, true, isEntry, region.Kind == RegionKind.Gap) : new Segment(line, column, 0, false, isEntry, false));
    }
}
