namespace Weft.Coverage.Model;

/// <summary>Sums for reports: LLVM's CoverageSummaryInfo.cpp.</summary>
internal static class Summaries
{
    public static CoverageSummary Of(IReadOnlyList<InstantiationGroup> groups)
    {
        var sum = new CoverageSummary();
        var segments = new SegmentBuilder();
        foreach (var group in groups) sum += Of(group, segments);
        return sum;
    }

    public static CoverageSummary Of(InstantiationGroup group, SegmentBuilder segments)
    {
        var best = new CoverageSummary();
        var run = 0;
        foreach (var function in group.Functions)
        {
            best = Best(best, Of(function, segments));
            if (function.Count > 0) run++;
        }
        return best with { Functions = new Ratio(1, run > 0 ? 1 : 0), Instantiations = new Ratio(group.Functions.Count, run) };
    }

    /// <summary>Of one instantiation, without counting it.</summary>
    private static CoverageSummary Of(FunctionCoverage function, SegmentBuilder segments) => new(
        Lines(function, segments), default, default, Regions(function), Branches(function), Mcdc(function));

    private static CoverageSummary Best(CoverageSummary a, CoverageSummary b) => new(
        Ratio.Best(a.Lines, b.Lines), default, default, Ratio.Best(a.Regions, b.Regions), Ratio.Best(a.Branches, b.Branches), Ratio.Best(a.Mcdc, b.Mcdc));

    /// <summary>Those of the function's own file.</summary>
    private static Ratio Lines(FunctionCoverage function, SegmentBuilder segments)
    {
        foreach (ref readonly var region in function.Regions.AsSpan())
            if (region.File == function.MainFile) segments.Add(region);
        return LineCounts.Sum(segments.BuildShared());
    }

    private static Ratio Regions(FunctionCoverage function)
    {
        var (count, covered) = (0, 0);
        foreach (ref readonly var region in function.Regions.AsSpan())
        {
            if (region.Kind != RegionKind.Code) continue;
            count++;
            if (region.Count > 0) covered++;
        }
        return new Ratio(count, covered);
    }

    /// <summary>Those in the file of the function, and in what is expanded there.</summary>
    private static Ratio Branches(FunctionCoverage function)
    {
        if (function.Branches.Length == 0) return default;
        var isPart = PartsOf(function);
        var (count, covered) = (0, 0);
        foreach (ref readonly var branch in function.Branches.AsSpan())
        {
            if (!isPart[branch.File]) continue;
            if (!branch.IsNeverTrue) (count, covered) = (count + 1, covered + (branch.Count > 0 ? 1 : 0));
            if (!branch.IsNeverFalse) (count, covered) = (count + 1, covered + (branch.FalseCount > 0 ? 1 : 0));
        }
        return new Ratio(count, covered);
    }

    /// <summary>By file, whether expansions lead there from the function's own.</summary>
    private static bool[] PartsOf(FunctionCoverage function)
    {
        var isPart = new bool[function.Files.Length];
        if (function.MainFile < 0) return isPart;
        isPart[function.MainFile] = true;
        if (isPart.Length == 1) return isPart;
        var within = new List<int>[isPart.Length];
        foreach (ref readonly var region in function.Regions.AsSpan())
            if (region.Kind == RegionKind.Expansion) (within[region.File] ??= []).Add(region.ExpandedFile);
        var queue = new Queue<int>([function.MainFile]);
        while (queue.TryDequeue(out var file))
            foreach (var inner in within[file] ?? [])
            {
                isPart[inner] = true;
                queue.Enqueue(inner);
            }
        return isPart;
    }

    private static Ratio Mcdc(FunctionCoverage function)
    {
        var (count, covered) = (0, 0);
        foreach (var decision in function.Decisions)
        {
            if (decision.Region.File != function.MainFile) continue;
            foreach (var condition in decision.Conditions)
            {
                if (condition.IsFolded) continue;
                count++;
                if (condition.Pair != null) covered++;
            }
        }
        return new Ratio(count, covered);
    }
}
