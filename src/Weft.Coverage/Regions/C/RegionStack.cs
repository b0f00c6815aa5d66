namespace Weft.Coverage.Regions.C;

/// <summary>A region under construction.</summary>
internal sealed class OpenRegion(Count count, Location? start, Location? end, Count? falseCount)
{
    public Count Count { get; set; } = count;

    /// <summary>Only of branches.</summary>
    public Count? FalseCount { get; } = falseCount;

    public Location? Start { get; set; } = start;

    public Location? End { get; set; } = end;

    public bool IsGap { get; set; }

    public bool IsSkipped { get; set; }

    public bool IsBranch => FalseCount != null;
}

/// <summary>
/// The regions around the place where a walk is, as clang keeps them (CoverageMappingGen.cpp, CounterCoverageMappingBuilder):
/// what a region that crosses the borders of macros and included files becomes is decided here.
/// </summary>
internal sealed class RegionStack(Extents extents)
{
    private readonly List<OpenRegion> stack = [];
    private readonly List<OpenRegion> finished = [];
    private readonly HashSet<(Location Start, Location End, bool IsBranch)> finishedPlaces = [];
    private Location mostRecent;

    /// <summary>Finished regions, in clang's order.</summary>
    public IReadOnlyList<OpenRegion> Finished => finished;

    public int Depth => stack.Count;

    public OpenRegion Top => stack[^1];

    public Location MostRecent { set => mostRecent = value; }

    public OpenRegion this[int index] => stack[index];

    public int Push(Count count, Location? start = null, Location? end = null, Count? falseCount = null)
    {
        if (start is { } at && falseCount == null) mostRecent = at;
        stack.Add(new OpenRegion(count, start, end, falseCount));
        return stack.Count - 1;
    }

    /// <summary>Finishes all regions from an index on.</summary>
    public void Pop(int parent)
    {
        while (stack.Count > parent)
        {
            var region = stack[^1];
            if (region.Start is { } start && (region.End ?? stack[parent].End) is { } end) Finish(region, start, end);
            stack.RemoveAt(stack.Count - 1);
        }
    }

    /// <summary>Notes that a statement belongs to the current region.</summary>
    public void Extend(Statement statement)
    {
        var start = extents.Start(statement);
        LeaveFiles(start);
        Top.Start ??= start;
    }

    /// <summary>To be called behind statements that were not visited in the order of the source.</summary>
    public void AdjustForOutOfOrderTraversal(Location end)
    {
        mostRecent = end;
        if (Top.End != null && end == end.EndOfFile && IsFinished(end.StartOfFile, end, Top.IsBranch) && end.Parent is { } parent) mostRecent = parent;
    }

    /// <summary>Makes the regions of the macros and files that a step to another place leaves.</summary>
    public void LeaveFiles(Location next)
    {
        if (mostRecent.File == next.File) return;
        var ancestor = next;
        while (!mostRecent.IsNestedIn(ancestor.File))
        {
            if (ancestor.Parent is not { } outer || outer.File == mostRecent.File)
            {
                mostRecent = next; // nothing was left
                return;
            }
            ancestor = outer;
        }
        Leave(ancestor.File);
        mostRecent = next;
    }

    private void Leave(VirtualFile parentFile)
    {
        var seen = new HashSet<Location>();
        Count? parentCount = null;
        for (var i = stack.Count - 1; i >= 0; i--)
        {
            var region = stack[i];
            if (region.Start is not { } at) continue;
            if (!at.IsNestedIn(parentFile))
            {
                parentCount = region.Count;
                break;
            }
            while (at.File != parentFile)
            {
                // The innermost region with a start has the right count.
                if (seen.Add(at)) Add(new OpenRegion(region.Count, at, at.EndOfFile, region.FalseCount) { IsGap = region.IsBranch });
                at = at.Parent!.Value;
            }
            region.Start = extents.EndOfToken(at);
        }
        if (parentCount == null) return;
        for (var at = mostRecent; at.IsNestedIn(parentFile); at = at.Parent!.Value)
            if (seen.Add(at.StartOfFile))
                Add(new OpenRegion(parentCount, at.StartOfFile, at.EndOfFile, null));
    }

    private void Finish(OpenRegion region, Location start, Location end)
    {
        int startDepth = start.File.Depth, endDepth = end.File.Depth;
        while (start.File != end.File)
        {
            bool unnestStart = startDepth >= endDepth, unnestEnd = endDepth >= startDepth;
            if (unnestEnd)
            {
                if (!region.IsBranch && !IsFinished(end.StartOfFile, end)) Add(new OpenRegion(region.Count, end.StartOfFile, end, null));
                end = extents.EndOfToken(end.Parent!.Value);
                endDepth--;
            }
            if (unnestStart)
            {
                if (!region.IsBranch && !IsFinished(start, start.EndOfFile)) Add(new OpenRegion(region.Count, start, start.EndOfFile, null));
                start = start.Parent!.Value;
                startDepth--;
            }
        }
        region.Start = start;
        region.End = end;
        if (!region.IsBranch)
        {
            // A region that is all of an expansion must not overlap with the one around.
            mostRecent = start == start.StartOfFile && end == end.EndOfFile && end.Parent is { } parent ? parent : end;
        }
        Add(region);
    }

    private bool IsFinished(Location start, Location end, bool isBranch = false) => finishedPlaces.Contains((start, end, isBranch));

    private void Add(OpenRegion region)
    {
        finished.Add(region);
        finishedPlaces.Add((region.Start!.Value, region.End!.Value, region.IsBranch));
    }
}
