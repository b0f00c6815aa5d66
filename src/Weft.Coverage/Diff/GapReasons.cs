using Weft.Coverage.Export;
using Weft.Coverage.Model;

namespace Weft.Coverage.Diff;

/// <summary>Says why lines of a file did not run.</summary>
internal sealed class GapReasons(IEnumerable<FunctionCoverage> functions, FileCoverage file)
{
    private readonly List<(int First, int Last, FunctionCoverage Function)> extents = Extents(functions, file.Path);
    private readonly ILookup<int, (int Line, ulong WhenTrue, ulong WhenFalse)> branches = BranchTotals.Of(file).ToLookup(b => b.Line);
    private readonly ILookup<int, Segment> segments = file.Segments.Where(s => s is { HasCount: true, IsRegionEntry: true, IsGap: false, Count: 0 }).ToLookup(s => s.Line);

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
        var columns = segments[line].Select(s => s.Column).Distinct().ToList();
        if (columns.Count > 0) parts.Add($"not run from column {string.Join(", ", columns)}");
        return parts.Count == 0 ? null : string.Join("; ", parts);
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
