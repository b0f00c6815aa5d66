using Weft.Coverage.Export;
using Weft.Coverage.Model;
using Weft.Coverage.Sources;

namespace Weft.Coverage.Diff;

/// <summary>Says why lines of a file did not run.</summary>
internal sealed class GapReasons(IEnumerable<FunctionCoverage> functions, FileCoverage file)
{
    private readonly List<(int First, int Last, FunctionCoverage Function)> extents = Extents(functions, file.Path);
    private readonly ILookup<int, (int Line, ulong WhenTrue, ulong WhenFalse)> branches = BranchTotals.Of(file).ToLookup(b => b.Line);
    private readonly ILookup<int, Segment> segments = file.Segments.ToLookup(s => s.Line);

    /// <summary>Of a line that did not run.</summary>
    public string Missing(int line)
    {
        var around = extents.Where(e => line >= e.First && line <= e.Last).ToList();
        if (around.Count == 0) return "not run";
        // The innermost function, a closure or a lambda perhaps, in all its instantiations.
        var first = around.Max(e => e.First);
        var innermost = around.Where(e => e.First == first).Select(e => e.Function).ToList();
        if (innermost.TrueForAll(f => f.IsUnused)) return "never instantiated";
        return innermost.TrueForAll(f => f.Count == 0) ? "function never called" : "not run";
    }

    /// <summary>Of a line that ran; null if all of it did.</summary>
    public string? Partial(int line)
    {
        var parts = new List<string>();
        var outcomes = branches[line].ToList();
        for (var i = 0; i < outcomes.Count; i++)
        {
            var which = outcomes.Count == 1 ? "condition" : $"condition {i + 1}";
            if (outcomes[i].WhenTrue == 0 && outcomes[i].WhenFalse == 0) parts.Add($"{which} never evaluated");
            else if (outcomes[i].WhenTrue == 0) parts.Add($"{which} never true");
            else if (outcomes[i].WhenFalse == 0) parts.Add($"{which} never false");
        }
        var columns = new LineSet(NotRun([.. segments[line]])).Ranges;
        if (columns.Count > 0) parts.Add($"{Listed(columns)} not run");
        return parts.Count == 0 ? null : string.Join("; ", parts);
    }

    /// <summary>Columns of regions that begin on a line and did not run.</summary>
    /// <param name="segments">Those of the line.</param>
    private static IEnumerable<(int First, int Last)> NotRun(List<Segment> segments)
    {
        for (var i = 0; i < segments.Count; i++)
        {
            if (!IsMissing(segments[i]) || !segments[i].IsRegionEntry) continue;
            var first = segments[i].Column;
            while (i + 1 < segments.Count && IsMissing(segments[i + 1])) i++;
            yield return (first, i + 1 < segments.Count ? segments[i + 1].Column - 1 : int.MaxValue);
        }
    }

    private static bool IsMissing(Segment segment) => segment is { HasCount: true, IsGap: false, Count: 0 };

    /// <summary><c>columns 3-7, 9 and 12 to the end</c>.</summary>
    private static string Listed(IReadOnlyList<(int First, int Last)> columns)
    {
        var ranges = columns.Select(c => c.Last == int.MaxValue ? $"{c.First} to the end" : c.First == c.Last ? $"{c.First}" : $"{c.First}-{c.Last}").ToList();
        var isOne = columns is [var only] && (only.First == only.Last || only.Last == int.MaxValue);
        return $"{(isOne ? "column" : "columns")} {string.Join(", ", ranges.SkipLast(1))}{(ranges.Count > 1 ? " and " : "")}{ranges[^1]}";
    }

    internal static List<(int First, int Last, FunctionCoverage Function)> Extents(IEnumerable<FunctionCoverage> functions, string path)
    {
        var found = new List<(int, int, FunctionCoverage)>();
        foreach (var function in functions)
        {
            var own = function.Regions.Where(r => r.Kind == RegionKind.Code && function.Files[r.File] == path).ToList();
            if (own.Count > 0) found.Add((own.Min(r => r.StartLine), own.Max(r => r.EndLine), function));
        }
        return found;
    }
}
