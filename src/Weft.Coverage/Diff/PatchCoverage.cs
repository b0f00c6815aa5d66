using Weft.Coverage.Model;

namespace Weft.Coverage.Diff;

/// <summary>Why a changed line, or a part of it, is not covered.</summary>
/// <param name="Lines">Lines behind each other, of the same reason.</param>
/// <param name="Why">A few words.</param>
/// <param name="IsPartial">Whether the line ran, but not all that is on it.</param>
public sealed record PatchGap((int First, int Last) Lines, string Why, bool IsPartial);

/// <summary>A file of a patch that has coverage.</summary>
/// <param name="Path">As coverage has it.</param>
/// <param name="Lines">Changed lines with code, and those of them that ran.</param>
/// <param name="Gaps">By line.</param>
public sealed record PatchedFileCoverage(string Path, Ratio Lines, IReadOnlyList<PatchGap> Gaps);

/// <summary>What ran of the lines that a patch touches.</summary>
/// <param name="Files">Those with changed lines that have code.</param>
/// <param name="Unknown">Paths in the patch that coverage does not know: texts, other languages, files that are not built.</param>
public sealed record PatchCoverage(IReadOnlyList<PatchedFileCoverage> Files, IReadOnlyList<string> Unknown)
{
    public Ratio Total => Files.Aggregate(default(Ratio), (sum, f) => sum + f.Lines);

    /// <param name="patch">The changes.</param>
    /// <param name="root">The folder that its paths are relative to.</param>
    /// <param name="data">What ran.</param>
    /// <param name="files">Those of its files that are wanted.</param>
    public static PatchCoverage Of(IReadOnlyList<PatchedFile> patch, string root, CoverageData data, IReadOnlyList<string> files)
    {
        var found = new List<PatchedFileCoverage>();
        var unknown = new List<string>();
        foreach (var changed in patch)
        {
            if (Find(changed.Path, root, files) is not { } path) unknown.Add(changed.Path);
            else if (Of(path, changed.Lines, data) is { Lines.Count: > 0 } file) found.Add(file);
        }
        return new PatchCoverage(found, unknown);
    }

    /// <summary>The file of that path; or the only one that ends in it, when sources were elsewhere at the build.</summary>
    internal static string? Find(string path, string root, IReadOnlyCollection<string> files)
    {
        var full = Path.GetFullPath(Path.Combine(root, path));
        if (files.Contains(full)) return full;
        var ending = files.Where(f => f.EndsWith("/" + path, StringComparison.Ordinal)).Take(2).ToList();
        return ending.Count == 1 && !File.Exists(full) ? ending[0] : null;
    }

    private static PatchedFileCoverage Of(string path, IReadOnlyList<int> changed, CoverageData data)
    {
        var file = data.File(path);
        var lines = file.Lines.ToDictionary(l => l.Line, l => l.Count);
        var reasons = new GapReasons(data.FunctionsOf(path), file);
        var ratio = new Ratio();
        var gaps = new List<PatchGap>();
        foreach (var line in changed)
        {
            if (!lines.TryGetValue(line, out var count)) continue;
            ratio += new Ratio(1, count > 0 ? 1 : 0);
            if ((count > 0 ? reasons.Partial(line) : reasons.Missing(line)) is { } why) Add(gaps, new PatchGap((line, line), why, count > 0));
        }
        return new PatchedFileCoverage(path, ratio, gaps);
    }

    private static void Add(List<PatchGap> gaps, PatchGap gap)
    {
        if (gaps.Count > 0 && !gap.IsPartial && gaps[^1] is { IsPartial: false } last && last.Why == gap.Why && last.Lines.Last + 1 == gap.Lines.First) gaps[^1] = gap with { Lines = (last.Lines.First, gap.Lines.Last) };
        else gaps.Add(gap);
    }
}
