using System.Text;

namespace Weft.Coverage.Page;

/// <summary>What the names of instantiations have in common: <c>pick</c> of <c>int pick&lt;int&gt;(int, int)</c> and <c>double pick&lt;double&gt;(double, double)</c>.</summary>
internal static class GenericName
{
    public static string Of(IReadOnlyList<string> names)
    {
        if (names.Count == 1) return names[0];
        var plain = names.Select(WithoutArguments).ToList();
        if (AllSame(plain)) return plain[0];
        plain = [.. plain.Select(WithoutSignature)];
        return AllSame(plain) ? plain[0] : names[0];
    }

    private static bool AllSame(List<string> names) => names.TrueForAll(n => n == names[0]);

    /// <summary>Leaves out arguments of templates and generics, but not what a name begins with: <c>&lt;T as Trait&gt;::f</c>.</summary>
    private static string WithoutArguments(string name)
    {
        var result = new StringBuilder();
        for (var i = 0; i < name.Length; i++)
        {
            if (name[i] == '<' && End(name, i) is var end and > 0 && IsArguments(result))
            {
                if (result[^1] == ':') result.Length -= 2;
                i = end;
                continue;
            }
            result.Append(name[i]);
        }
        return result.ToString();
    }

    private static bool IsArguments(StringBuilder before)
    {
        var text = before.ToString();
        return !text.EndsWith("operator", StringComparison.Ordinal) && text.Length > 0 && (char.IsLetterOrDigit(text[^1]) || text[^1] is '_' or '}' || text.EndsWith("::", StringComparison.Ordinal));
    }

    /// <summary>Where the bracket at <paramref name="start"/> is closed; 0 if it is not.</summary>
    private static int End(string name, int start)
    {
        var depth = 0;
        for (var i = start; i < name.Length; i++)
        {
            if (name[i] == '<') depth++;
            else if (name[i] == '>' && name[i - 1] is not ('-' or '=') && --depth == 0) return i;
        }
        return 0;
    }

    /// <summary>Leaves out what C++ has before and behind the name.</summary>
    private static string WithoutSignature(string name)
    {
        var parameters = name.IndexOf('(');
        if (parameters <= 0) return name;
        var result = name.LastIndexOf(' ', parameters);
        return name[(result + 1)..parameters];
    }
}
