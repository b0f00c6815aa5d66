namespace Weft.Coverage.Compare;

/// <summary>Which file of one build is which of another, that may have been made in another folder.</summary>
internal static class FilePairs
{
    /// <summary>First those of the same path; then those of the same name, of which most folders are the same too.</summary>
    public static List<(string? Old, string? New)> Of(IReadOnlyList<string> before, IReadOnlyList<string> after)
    {
        var pairs = before.Intersect(after).Select(f => ((string?)f, (string?)f)).ToList();
        var left = after.Except(before).ToHashSet();
        foreach (var old in before.Except(after).OrderByDescending(f => left.Select(n => CommonEnd(f, n)).DefaultIfEmpty().Max()))
        {
            var best = Best(old, left);
            if (best != null) left.Remove(best);
            pairs.Add((old, best));
        }
        pairs.AddRange(left.Select(f => ((string?)null, (string?)f)));
        return [.. pairs.OrderBy(p => p.Item2 ?? p.Item1, StringComparer.Ordinal)];
    }

    /// <summary>Null if there is none, or no single best one.</summary>
    private static string? Best(string old, HashSet<string> candidates)
    {
        var ranked = candidates.Select(c => (File: c, Common: CommonEnd(old, c))).Where(c => c.Common > 0).OrderByDescending(c => c.Common).Take(2).ToList();
        return ranked.Count == 1 || (ranked.Count == 2 && ranked[0].Common > ranked[1].Common) ? ranked[0].File : null;
    }

    /// <summary>How many names at the end of two paths are the same.</summary>
    private static int CommonEnd(string a, string b) => a.Split('/').Reverse().Zip(b.Split('/').Reverse()).TakeWhile(p => p.First == p.Second).Count();
}
