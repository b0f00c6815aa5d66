using Weft.Coverage.Model;

namespace Weft.Coverage.Sources;

/// <summary>Where sources are not those that a program was built from. Counts are right all the same; what is read from sources may not be.</summary>
public static class SourceProblems
{
    /// <param name="files">Of <paramref name="data"/>.</param>
    /// <param name="data">What was built.</param>
    /// <param name="sources">What is there now.</param>
    /// <param name="built">When the newest of the binaries was built, in UTC.</param>
    /// <param name="paths">A source that is not where it was built has a time of its own.</param>
    /// <returns>A sentence for each kind of problem.</returns>
    public static IEnumerable<string> Of(IReadOnlyList<string> files, CoverageData data, SourceTexts sources, DateTime built, PathEquivalence paths)
    {
        // The standard library's sources are where its builders had them.
        var gone = files.Where(f => sources.Find(f) == null && !f.StartsWith("/rustc/", StringComparison.Ordinal)).ToList();
        if (gone.Count > 0) yield return $"{Named(gone, "is", "are")} not there to be read: counts are complete, but text is not shown and comments that exclude code are not seen";
        var changed = files.AsParallel().AsOrdered().Where(f => sources.Find(f) is { } text && ((text.Written > built && !paths.HasMoved(f)) || text.LineCount < LastLine(data, f))).ToList();
        if (changed.Count > 0) yield return $"{Named(changed, "was", "were")} changed since the program was built: lines are those of the build, and text and comments may be out of place; build and run again";
    }

    /// <summary>For reports that show text.</summary>
    public static IEnumerable<string> OfText(IReadOnlyList<string> files, SourceTexts sources)
    {
        var other = files.Where(f => sources.Find(f) is { IsUtf8: false }).ToList();
        if (other.Count > 0) yield return $"{Named(other, "is", "are")} not in UTF-8: shown as Latin-1";
    }

    private static int LastLine(CoverageData data, string file)
    {
        var last = 0;
        foreach (var function in data.FunctionsOf(file))
            foreach (ref readonly var region in function.Regions.AsSpan())
                if (region.EndLine > last && function.Files[region.File] == file) last = region.EndLine;
        return last;
    }

    private static string Named(List<string> files, string one, string several) => files.Count == 1
        ? $"source file '{files[0]}' {one}"
        : $"source file '{files[0]}' and {files.Count - 1} {(files.Count == 2 ? "other" : "others")} {several}";
}
