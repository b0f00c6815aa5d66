namespace Weft.Coverage.Profiles;

/// <summary>The order in which LLVM writes functions: by the bytes of their names, then by hash.</summary>
internal static class ProfileOrder
{
    public static FunctionCounts[] ByName(Profile profile)
    {
        var functions = profile.Functions.ToArray();
        Array.Sort(functions, (a, b) => Utf8.Compare(a.Name, b.Name) is var order and not 0 ? order : a.StructuralHash.CompareTo(b.StructuralHash));
        return functions;
    }
}

/// <summary>Text as bytes of UTF-8, which is how LLVM sorts it; UTF-16 has another order beyond the basic plane.</summary>
internal static class Utf8
{
    public static int Compare(string a, string b)
    {
        var length = Math.Min(a.Length, b.Length);
        for (var i = 0; i < length; i++)
            if (a[i] != b[i]) return Rank(a[i]).CompareTo(Rank(b[i]));
        return a.Length.CompareTo(b.Length);
    }

    // Halves of a surrogate pair stand for more than any other character.
    private static int Rank(char unit) => char.IsSurrogate(unit) ? unit + 0x10000 : unit;
}
