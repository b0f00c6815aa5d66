using System.Runtime.InteropServices;

namespace Weft.Coverage.Model;

/// <summary>
/// Segments from nested regions of one file: LLVM's SegmentBuilder (CoverageMapping.cpp). Regions are sorted, those of one place
/// made one, and then a stack of regions is kept that are open at the place reached. May be used again and again.
/// </summary>
internal sealed class SegmentBuilder
{
    private readonly List<Piece> pieces = [];
    private readonly List<Piece> active = [];
    private readonly List<Piece> completed = [];
    private List<Segment> segments = [];

    /// <summary>Takes a region that is no branch.</summary>
    public void Add(in CountedRegion region) => pieces.Add(new Piece(region.Start, region.End, region.Count, region.Kind));

    /// <summary>The segments of all regions since the last time.</summary>
    public List<Segment> Build()
    {
        segments = new List<Segment>(pieces.Count);
        BuildShared();
        return segments;
    }

    /// <summary>As <see cref="Build"/>, but the list is valid only until the next call.</summary>
    public List<Segment> BuildShared()
    {
        segments.Clear();
        var regions = CollectionsMarshal.AsSpan(pieces);
        Sort(regions);
        Walk(Combine(regions));
        pieces.Clear();
        return segments;
    }

    /// <summary>Functions come mostly in the order of the source, and their regions too: then few have to move, and not far.</summary>
    private static void Sort(Span<Piece> regions)
    {
        var order = default(PieceOrder);
        var movesLeft = 8L * regions.Length;
        for (var i = 1; i < regions.Length; i++)
        {
            var region = regions[i];
            var to = i;
            for (; to > 0 && movesLeft > 0 && order.Compare(regions[to - 1], region) > 0; to--, movesLeft--) regions[to] = regions[to - 1];
            regions[to] = region;
            if (movesLeft > 0) continue;
            regions.Sort(order);
            return;
        }
    }

    /// <summary>Adds up regions of the same place. The first one's kind is the one that counts.</summary>
    private static ReadOnlySpan<Piece> Combine(Span<Piece> regions)
    {
        var kept = 0;
        foreach (ref readonly var region in regions)
        {
            if (kept == 0 || regions[kept - 1].Start != region.Start || regions[kept - 1].End != region.End) regions[kept++] = region;
            else if (regions[kept - 1].Kind == region.Kind) regions[kept - 1] = region with { Count = regions[kept - 1].Count + region.Count };
        }
        return regions[..kept];
    }

    private void Walk(ReadOnlySpan<Piece> regions)
    {
        for (var i = 0; i < regions.Length; i++)
        {
            ref readonly var region = ref regions[i];
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
    private void AddEmpty(in Piece region, bool isEntry, bool isLast)
    {
        var isSkipped = isLast || region.Kind == RegionKind.Skipped;
        Emit(active.Count == 0 ? region : active[^1], region.Start, isEntry, isSkipped);
        if (isSkipped && active.Count > 0) Emit(active[^1], region.Start, isEntry: false);
    }

    /// <summary>Closes the regions that end at this place or before it.</summary>
    private void CompleteBefore(ulong place)
    {
        completed.Clear();
        var kept = 0;
        for (var i = 0; i < active.Count; i++)
        {
            if (active[i].End <= place) completed.Add(active[i]);
            else active[kept++] = active[i];
        }
        if (completed.Count == 0) return;
        for (var i = 0; i < completed.Count; i++) active[kept + i] = completed[i];
        Complete(kept, place);
    }

    /// <param name="first">Index of the first open region to close; all behind it are closed too.</param>
    /// <param name="next">Where the next region begins; null behind the last.</param>
    private void Complete(int first, ulong? next)
    {
        SortByEnd(CollectionsMarshal.AsSpan(active)[first..]);
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

    /// <summary>Those that end together keep their order. Mostly they are few.</summary>
    private static void SortByEnd(Span<Piece> regions)
    {
        const int few = 32;
        if (regions.Length > few)
        {
            regions.ToArray().OrderBy(r => r.End).ToArray().CopyTo(regions);
            return;
        }
        for (var i = 1; i < regions.Length; i++)
        {
            var region = regions[i];
            var to = i;
            for (; to > 0 && regions[to - 1].End > region.End; to--) regions[to] = regions[to - 1];
            regions[to] = region;
        }
    }

    private void Emit(in Piece region, ulong place, bool isEntry, bool isSkipped = false)
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

    /// <summary>What of a region matters here.</summary>
    private readonly record struct Piece(ulong Start, ulong End, ulong Count, RegionKind Kind);

    /// <summary>By place, a region before those within it.</summary>
    private readonly struct PieceOrder : IComparer<Piece>
    {
        public int Compare(Piece x, Piece y) => x.Start != y.Start ? x.Start.CompareTo(y.Start) : x.End != y.End ? y.End.CompareTo(x.End) : ((int)x.Kind).CompareTo((int)y.Kind);
    }
}
