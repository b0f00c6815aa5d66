using System.Text;

namespace Weft.Cli.Ci;

/// <summary>
/// The part of TOML that a handful of settings needs, strictly: <c>key = "text"</c> or <c>'text'</c>, a list of those
/// (what cargo-compiler-interrupts wrote), and comments. Anything else is an error with its line.
/// </summary>
internal sealed class SettingsFile
{
    private readonly string text;
    private int at;

    private SettingsFile(string text) => this.text = text;

    /// <summary>Throws <see cref="FormatException"/> with the line in its message. A list becomes one text with spaces between.</summary>
    public static IReadOnlyDictionary<string, string> Parse(string text) => new SettingsFile(text).Settings();

    public static string Write(string comment, IEnumerable<(string Key, string Value)> settings) =>
        string.Concat(settings.Select(s => $"{s.Key} = {Quote(s.Value)}\n").Prepend(string.Concat(comment.Split('\n').Select(l => $"# {l}\n"))));

    private Dictionary<string, string> Settings()
    {
        var settings = new Dictionary<string, string>();
        for (SkipBlank(); at < text.Length; SkipBlank())
        {
            var key = Key();
            SkipSpaces();
            Expect('=', $"'=' after '{key}'");
            SkipSpaces();
            if (!settings.TryAdd(key, Value())) throw Wrong($"'{key}' is there twice");
            SkipSpaces();
            SkipComment();
            if (at < text.Length) Expect('\n', "the end of the line");
        }
        return settings;
    }

    private string Key()
    {
        var start = at;
        while (at < text.Length && (char.IsAsciiLetterOrDigit(text[at]) || text[at] is '_' or '-')) at++;
        return at > start ? text[start..at] : throw Wrong("this is no key = \"value\"");
    }

    private string Value() => Peek() == '[' ? string.Join(' ', List()) : Text();

    private List<string> List()
    {
        var list = new List<string>();
        at++;
        for (SkipBlank(); Peek() != ']'; SkipBlank())
        {
            list.Add(Text());
            SkipBlank();
            if (Peek() != ']') Expect(',', "',' or ']'");
        }
        at++;
        return list;
    }

    private string Text()
    {
        var quote = Peek();
        if (quote is not ('"' or '\'')) throw Wrong("the value is not in quotes");
        at++;
        var value = new StringBuilder();
        for (; Peek() != quote; at++)
        {
            if (Peek() is '\0' or '\n') throw Wrong("the value has no closing quote");
            if (char.IsControl(Peek()) && Peek() != '\t') throw Wrong("a control character in a value");
            value.Append(quote == '"' && Peek() == '\\' ? Escaped() : Peek());
        }
        at++;
        return value.ToString();
    }

    private char Escaped()
    {
        at++;
        switch (Peek())
        {
            case '"' or '\\': return Peek();
            case 't': return '\t';
            case 'n': return '\n';
            case 'u' when at + 4 < text.Length && int.TryParse(text.AsSpan(at + 1, 4), System.Globalization.NumberStyles.AllowHexSpecifier, null, out var code):
                at += 4;
                return (char)code;
            default: throw Wrong($"'\\{Peek()}' is no escape");
        }
    }

    private char Peek() => at < text.Length ? text[at] : '\0';

    private void Expect(char wanted, string what)
    {
        if (Peek() != wanted) throw Wrong($"{what} is missing");
        at++;
    }

    private void SkipSpaces()
    {
        while (Peek() is ' ' or '\t' or '\r') at++;
    }

    private void SkipComment()
    {
        if (Peek() == '#') at = text.IndexOf('\n', at) is var end and >= 0 ? end : text.Length;
    }

    private void SkipBlank()
    {
        for (; at < text.Length; at++)
        {
            SkipSpaces();
            SkipComment();
            if (Peek() != '\n') return;
        }
    }

    private FormatException Wrong(string what) => new($"line {text.AsSpan(0, Math.Min(at, text.Length)).Count('\n') + 1}: {what}");

    private static string Quote(string value)
    {
        var quoted = new StringBuilder("\"");
        foreach (var c in value)
            quoted.Append(c switch { '"' => "\\\"", '\\' => "\\\\", '\t' => "\\t", '\n' => "\\n", _ when char.IsControl(c) => $"\\u{(int)c:X4}", _ => c.ToString() });
        return quoted.Append('"').ToString();
    }
}
