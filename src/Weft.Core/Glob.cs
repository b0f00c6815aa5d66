namespace Weft.Core;

/// <summary><c>*</c> any characters, <c>?</c> one, everything else itself.</summary>
public sealed class Glob(string pattern)
{
    /// <summary>Patterns separated by commas; a comma inside (), [], {} or &lt;&gt; belongs to its pattern.</summary>
    public static IReadOnlyList<Glob> List(string text)
    {
        var list = new List<Glob>();
        int depth = 0, start = 0;
        for (var i = 0; i <= text.Length; i++)
        {
            if (i < text.Length && "([{<".Contains(text[i])) depth++;
            else if (i < text.Length && ")]}>".Contains(text[i])) depth--;
            else if (i == text.Length || (text[i] == ',' && depth <= 0))
            {
                if (text[start..i].Trim() is { Length: > 0 } pattern) list.Add(new Glob(pattern));
                start = i + 1;
            }
        }
        return list;
    }

    public override string ToString() => pattern;

    public bool Matches(string text)
    {
        // Where the last star was, and how much of the text it has taken so far.
        int p = 0, t = 0, star = -1, taken = 0;
        while (t < text.Length)
        {
            if (p < pattern.Length && pattern[p] == '*') (star, taken) = (p++, t);
            else if (p < pattern.Length && (pattern[p] == '?' || pattern[p] == text[t])) (p, t) = (p + 1, t + 1);
            else if (star >= 0) (p, t) = (star + 1, ++taken);
            else return false;
        }
        while (p < pattern.Length && pattern[p] == '*') p++;
        return p == pattern.Length;
    }
}
