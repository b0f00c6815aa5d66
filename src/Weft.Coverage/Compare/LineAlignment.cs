using Weft.Coverage.Sources;

namespace Weft.Coverage.Compare;

/// <summary>
/// Which lines of an old source are which of a new one. Lines that both have just once are anchors, as far as they are in the same
/// order; from anchors, and from both ends, it goes on as long as lines are the same (a patience diff, one level deep).
/// </summary>
internal static class LineAlignment
{
    /// <returns>New lines by old ones, from 1; changed and removed ones are not in it.</returns>
    public static Dictionary<int, int> Of(SourceText before, SourceText after)
    {
        string[] old = Lines(before), young = Lines(after);
        var pairs = new Dictionary<int, int>();
        var start = (Old: -1, Young: -1);
        foreach (var anchor in (IEnumerable<(int Old, int Young)>)[.. Anchors(old, young), (old.Length, young.Length)])
        {
            Fill(old, young, start, anchor, pairs);
            if (anchor.Old < old.Length) pairs[anchor.Old + 1] = anchor.Young + 1;
            start = anchor;
        }
        return pairs;
    }

    private static string[] Lines(SourceText text) => [.. Enumerable.Range(1, text.LineCount).Select(text.Line)];

    /// <summary>What is between two anchors: forwards from the first, then backwards from the second.</summary>
    private static void Fill(string[] old, string[] young, (int Old, int Young) start, (int Old, int Young) end, Dictionary<int, int> pairs)
    {
        var (i, j) = (start.Old + 1, start.Young + 1);
        for (; i < end.Old && j < end.Young && old[i] == young[j]; i++, j++) pairs[i + 1] = j + 1;
        for (var (m, n) = (end.Old - 1, end.Young - 1); m >= i && n >= j && old[m] == young[n]; m--, n--) pairs[m + 1] = n + 1;
    }

    /// <summary>The longest ascending sequence of lines that are unique in both.</summary>
    private static List<(int Old, int Young)> Anchors(string[] old, string[] young)
    {
        var inYoung = Unique(young);
        var common = Unique(old).Where(l => inYoung.ContainsKey(l.Key)).Select(l => (Old: l.Value, Young: inYoung[l.Key])).OrderBy(p => p.Old).ToList();
        var ends = new List<int>(); // by length, the sequence of that length that ends lowest
        var previous = new int[common.Count];
        for (var i = 0; i < common.Count; i++)
        {
            int low = 0, high = ends.Count;
            while (low < high)
            {
                var middle = (low + high) / 2;
                if (common[ends[middle]].Young < common[i].Young) low = middle + 1;
                else high = middle;
            }
            previous[i] = low > 0 ? ends[low - 1] : -1;
            if (low == ends.Count) ends.Add(i);
            else ends[low] = i;
        }
        var anchors = new List<(int, int)>();
        for (var at = ends.Count > 0 ? ends[^1] : -1; at >= 0; at = previous[at]) anchors.Add(common[at]);
        anchors.Reverse();
        return anchors;
    }

    private static Dictionary<string, int> Unique(string[] lines)
    {
        var found = new Dictionary<string, int>();
        for (var i = 0; i < lines.Length; i++) found[lines[i]] = found.ContainsKey(lines[i]) ? -1 : i;
        return found.Where(l => l.Value >= 0).ToDictionary(l => l.Key, l => l.Value);
    }
}
