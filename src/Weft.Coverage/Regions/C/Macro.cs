namespace Weft.Coverage.Regions.C;

/// <summary>A macro's definition.</summary>
/// <param name="Name">The macro.</param>
/// <param name="Parameters">Null for an object-like macro; a variadic one's last is <c>__VA_ARGS__</c> or its own name for it.</param>
/// <param name="IsVariadic">The last parameter takes what is left of the arguments.</param>
/// <param name="Body">Tokens of the definition, where it is written.</param>
internal sealed record Macro(string Name, IReadOnlyList<string>? Parameters, bool IsVariadic, IReadOnlyList<Token> Body)
{
    public SourceFile? Source => Body.Count > 0 ? Body[0].Place.File.Source : null;

    /// <summary>Reads what stands behind <c>#define</c>; null when it is not a definition.</summary>
    public static Macro? Parse(IReadOnlyList<Token> line)
    {
        if (line.Count == 0 || line[0].Kind != TokenKind.Identifier) return null;
        if (line.Count == 1 || !line[1].Is("(") || line[1].HasSpaceBefore) return new Macro(line[0].Text, null, false, [.. line.Skip(1)]);
        var parameters = new List<string>();
        var variadic = false;
        var at = 2;
        for (; at < line.Count && !line[at].Is(")"); at++)
        {
            if (line[at].Is("...")) variadic = true;
            else if (line[at].Kind == TokenKind.Identifier) parameters.Add(line[at].Text);
        }
        if (variadic && (line[at - 1].Is("...") && (at == 3 || line[at - 2].Is(",")))) parameters.Add("__VA_ARGS__");
        return new Macro(line[0].Text, parameters, variadic, [.. line.Skip(at + 1)]);
    }
}
