using System.IO.Enumeration;
using System.Text;
using Weft.Core;

namespace Weft.Tracing;

/// <summary>Names of functions as people give them.</summary>
public static class FunctionNames
{
    /// <summary>
    /// Without arguments, template arguments and the type of the result: <c>int ns::max&lt;int&gt;(int, int)</c> is <c>ns::max</c>
    /// and <c>&lt;Vec&lt;T&gt; as Drop&gt;::drop::&lt;u8&gt;</c> is <c>&lt;Vec&lt;T&gt; as Drop&gt;::drop</c>.
    /// </summary>
    public static string Plain(string name)
    {
        if (name.AsSpan().IndexOfAny('<', '(', ' ') < 0) return name;
        var plain = new StringBuilder(name.Length);
        for (var i = 0; i < name.Length;)
        {
            var end = EndOfGroup(name, i);
            if (IsOperator(name, i, out var word))
            {
                plain.Append(name, i, word);
                i += word;
            }
            else if (name[i] == ' ')
            {
                plain.Clear(); // what came before was the type of the result
                i++;
            }
            else if (end == i + 1 || IsPartOfName(name, i, plain.Length))
            {
                plain.Append(name, i, end - i);
                i = end;
            }
            else
            {
                if (name[i] == '(' && !name.AsSpan(end).StartsWith("::")) break; // the arguments, and " const" after them
                if (name[i] == '<' && plain.Length >= 2 && plain[^1] == ':' && plain[^2] == ':') plain.Length -= 2; // Rust's ::<T>
                i = end;
            }
        }
        return plain.Length > 0 ? plain.ToString() : name;
    }

    /// <summary>Whether a name says what the function is called with, as those of C++ do.</summary>
    public static bool HasArguments(string name) => name.EndsWith(')') || name.EndsWith(") const", StringComparison.Ordinal);

    /// <summary>Whether a pattern with <c>*</c> and <c>?</c> matches the name, the name without its arguments, or the symbol.</summary>
    public static bool Matches(string pattern, TraceFunction function) => IsMatch(pattern, function.Name) || IsMatch(pattern, Plain(function.Name)) || IsMatch(pattern, function.Symbol);

    public static bool IsMatch(string pattern, string text) => FileSystemName.MatchesSimpleExpression(pattern, text, ignoreCase: false);

    /// <summary>Up to three names that somebody may have meant by one that does not exist.</summary>
    public static IReadOnlyList<string> Similar(string text, IEnumerable<string> names)
    {
        text = text.Trim('*');
        return text.Length == 0 ? [] : [.. names.Select(Plain).Distinct().Select(n => (Name: n, Score: Unlikeness(text, n))).Where(n => n.Score != null).OrderBy(n => n.Score).ThenBy(n => n.Name.Length).ThenBy(n => n.Name, StringComparer.Ordinal).Take(3).Select(n => n.Name)];
    }

    private static int? Unlikeness(string text, string name)
    {
        var last = name[(name.LastIndexOf(':') + 1)..];
        if (string.Equals(last, text, StringComparison.OrdinalIgnoreCase)) return 0;
        var slips = Spelling.Slips(text, name) ?? Spelling.Slips(text, last);
        return slips ?? (name.Contains(text, StringComparison.OrdinalIgnoreCase) ? text.Length : null);
    }

    /// <summary>The length of "operator" with what belongs to it, spaces and brackets included.</summary>
    private static bool IsOperator(string name, int i, out int length)
    {
        const string word = "operator";
        length = 0;
        var isWord = name.AsSpan(i).StartsWith(word) && (i == 0 || !char.IsAsciiLetterOrDigit(name[i - 1]) && name[i - 1] != '_');
        var end = i + word.Length;
        if (!isWord || end >= name.Length || char.IsAsciiLetterOrDigit(name[end]) || name[end] == '_') return false;
        if (name.AsSpan(end).StartsWith("()")) end += 2;
        else
            while (end < name.Length && name[end] != '(') end++; // "operator new", "operator<<", "operator std::string"
        length = end - i;
        return true;
    }

    // A Rust "<T as Trait>" that a name begins with, "<impl Trait for T>", "(anonymous namespace)", "{closure#0}".
    private static bool IsPartOfName(string name, int i, int written) =>
        name[i] == '{' || (name[i] == '<' && (written == 0 || name.AsSpan(i).StartsWith("<impl "))) || name.AsSpan(i).StartsWith("(anonymous namespace)");

    /// <summary>Where a bracket's group ends; the next character where there is none.</summary>
    private static int EndOfGroup(string name, int start)
    {
        if (name[start] is not ('<' or '(' or '{')) return start + 1;
        var depth = 0;
        for (var i = start; i < name.Length; i++)
        {
            if (name[i] is '<' or '(' or '{') depth++;
            else if (name[i] is ')' or '}' || (name[i] == '>' && name[i - 1] != '-')) depth--;
            if (depth == 0) return i + 1;
        }
        return name.Length;
    }
}
