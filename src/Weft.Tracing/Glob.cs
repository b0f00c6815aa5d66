namespace Weft.Tracing;

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

/// <summary>
/// A file in the format of clang's <c>-fxray-attr-list=</c>: sections <c>[always]</c> and <c>[never]</c>, globs joined by
/// <c>[a|b]</c>, lines <c>fun:GLOB</c> (symbol or demangled name) and <c>src:GLOB</c> (source file), <c>#</c> comments. A
/// category (<c>=arg1</c>) is allowed and means nothing here, since arguments are recorded by their types.
/// </summary>
internal sealed class AttributeList
{
    private readonly List<(bool Always, bool IsSource, Glob Glob)> rules = [];

    public static AttributeList Parse(string text)
    {
        var list = new AttributeList();
        bool always = false, never = false;
        var number = 0;
        foreach (var raw in text.Split('\n'))
        {
            number++;
            var line = raw.Trim();
            if (line.Length == 0 || line[0] == '#') continue;
            if (line[0] == '[' && line[^1] == ']')
            {
                var names = line[1..^1].Split('|');
                (always, never) = (names.Contains("always"), names.Contains("never"));
                continue;
            }
            var colon = line.IndexOf(':');
            var kind = colon < 0 ? "" : line[..colon];
            if (kind is not ("fun" or "src"))
                throw Core.WeftException.Usage($"--tracing-attr-list, line {number}: '{line}' is neither fun:GLOB nor src:GLOB", "the format is that of clang's -fxray-attr-list=");
            var glob = line[(colon + 1)..];
            if (kind == "fun" && glob.LastIndexOf('=') is var category and > 0) glob = glob[..category];
            if (always || never) list.rules.Add((always, kind == "src", new Glob(glob)));
        }
        return list;
    }

    /// <summary>Null when no rule fits; <c>[never]</c> wins.</summary>
    public bool? Decide(string symbol, string name, string source)
    {
        bool? decision = null;
        foreach (var (always, isSource, glob) in rules)
            if (isSource ? glob.Matches(source) : glob.Matches(symbol) || glob.Matches(name))
                decision = always && decision != false;
        return decision;
    }
}
