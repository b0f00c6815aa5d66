using Weft.Coverage.Model;

namespace Weft.Coverage.Export;

/// <summary>
/// The branches of a file, and of what its macros became, each where it is used: those of one place, in several instantiations,
/// are added up. See renderBranchExecutionCounts of LLVM.
/// </summary>
internal static class BranchTotals
{
    /// <summary>In order of places.</summary>
    public static List<(int Line, ulong WhenTrue, ulong WhenFalse)> Of(FileCoverage file)
    {
        var totals = new List<(int Line, ulong WhenTrue, ulong WhenFalse)>();
        ulong[]? before = null;
        foreach (var (branch, path) in Sorted(file))
        {
            if (before != null && path.AsSpan().SequenceEqual(before))
            {
                var (line, whenTrue, whenFalse) = totals[^1];
                totals[^1] = (line, whenTrue + branch.Count, whenFalse + branch.FalseCount);
                continue;
            }
            totals.Add(((int)(path[0] >> 32), branch.Count, branch.FalseCount));
            before = path;
        }
        return totals;
    }

    private static List<(CountedRegion Branch, ulong[] Path)> Sorted(FileCoverage file)
    {
        var branches = new List<(CountedRegion Branch, ulong[] Path)>();
        foreach (var branch in file.Branches)
            if (!branch.IsFolded) branches.Add((branch, [branch.Start]));
        foreach (var expansion in file.Expansions)
            new NestedExpansions(expansion.Function).Walk(expansion.Region, (branch, path) => { if (!branch.IsFolded) branches.Add((branch, [.. path])); });
        branches.Sort((a, b) => a.Path.AsSpan().SequenceCompareTo(b.Path));
        return branches;
    }
}
