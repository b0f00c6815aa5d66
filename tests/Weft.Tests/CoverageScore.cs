using System.Text;

namespace Weft.Tests;

/// <summary>A region with a number for its count, ours or the front end's.</summary>
internal readonly record struct CountedRegion(int Kind, int File, int Line, int Column, int EndLine, int EndColumn, long Count, long FalseCount);

/// <summary>How much of the front end's coverage ours agrees with: a region or line has the same place and the same count, or not.</summary>
internal sealed class CoverageScore
{
    public int Regions { get; private set; }

    public int EqualRegions { get; private set; }

    public int Lines { get; private set; }

    public int EqualLines { get; private set; }

    /// <summary>Regions that the front end does not have.</summary>
    public int Extra { get; private set; }

    /// <summary>One line for each difference.</summary>
    public StringBuilder Differences { get; } = new();

    public void Add(CoverageScore other)
    {
        (Regions, EqualRegions, Lines, EqualLines, Extra) = (Regions + other.Regions, EqualRegions + other.EqualRegions, Lines + other.Lines, EqualLines + other.EqualLines, Extra + other.Extra);
        Differences.Append(other.Differences);
    }

    public void Compare(string function, IReadOnlyList<CountedRegion> expected, IReadOnlyList<CountedRegion> actual)
    {
        var left = actual.GroupBy(r => r).ToDictionary(g => g.Key, g => g.Count());
        foreach (var region in expected)
        {
            Regions++;
            if (left.GetValueOrDefault(region) > 0)
            {
                left[region]--;
                EqualRegions++;
            }
            else
            {
                Differences.AppendLine($"  {function} lacks {region}");
            }
        }
        Extra += left.Values.Sum();
        foreach (var (region, count) in left) if (count > 0) Differences.AppendLine($"  {function} has {region}");
        CompareLines(LineCounts(expected), LineCounts(actual));
    }

    public override string ToString() => $"regions {EqualRegions}/{Regions}, lines {EqualLines}/{Lines}, {Extra} more";

    private void CompareLines(Dictionary<(int, int), long> expected, Dictionary<(int, int), long> actual)
    {
        Lines += expected.Count;
        EqualLines += expected.Count(e => actual.TryGetValue(e.Key, out var count) && count == e.Value);
    }

    /// <summary>The count of each line: the highest of the regions that begin on it and of the innermost that goes on from before.</summary>
    private static Dictionary<(int File, int Line), long> LineCounts(IReadOnlyList<CountedRegion> regions)
    {
        var lines = new Dictionary<(int, int), long>();
        foreach (var file in regions.Where(r => r.Kind is 0 or 3).GroupBy(r => r.File))
        {
            for (var line = file.Min(r => r.Line); line <= file.Max(r => r.EndLine); line++)
            {
                var around = file.Where(r => r.Line < line && (r.EndLine, r.EndColumn).CompareTo((line, 1)) > 0).OrderBy(r => (r.Line, r.Column)).ThenByDescending(r => (r.EndLine, r.EndColumn)).LastOrDefault();
                var begun = file.Where(r => r.Line == line && r.Kind == 0).Select(r => r.Count).ToList();
                if (around != default) begun.Add(around.Count);
                if (begun.Count > 0) lines[(file.Key, line)] = begun.Max();
            }
        }
        return lines;
    }

    public static List<CountedRegion> Counted(ReferenceFunction function) =>
        [.. function.Regions.Select(r => new CountedRegion(r.Kind, r.File, r.Line, r.Column, r.EndLine, r.EndColumn, r.Kind is 1 or 2 ? 0 : r.Count, r.FalseCount))];
}
