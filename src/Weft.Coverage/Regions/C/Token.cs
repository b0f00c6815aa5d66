namespace Weft.Coverage.Regions.C;

internal enum TokenKind { Identifier, Number, Text, Punctuation, Hash }

/// <summary>A token of C or C++ as the preprocessor sees it.</summary>
/// <param name="Kind">What it is.</param>
/// <param name="Text">Its spelling, without line continuations.</param>
/// <param name="Place">Where it is.</param>
/// <param name="Length">How many bytes of source it takes.</param>
/// <param name="IsFirstOnLine">Nothing but white space stands before it.</param>
/// <param name="HasSpaceBefore">White space stands before it.</param>
/// <param name="Hidden">Macros whose expansion it came from, which must not be expanded in it again (Prosser's hide set).</param>
internal sealed record Token(TokenKind Kind, string Text, Location Place, int Length, bool IsFirstOnLine, bool HasSpaceBefore, HideSet? Hidden = null)
{
    public bool Is(string text) => Kind != TokenKind.Text && Text == text;

    public int EndOffset => Place.Offset + Length;
}

/// <summary>A persistent set of macro names.</summary>
internal sealed record HideSet(string Name, HideSet? Rest)
{
    public static bool Contains(HideSet? set, string name)
    {
        for (; set != null; set = set.Rest)
            if (set.Name == name)
                return true;
        return false;
    }

    public static HideSet? Union(HideSet? left, HideSet? right)
    {
        for (; right != null; right = right.Rest)
            if (!Contains(left, right.Name))
                left = new HideSet(right.Name, left);
        return left;
    }

    public static HideSet? Intersection(HideSet? left, HideSet? right)
    {
        HideSet? result = null;
        for (; left != null; left = left.Rest)
            if (Contains(right, left.Name))
                result = new HideSet(left.Name, result);
        return result;
    }
}
