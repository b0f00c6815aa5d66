using Weft.Coverage.Model;
using Weft.Coverage.Sources;

namespace Weft.Coverage.Exclusions;

/// <summary>
/// Takes out of coverage what comments exclude, before anything is summed up or shown: all reports and limits agree. Functions,
/// regions and conditions that are wholly on excluded lines are gone; what goes on outside begins behind them; and the lines
/// themselves become skipped, as the preprocessor skips lines.
/// </summary>
public sealed class Exclusion
{
    private readonly Dictionary<string, ExcludedLines> files;

    private Exclusion(Dictionary<string, ExcludedLines> files) => this.files = files;

    /// <summary>Markers that do not go in pairs: a sentence each, with file and line.</summary>
    public IEnumerable<string> Problems => files.OrderBy(f => f.Key, StringComparer.Ordinal).SelectMany(f => f.Value.Problems.Select(p => $"{f.Key}:{p.Line}: {p.What}"));

    /// <param name="paths">Source files; those that are not there exclude nothing.</param>
    /// <param name="sources">To read them.</param>
    public static Exclusion Find(IEnumerable<string> paths, SourceTexts sources) => new(paths.AsParallel()
        .Select(path => (path, Lines: sources.Find(path) is { } text ? Markers.Find(text, path.EndsWith(".rs", StringComparison.Ordinal)) : null))
        .Where(f => f.Lines != null).ToDictionary(f => f.path, f => f.Lines!));

    public CoverageData Apply(CoverageData data) => files.Count == 0 ? data : data.Select(Apply);

    private FunctionCoverage? Apply(FunctionCoverage function)
    {
        var excluded = Array.ConvertAll(function.Files, f => files.GetValueOrDefault(f));
        if (Array.TrueForAll(excluded, e => e == null)) return function;
        var isGone = Expanded(function, excluded);
        var kept = function.Regions.Where(r => !isGone[r.File] && !IsInside(r, excluded)).Select(r => Clip(r, excluded)).ToList();
        if (function.MainFile >= 0 ? !kept.Exists(r => r.File == function.MainFile) : kept.Count == 0) return null;
        AddSkipped(kept, excluded);
        return function with
        {
            Regions = [.. kept],
            Branches = Array.FindAll(function.Branches, b => !isGone[b.File] && !Excludes(excluded[b.File], b.StartLine)),
            Decisions = Array.FindAll(function.Decisions, d => !isGone[d.Region.File] && !Excludes(excluded[d.Region.File], d.Region.StartLine)),
        };
    }

    /// <summary>By file, whether it is what a macro on an excluded line became.</summary>
    private static bool[] Expanded(FunctionCoverage function, ExcludedLines?[] excluded)
    {
        var isGone = new bool[function.Files.Length];
        for (var changed = true; changed;)
        {
            changed = false;
            foreach (ref readonly var region in function.Regions.AsSpan())
            {
                if (region.Kind != RegionKind.Expansion || isGone[region.ExpandedFile] || !(isGone[region.File] || IsInside(region, excluded))) continue;
                isGone[region.ExpandedFile] = changed = true;
            }
        }
        return isGone;
    }

    private static bool Excludes(ExcludedLines? file, int line) => file != null && (file.Lines.Contains(line) || file.Branches.Contains(line));

    private static bool IsInside(in CountedRegion region, ExcludedLines?[] excluded) => excluded[region.File]?.Lines.RangeOf(region.StartLine) is { } range && region.EndLine <= range.Last;

    /// <summary>A region that begins on excluded lines begins behind them.</summary>
    private static CountedRegion Clip(CountedRegion region, ExcludedLines?[] excluded) =>
        excluded[region.File]?.Lines.RangeOf(region.StartLine) is { } range ? region with { Start = CountedRegion.Place(range.Last + 1, 1) } : region;

    private static void AddSkipped(List<CountedRegion> regions, ExcludedLines?[] excluded)
    {
        for (var file = 0; file < excluded.Length; file++)
        {
            if (excluded[file] is not { } lines) continue;
            var own = regions.Where(r => r.File == file).ToList();
            if (own.Count == 0) continue;
            int first = own.Min(r => r.StartLine), last = own.Max(r => r.EndLine);
            foreach (var range in lines.Lines.Ranges)
                if (range.Last >= first && range.First <= last)
                    regions.Add(new CountedRegion(CountedRegion.Place(range.First, 1), CountedRegion.Place(range.Last, int.MaxValue), 0, 0, file, 0, RegionKind.Skipped, false, false));
        }
    }
}
