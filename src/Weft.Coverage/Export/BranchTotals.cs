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
        var branches = Collect(file);
        branches.Sort(ComparePaths);
        for (var i = 0; i < branches.Count; i++)
        {
            var branch = branches[i];
            if (i == 0 || ComparePaths(branches[i - 1], branch) != 0) totals.Add(((int)(branch.Place >> 32), branch.WhenTrue, branch.WhenFalse));
            else totals[^1] = totals[^1] with { WhenTrue = totals[^1].WhenTrue + branch.WhenTrue, WhenFalse = totals[^1].WhenFalse + branch.WhenFalse };
        }
        return totals;
    }

    private static List<Branch> Collect(FileCoverage file)
    {
        var branches = new List<Branch>(file.Branches.Count);
        foreach (var branch in file.Branches)
            if (!branch.IsFolded) branches.Add(new Branch(branch.Start, [], branch.Count, branch.FalseCount));
        foreach (var expansion in file.Expansions)
            new NestedExpansions(expansion.Function).Walk(expansion.Region, (branch, path) =>
            {
                if (!branch.IsFolded) branches.Add(new Branch(path[0], [.. path.Skip(1)], branch.Count, branch.FalseCount));
            });
        return branches;
    }

    private static int ComparePaths(Branch a, Branch b) => a.Place != b.Place ? a.Place.CompareTo(b.Place) : a.Within.AsSpan().SequenceCompareTo(b.Within);

    /// <param name="Place">In the file: its own, or that of the macro it is in.</param>
    /// <param name="Within">Places of the macros within that macro which lead to it.</param>
    /// <param name="WhenTrue">How often.</param>
    /// <param name="WhenFalse">How often.</param>
    private readonly record struct Branch(ulong Place, ulong[] Within, ulong WhenTrue, ulong WhenFalse);
}
