namespace Weft.Coverage.Regions.C;

/// <summary>
/// Replaces macros by what they stand for, by Prosser's algorithm (X3J11/86-196), and keeps for every token the chain of
/// expansions and arguments it came through, as clang's source manager does.
/// </summary>
/// <param name="macros">The definitions in force; may change between tokens.</param>
/// <param name="source">Where unexpanded tokens come from; null at the end.</param>
internal sealed class MacroExpander(IReadOnlyDictionary<string, Macro> macros, Func<Token?> source)
{
    // Macros without a text.
    private static readonly HashSet<string> MadeUp = ["__FILE__", "__LINE__", "__COUNTER__", "__DATE__", "__TIME__", "__TIMESTAMP__", "__BASE_FILE__", "__FILE_NAME__", "__INCLUDE_LEVEL__"];

    private readonly Stack<Token> pending = new();

    /// <summary>The next token of the program, or null at the end.</summary>
    public Token? Next()
    {
        while (Read() is { } token)
        {
            if (token.Kind == TokenKind.Identifier && MadeUp.Contains(token.Text)) return MakeUp(token);
            if (token.Kind != TokenKind.Identifier || !macros.TryGetValue(token.Text, out var macro) || HideSet.Contains(token.Hidden, token.Text)) return token;
            if (macro.Parameters == null)
            {
                Push(Substitute(macro, token, [], token.Place, new HideSet(macro.Name, token.Hidden)));
                continue;
            }
            var next = Read();
            if (next?.Is("(") != true)
            {
                if (next != null) pending.Push(next);
                return token;
            }
            var arguments = Arguments(macro, out var closing);
            Push(Substitute(macro, token, arguments, closing?.Place ?? token.Place, new HideSet(macro.Name, HideSet.Intersection(token.Hidden, closing?.Hidden))));
        }
        return null;
    }

    private static Token MakeUp(Token name)
    {
        var isText = name.Text is not ("__LINE__" or "__COUNTER__" or "__INCLUDE_LEVEL__");
        var scratch = new VirtualFile(null, 0, 1, name.Place, VirtualFileKind.Expansion, name.Place);
        return name with { Kind = isText ? TokenKind.Text : TokenKind.Number, Text = isText ? "\"\"" : "1", Place = new Location(scratch, 0), Length = 1 };
    }

    private Token? Read() => pending.TryPop(out var token) ? token : source();

    private void Push(List<Token> tokens)
    {
        for (var i = tokens.Count - 1; i >= 0; i--) pending.Push(tokens[i]);
    }

    private List<List<Token>> Arguments(Macro macro, out Token? closing)
    {
        var arguments = new List<List<Token>> { new() };
        var depth = 0;
        for (closing = Read(); closing is { } token; closing = Read())
        {
            if (token.Is("(")) depth++;
            if (token.Is(")") && depth-- == 0) break;
            var isRest = macro.IsVariadic && arguments.Count == macro.Parameters!.Count;
            if (token.Is(",") && depth == 0 && !isRest) arguments.Add([]);
            else arguments[^1].Add(token);
        }
        return arguments;
    }

    private List<Token> Substitute(Macro macro, Token name, List<List<Token>> arguments, Location end, HideSet hidden)
    {
        var result = new List<Token>();
        if (macro.Body.Count == 0) return result;
        var file = new VirtualFile(macro.Source, macro.Body[0].Place.Offset, macro.Body[^1].EndOffset, name.Place, VirtualFileKind.Expansion, macro.Parameters == null ? null : end);
        for (var i = 0; i < macro.Body.Count; i++)
        {
            var token = macro.Body[i] with { Place = new Location(file, macro.Body[i].Place.Offset), IsFirstOnLine = i == 0 && name.IsFirstOnLine };
            if (macro.Parameters != null && token.Is("#") && i + 1 < macro.Body.Count)
            {
                var scratch = new VirtualFile(null, 0, 2, token.Place, VirtualFileKind.Expansion, new Location(file, macro.Body[i + 1].Place.Offset));
                result.Add(token with { Kind = TokenKind.Text, Text = "\"\"", Place = new Location(scratch, 0), Length = 2 });
                i++;
            }
            else if (i + 1 < macro.Body.Count && macro.Body[i + 1].Is("##"))
            {
                i = Paste(macro, file, arguments, i, result);
            }
            else if (Argument(macro, arguments, token) is { } argument)
            {
                result.AddRange(Placed(new MacroExpander(macros, Source(argument)).All(), token.Place));
            }
            else
            {
                result.Add(token);
            }
        }
        for (var i = 0; i < result.Count; i++) result[i] = result[i] with { Hidden = HideSet.Union(result[i].Hidden, hidden) };
        return result;
    }

    /// <summary>Joins the tokens around <c>##</c>; returns the index of the last one taken.</summary>
    private static int Paste(Macro macro, VirtualFile file, List<List<Token>> arguments, int first, List<Token> result)
    {
        var place = new Location(file, macro.Body[first].Place.Offset);
        var left = Raw(first);
        var last = first;
        while (last + 2 < macro.Body.Count && macro.Body[last + 1].Is("##"))
        {
            last += 2;
            var right = Raw(last);
            if (left.Count > 0 && right.Count > 0 && left[^1].Text != ",")
            {
                var joined = left[^1].Text + right[0].Text;
                var scratch = new VirtualFile(null, 0, joined.Length, place, VirtualFileKind.Expansion, new Location(file, macro.Body[last].Place.Offset));
                left[^1] = left[^1] with { Text = joined, Place = new Location(scratch, 0), Length = joined.Length };
                right.RemoveAt(0);
            }
            left.AddRange(right);
        }
        result.AddRange(left);
        return last;

        List<Token> Raw(int index)
        {
            var token = macro.Body[index];
            token = token with { Place = new Location(file, token.Place.Offset) };
            return Argument(macro, arguments, token) is { } argument ? Placed(argument, token.Place) : [token];
        }
    }

    private static List<Token>? Argument(Macro macro, List<List<Token>> arguments, Token token)
    {
        if (macro.Parameters == null || token.Kind != TokenKind.Identifier) return null;
        for (var i = 0; i < macro.Parameters.Count; i++)
            if (macro.Parameters[i] == token.Text)
                return i < arguments.Count ? arguments[i] : [];
        return null;
    }

    /// <summary>The tokens of an argument where its parameter stands.</summary>
    private static List<Token> Placed(List<Token> argument, Location parameter)
    {
        var files = new Dictionary<VirtualFile, VirtualFile>();
        var placed = new List<Token>(argument.Count);
        foreach (var token in argument)
        {
            if (!files.TryGetValue(token.Place.File, out var file))
                files[token.Place.File] = file = new VirtualFile(token.Place.File.Source, token.Place.Offset, argument[^1].EndOffset, parameter, VirtualFileKind.Argument, SpelledIn: token.Place.File);
            placed.Add(token with { Place = new Location(file, token.Place.Offset), IsFirstOnLine = false });
        }
        return placed;
    }

    private List<Token> All()
    {
        var all = new List<Token>();
        while (Next() is { } token) all.Add(token);
        return all;
    }

    private static Func<Token?> Source(List<Token> tokens)
    {
        var at = 0;
        return () => at < tokens.Count ? tokens[at++] : null;
    }

    /// <summary>Expands a list of tokens.</summary>
    public static List<Token> Expand(IReadOnlyDictionary<string, Macro> macros, List<Token> tokens) => new MacroExpander(macros, Source(tokens)).All();
}
