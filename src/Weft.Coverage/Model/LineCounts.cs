namespace Weft.Coverage.Model;

/// <summary>Counts of lines from segments: LLVM's LineCoverageStats and LineCoverageIterator.</summary>
internal static class LineCounts
{
    /// <summary>The lines that have code.</summary>
    public static IEnumerable<LineCount> Of(IReadOnlyList<Segment> segments)
    {
        for (int start = 0, end; start < segments.Count; start = end)
        {
            end = EndOfLine(segments, start);
            if (Count(segments, start, end) is { } line) yield return line;
            if (end == segments.Count || !segments[end - 1].HasCount) continue;
            for (var between = segments[start].Line + 1; between < segments[end].Line; between++) yield return new LineCount(between, segments[end - 1].Count, HasSeveralRegions: false);
        }
    }

    /// <summary>How many lines have code, and how many of those ran.</summary>
    public static Ratio Sum(List<Segment> segments)
    {
        var sum = new Ratio();
        for (int start = 0, end; start < segments.Count; start = end)
        {
            end = EndOfLine(segments, start);
            if (Count(segments, start, end) is { } line) sum += new Ratio(1, line.Count > 0 ? 1 : 0);
            if (end == segments.Count || !segments[end - 1].HasCount) continue;
            var between = Math.Max(0, segments[end].Line - segments[start].Line - 1);
            sum += new Ratio(between, segments[end - 1].Count > 0 ? between : 0);
        }
        return sum;
    }

    private static int EndOfLine(IReadOnlyList<Segment> segments, int start)
    {
        var end = start + 1;
        while (end < segments.Count && segments[end].Line == segments[start].Line) end++;
        return end;
    }

    /// <summary>The line of the segments from <paramref name="start"/> to <paramref name="end"/>; the one before goes on into it.</summary>
    private static LineCount? Count(IReadOnlyList<Segment> segments, int start, int end)
    {
        var before = start > 0 ? segments[start - 1] : default;
        int regions = 0, entries = 0;
        var most = before.Count;
        for (var i = start; i < end; i++)
        {
            var segment = segments[i];
            if (!segment.HasCount || !segment.IsRegionEntry) continue;
            entries++;
            if (segment.IsGap) continue;
            regions++;
            most = ulong.Max(most, segment.Count);
        }
        var beginsSkipped = !segments[start].HasCount && segments[start].IsRegionEntry;
        var isMapped = entries > 0 || (!beginsSkipped && before.HasCount);
        return isMapped ? new LineCount(segments[start].Line, most, regions > 1) : null;
    }
}
