using System.Globalization;

namespace Weft.Coverage.Regions.C;

/// <summary>The value of what stands behind <c>#if</c> or <c>#elif</c>. What the compiler alone knows (<c>__has_include</c>...) counts as 0.</summary>
internal sealed class DirectiveCondition
{
    private static readonly string[][] Levels = [["||"], ["&&"], ["|"], ["^"], ["&"], ["==", "!="], ["<", ">", "<=", ">="], ["<<", ">>"], ["+", "-"], ["*", "/", "%"]];

    private readonly List<Token> tokens;
    private int at;

    private DirectiveCondition(List<Token> tokens) => this.tokens = tokens;

    public static bool Holds(List<Token> line, IReadOnlyDictionary<string, Macro> macros) =>
        new DirectiveCondition(MacroExpander.Expand(macros, ReplaceDefined(line, macros))).Conditional() != 0;

    private static List<Token> ReplaceDefined(List<Token> line, IReadOnlyDictionary<string, Macro> macros)
    {
        var result = new List<Token>();
        for (var i = 0; i < line.Count; i++)
        {
            if (!line[i].Is("defined") || i + 1 >= line.Count)
            {
                result.Add(line[i]);
                continue;
            }
            var parenthesised = line[i + 1].Is("(");
            var name = parenthesised && i + 2 < line.Count ? line[i + 2] : line[i + 1];
            result.Add(line[i] with { Kind = TokenKind.Number, Text = macros.ContainsKey(name.Text) ? "1" : "0" });
            i += parenthesised ? 3 : 1;
        }
        return result;
    }

    private bool Take(string text)
    {
        if (at >= tokens.Count || !tokens[at].Is(text)) return false;
        at++;
        return true;
    }

    private long Conditional()
    {
        var condition = Binary(0);
        if (!Take("?")) return condition;
        var whenTrue = Conditional();
        Take(":");
        var whenFalse = Conditional();
        return condition != 0 ? whenTrue : whenFalse;
    }

    private long Binary(int level)
    {
        if (level == Levels.Length) return Unary();
        var left = Binary(level + 1);
        while (at < tokens.Count && Array.IndexOf(Levels[level], tokens[at].Text) >= 0)
            left = Apply(tokens[at++].Text, left, Binary(level + 1));
        return left;
    }

    private static long Apply(string operation, long left, long right) => operation switch
    {
        "||" => left != 0 || right != 0 ? 1 : 0,
        "&&" => left != 0 && right != 0 ? 1 : 0,
        "|" => left | right,
        "^" => left ^ right,
        "&" => left & right,
        "==" => left == right ? 1 : 0,
        "!=" => left != right ? 1 : 0,
        "<" => left < right ? 1 : 0,
        ">" => left > right ? 1 : 0,
        "<=" => left <= right ? 1 : 0,
        ">=" => left >= right ? 1 : 0,
        "<<" => left << (int)right,
        ">>" => left >> (int)right,
        "+" => left + right,
        "-" => left - right,
        "*" => left * right,
        "/" => right == 0 ? 0 : left / right,
        _ => right == 0 ? 0 : left % right,
    };

    private long Unary()
    {
        if (Take("!")) return Unary() == 0 ? 1 : 0;
        if (Take("-")) return -Unary();
        if (Take("+")) return Unary();
        if (Take("~")) return ~Unary();
        if (Take("("))
        {
            var value = Conditional();
            Take(")");
            return value;
        }
        if (at >= tokens.Count) return 0;
        var token = tokens[at++];
        if (token.Kind == TokenKind.Number) return Number(token.Text);
        if (token.Kind == TokenKind.Text) return Character(token.Text);
        if (Take("(")) SkipCall();
        return token.Is("true") ? 1 : 0;
    }

    /// <summary>Of a character literal; those written by number or in several characters count as 1.</summary>
    internal static long Character(string text) => text.Length == 3 ? text[1] : text switch
    {
        "'\\0'" => 0,
        "'\\n'" => '\n',
        "'\\t'" => '\t',
        "'\\r'" => '\r',
        "'\\\\'" => '\\',
        "'\\''" => '\'',
        _ => 1,
    };

    private void SkipCall()
    {
        for (var depth = 1; depth > 0 && at < tokens.Count; at++)
            if (tokens[at].Is("(")) depth++;
            else if (tokens[at].Is(")")) depth--;
    }

    internal static long Number(string text)
    {
        var digits = text.Replace("'", "").TrimEnd('u', 'U', 'l', 'L', 'z', 'Z');
        try
        {
            if (digits.StartsWith("0x", StringComparison.OrdinalIgnoreCase)) return (long)ulong.Parse(digits.AsSpan(2), NumberStyles.HexNumber);
            if (digits.StartsWith("0b", StringComparison.OrdinalIgnoreCase)) return Convert.ToInt64(digits[2..], 2);
            if (digits is ['0', _, ..]) return Convert.ToInt64(digits, 8);
            return (long)ulong.Parse(digits);
        }
        catch (Exception e) when (e is FormatException or OverflowException)
        {
            return 0;
        }
    }
}
