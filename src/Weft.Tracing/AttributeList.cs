using Weft.Core;

namespace Weft.Tracing;

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
                throw WeftException.Usage($"--tracing-attr-list, line {number}: '{line}' is neither fun:GLOB nor src:GLOB", "the format is that of clang's -fxray-attr-list=");
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
