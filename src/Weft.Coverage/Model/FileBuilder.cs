namespace Weft.Coverage.Model;

/// <summary>Collects what functions have in a file: LLVM's CoverageMapping::getCoverageForFile, and its relatives for functions and expansions.</summary>
internal static class FileBuilder
{
    public static FileCoverage Build(string path, IEnumerable<FunctionCoverage> functions)
    {
        var segments = new SegmentBuilder();
        var branches = new List<CountedRegion>();
        var decisions = new List<Decision>();
        var expansions = new List<Expansion>();
        foreach (var function in functions)
        {
            var isDefinedHere = function.MainFile >= 0 && function.Files[function.MainFile] == path;
            foreach (ref readonly var region in function.Regions.AsSpan())
            {
                if (function.Files[region.File] != path) continue;
                segments.Add(region);
                if (isDefinedHere && region.Kind == RegionKind.Expansion && region.File == function.MainFile) expansions.Add(new Expansion(function, region));
            }
            foreach (ref readonly var branch in function.Branches.AsSpan())
                if (function.Files[branch.File] == path) branches.Add(branch);
            foreach (var decision in function.Decisions)
                if (function.Files[decision.Region.File] == path) decisions.Add(decision);
        }
        return new FileCoverage(path, segments.Build(), branches, decisions, expansions);
    }

    /// <summary>Branches in what was expanded and in all expansions within it, the innermost first.</summary>
    public static List<CountedRegion> NestedBranches(Expansion expansion)
    {
        var branches = new List<CountedRegion>();
        var visit = new NestedExpansions(expansion.Function);
        visit.Walk(expansion.Region, (branch, _) => branches.Add(branch));
        return branches;
    }
}

/// <summary>Goes through the branches of expansions within expansions.</summary>
internal readonly struct NestedExpansions(FunctionCoverage function)
{
    private readonly List<ulong> path = [];

    /// <param name="expansion">Where to begin.</param>
    /// <param name="visit">Gets each branch, and the places of the expansions that lead to it, the outermost first.</param>
    public void Walk(in CountedRegion expansion, Action<CountedRegion, IReadOnlyList<ulong>> visit)
    {
        path.Add(expansion.Start);
        foreach (var inner in function.Regions)
            if (inner.File == expansion.ExpandedFile && inner.Kind == RegionKind.Expansion) Walk(inner, visit);
        foreach (var branch in function.Branches)
            if (branch.File == expansion.ExpandedFile) visit(branch, path);
        path.RemoveAt(path.Count - 1);
    }
}
