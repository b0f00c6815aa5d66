namespace Weft.Coverage.Regions.C;

/// <summary>
/// Where statements begin and end for coverage: what stands in an argument of a macro counts as standing where its
/// parameter does, for that text is the one of the expansion.
/// </summary>
internal sealed class Extents(PreprocessedUnit unit)
{
    private readonly Dictionary<(SourceFile, int Offset), int> lengths = [];

    public Location Start(Statement statement) => Start(statement.First);

    public Location End(Statement statement) => End(statement.Last);

    public Location Start(int token) => Lift(unit.Tokens[token].Place);

    public Location End(int token) => EndOfToken(Start(token));

    /// <summary>Whether a statement begins in an argument of a macro.</summary>
    public bool BeginsInArgument(Statement statement) => unit.Tokens[statement.First].Place is var place && Lift(place) != place;

    /// <summary>The place behind the token that begins at a place; the place itself where white space does.</summary>
    public Location EndOfToken(Location at)
    {
        if (at.File.Source is not { } source) return at with { Offset = at.File.End };
        if (at.Offset >= source.Text.Length || char.IsWhiteSpace((char)source.Text[at.Offset])) return at;
        if (!lengths.TryGetValue((source, at.Offset), out var length))
        {
            var lexer = new Lexer(new VirtualFile(source, at.Offset, source.Text.Length, null, VirtualFileKind.Inclusion));
            lengths[(source, at.Offset)] = length = lexer.Next()?.Length ?? 0;
        }
        return at with { Offset = at.Offset + length };
    }

    /// <summary>The stretch between a token and a place behind it, where neither lies in a macro; null when it is none.</summary>
    public (Location Start, Location End)? GapBetween(Location afterToken, Location before)
    {
        if (afterToken.File.ExpansionEnd is { } closing) afterToken = closing;
        var (after, end) = ToCommonFile(afterToken, before, isAfter: true);
        after = EndOfToken(after);
        return InOrder(after, end) ? (after, end) : null;
    }

    /// <summary>The stretch from one place to another, where neither lies in a macro; null when it is none.</summary>
    public (Location Start, Location End)? AreaBetween(Location start, Location before)
    {
        if (start.File.ExpansionEnd != null) start = start.Parent!.Value;
        var (from, end) = ToCommonFile(start, before, isAfter: false);
        return InOrder(from, end) ? (from, end) : null;
    }

    private (Location Start, Location End) ToCommonFile(Location start, Location end, bool isAfter)
    {
        int startDepth = start.File.Depth, endDepth = end.File.Depth;
        while (start.File != end.File)
        {
            bool unnestStart = startDepth >= endDepth, unnestEnd = endDepth >= startDepth;
            if (unnestEnd)
            {
                end = end.Parent!.Value;
                endDepth--;
            }
            if (unnestStart)
            {
                start = isAfter ? EndOfToken(start.Parent!.Value) : start.Parent!.Value;
                startDepth--;
            }
        }
        return (start, end);
    }

    private static bool InOrder(Location start, Location end) =>
        !start.File.IsMacro && !end.File.IsMacro && start.File == end.File && start.Position.CompareTo(end.Position) <= 0;

    private static Location Lift(Location place)
    {
        while (place.File.Kind == VirtualFileKind.Argument || place.File.Source?.Path == "<built-in>") place = place.Parent!.Value;
        return place;
    }
}
