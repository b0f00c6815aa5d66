namespace Weft.Core;

/// <summary>What somebody may have meant.</summary>
public static class Spelling
{
    /// <summary>How many edits lead from one to the other (Levenshtein's distance); null if more than a third of the text, which is not a slip any more.</summary>
    public static int? Slips(string text, string candidate)
    {
        var most = Math.Max(1, text.Length / 3);
        if (Math.Abs(text.Length - candidate.Length) > most) return null;
        var distance = Distance(text, candidate);
        return distance <= most ? distance : null;
    }

    /// <summary>The candidate that fewest slips lead to, or null.</summary>
    public static string? Nearest(string text, IEnumerable<string> candidates) =>
        candidates.Select(c => (Name: c, Slips: Slips(text, c))).Where(c => c.Slips != null).OrderBy(c => c.Slips).FirstOrDefault().Name;

    private static int Distance(string a, string b)
    {
        var row = Enumerable.Range(0, b.Length + 1).ToArray();
        for (var i = 1; i <= a.Length; i++)
        {
            var diagonal = row[0];
            row[0] = i;
            for (var j = 1; j <= b.Length; j++)
                (diagonal, row[j]) = (row[j], Math.Min(Math.Min(row[j], row[j - 1]) + 1, diagonal + (a[i - 1] == b[j - 1] ? 0 : 1)));
        }
        return row[^1];
    }
}
