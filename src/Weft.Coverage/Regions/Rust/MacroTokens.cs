using System.Text;
using System.Text.RegularExpressions;

namespace Weft.Coverage.Regions.Rust;

/// <summary>The tokens of a stretch of Rust, punctuation one character at a time but for <c>=></c>.</summary>
internal sealed partial class MacroTokens
{
    private readonly List<(string Text, Span Span)> tokens = [];

    public MacroTokens(byte[] text, Span stretch)
    {
        // One character for each byte, so that offsets are the text's.
        var characters = Encoding.Latin1.GetString(text, stretch.Low, stretch.High - stretch.Low);
        foreach (Match match in Token().Matches(characters))
            if (!match.Groups["none"].Success)
                tokens.Add((Encoding.UTF8.GetString(text, stretch.Low + match.Index, match.Length), new Span(stretch.Low + match.Index, stretch.Low + match.Index + match.Length)));
    }

    public int Count => tokens.Count;

    /// <summary>A token's text; empty behind the last.</summary>
    public string this[int index] => index < tokens.Count ? tokens[index].Text : "";

    public Span SpanOf(int first, int end) => tokens[first].Span.To(tokens[end - 1].Span);

    /// <summary>Whether nothing is between a token and the next.</summary>
    public bool Touches(int index) => tokens[index].Span.High == tokens[index + 1].Span.Low;

    /// <summary>Behind a token, or the group that it opens.</summary>
    public int Behind(int index)
    {
        var depth = 0;
        do
        {
            if (this[index] is "(" or "[" or "{") depth++;
            else if (this[index] is ")" or "]" or "}") depth--;
            index++;
        }
        while (depth > 0 && index < tokens.Count);
        return index;
    }

    /// <summary>Behind the fragment that begins at a token; there itself if there is none.</summary>
    public int EndOf(string fragment, int at)
    {
        if (at >= tokens.Count || this[at] is ")" or "]" or "}") return at;
        switch (fragment)
        {
            case "ident": return char.IsLetter(this[at][0]) || this[at][0] == '_' ? at + 1 : at;
            case "lifetime": return this[at][0] == '\'' ? at + 1 : at;
            case "literal": return this[at] == "-" ? Math.Min(at + 2, tokens.Count) : at + 1;
            case "block": return this[at] == "{" ? Behind(at) : at;
            case "tt": return Behind(at);
        }
        while (at < tokens.Count && !Ends(fragment, this[at])) at = Behind(at);
        return at;
    }

    // What may follow a fragment, by the language's reference.
    private static bool Ends(string fragment, string token) => token is "," or "=>" || fragment switch
    {
        "expr" or "stmt" => token is ";",
        "ty" or "path" => token is ";" or "=" or "{" or "|" or "as" or "where",
        "pat" or "pat_param" => token is "=" or "if" or "in" || fragment == "pat_param" && token == "|",
        _ => false,
    };

    [GeneratedRegex("""(?<none>\s+|//[^\n]*|/\*.*?\*/)|b?r?#*"(?:[^"\\]|\\.)*"#*|b?'(?:[^'\\]|\\[^']+|\\')'|'?[\w]+(?:\.\d+)?|=>|.""", RegexOptions.Singleline)]
    private static partial Regex Token();
}
