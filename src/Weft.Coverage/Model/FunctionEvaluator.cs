using Weft.Coverage.Profiles;

namespace Weft.Coverage.Model;

/// <summary>Puts counts to the regions of functions: LLVM's CoverageMapping::loadFunctionRecord.</summary>
internal static class FunctionEvaluator
{
    /// <param name="name">As in profiles.</param>
    /// <param name="map">Its regions.</param>
    /// <param name="profile">What was counted.</param>
    /// <param name="isMismatch">Whether the profile has counts for a function of that name, but of another shape.</param>
    /// <returns>Null if there is nothing to report of it.</returns>
    public static FunctionCoverage? Evaluate(string name, MappedFunction map, Profile profile, out bool isMismatch)
    {
        var counted = profile.Find(map.NameHash, map.StructuralHash);
        var isOther = counted == null && profile.Knows(map.NameHash, map.StructuralHash);
        // What is not used has no hash: another binary has the function.
        isMismatch = isOther && map.StructuralHash != 0;
        if (isOther) return null;
        var regions = map.Regions as MappedRegion[] ?? [.. map.Regions];
        var counters = new CounterEvaluator(map.Expressions as CounterExpression[] ?? [.. map.Expressions], counted?.Counts, regions);
        // Not used in this compilation, but in another, whose record tells more.
        if (regions is [{ Count.Kind: CounterKind.Zero }] && counters.First > 0) return null;
        return Evaluate(WithoutFile(name, map.Files), map, regions, counters, new McdcEvaluator(counted?.Bitmap ?? [], profile.BitmapsByCondition));
    }

    private static FunctionCoverage? Evaluate(string name, MappedFunction map, MappedRegion[] regions, CounterEvaluator counters, McdcEvaluator mcdc)
    {
        var (branchCount, decisionCount) = Kinds(regions);
        var counted = new CountedRegion[regions.Length - branchCount - decisionCount];
        var branches = new CountedRegion[branchCount];
        var (nextRegion, nextBranch) = (0, 0);
        foreach (ref readonly var region in regions.AsSpan())
        {
            if (region.Kind == RegionKind.Decision)
            {
                mcdc.Begin(region);
                continue;
            }
            if (!counters.TryEvaluate(region.Count, out var count) || !counters.TryEvaluate(region.FalseCount, out var falseCount)) return null;
            var evaluated = Counted(region, count, falseCount);
            if (evaluated.IsBranch) branches[nextBranch++] = evaluated;
            else counted[nextRegion++] = evaluated;
            if (region.Kind == RegionKind.Expansion) mcdc.AddExpansion(region);
            else if (region.Kind == RegionKind.ConditionBranch) mcdc.AddCondition(region);
        }
        var files = map.Files as string[] ?? [.. map.Files];
        return new FunctionCoverage(name, counted.Length > 0 ? counted[0].Count : 0, files, counted, branches, mcdc.Decisions, MainFile(counted, files.Length))
        {
            IsUnused = Array.TrueForAll(regions, r => r.Count.Kind == CounterKind.Zero),
        };
    }

    internal static CountedRegion Counted(in MappedRegion region, ulong count, ulong falseCount) => new(
        CountedRegion.Place(region.StartLine, region.StartColumn), CountedRegion.Place(region.EndLine, region.EndColumn), count, falseCount, region.File, region.ExpandedFile, region.Kind,
        IsNeverTrue: region.Count.Kind == CounterKind.Zero, IsNeverFalse: region.FalseCount.Kind == CounterKind.Zero);

    private static (int Branches, int Decisions) Kinds(MappedRegion[] regions)
    {
        var (branches, decisions) = (0, 0);
        foreach (ref readonly var region in regions.AsSpan())
        {
            if (region.Kind is RegionKind.Branch or RegionKind.ConditionBranch) branches++;
            else if (region.Kind == RegionKind.Decision) decisions++;
        }
        return (branches, decisions);
    }

    private static int MainFile(CountedRegion[] regions, int files)
    {
        var isExpanded = new bool[files];
        foreach (ref readonly var region in regions.AsSpan())
            if (region.Kind == RegionKind.Expansion) isExpanded[region.ExpandedFile] = true;
        return Array.IndexOf(isExpanded, false);
    }

    private static string WithoutFile(string name, IReadOnlyList<string> files) =>
        files.Count > 0 && name.Length > files[0].Length && name.StartsWith(files[0], StringComparison.Ordinal) ? name[(files[0].Length + 1)..] : name;
}
