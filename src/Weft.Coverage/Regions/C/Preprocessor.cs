using System.Text;

namespace Weft.Coverage.Regions.C;

/// <summary>A stretch that the preprocessor skipped: a comment, empty lines, or a branch of a conditional.</summary>
internal sealed class SkippedRange(SkippedKind kind, Location start, Location end, Location? previous)
{
    public SkippedKind Kind { get; } = kind;

    public Location Start { get; } = start;

    public Location End { get; set; } = end;

    /// <summary>Where the token before it is.</summary>
    public Location? Previous { get; } = previous;

    /// <summary>Where the token behind it is.</summary>
    public Location? Next { get; set; }
}

/// <summary>
/// Preprocesses the user's own files, as clang does, and keeps where every token comes from. The system's headers are
/// taken from a record of clang's (<see cref="PreprocessorRecord"/>): of them only their macros matter.
/// </summary>
internal sealed class Preprocessor
{
    private readonly Dictionary<string, Macro> macros = new(StringComparer.Ordinal);
    private readonly Stack<Frame> frames = new();
    private readonly Func<string, SourceFile> open;
    private Location? previous;

    private Preprocessor(Func<string, SourceFile> open) => this.open = open;

    private sealed record Frame(VirtualFile File, Lexer Lexer, RecordedInclusion Record)
    {
        /// <summary>Of every open conditional, whether one of its branches was taken.</summary>
        public Stack<bool> Taken { get; } = new();
    }

    /// <summary>The skipped ranges, in the order in which the preprocessor came by them.</summary>
    private List<SkippedRange> Skipped { get; } = [];

    /// <summary>Preprocesses a file.</summary>
    /// <param name="record">What clang's preprocessor saw of it.</param>
    /// <param name="open">Reads a file of the user by the name that the record has for it.</param>
    public static PreprocessedUnit Run(RecordedInclusion record, Func<string, SourceFile> open)
    {
        var preprocessor = new Preprocessor(open);
        if (record.Included.TryGetValue(0, out var builtIn)) preprocessor.Define(builtIn);
        preprocessor.Enter(record, parent: null);
        var expander = new MacroExpander(preprocessor.macros, preprocessor.Read);
        var tokens = new List<Token>();
        while (expander.Next() is { } token)
        {
            preprocessor.Saw(token);
            tokens.Add(token);
        }
        return new PreprocessedUnit(tokens, preprocessor.Skipped, Declarations(record));
    }

    private static string Declarations(RecordedInclusion record)
    {
        var all = new StringBuilder();
        foreach (var included in record.Included.Values)
            all.Append(included.IsSystem ? included.Declarations.ToString() : Declarations(included));
        return all.ToString();
    }

    private void Enter(RecordedInclusion record, Location? parent)
    {
        var source = open(record.Path);
        var file = new VirtualFile(source, 0, source.Text.Length, parent, VirtualFileKind.Inclusion);
        var lexer = new Lexer(file);
        lexer.Skipped = (kind, start, end) => Skip(kind, new Location(file, start), new Location(file, end));
        frames.Push(new Frame(file, lexer, record));
    }

    private void Skip(SkippedKind kind, Location start, Location end)
    {
        if (Skipped.Count > 0 && Skipped[^1] is var last && last.Previous == previous && last.End.File == start.File) last.End = end;
        else Skipped.Add(new SkippedRange(kind, start, end, previous));
    }

    private void Saw(Token token)
    {
        previous = token.Place;
        if (Skipped.Count > 0) Skipped[^1].Next ??= token.Place;
    }

    /// <summary>The next token that is not of a directive; null at the end of the main file.</summary>
    private Token? Read()
    {
        while (true)
        {
            var token = frames.Peek().Lexer.Next();
            if (token == null)
            {
                if (frames.Count == 1) return null;
                frames.Pop();
            }
            else if (token.Kind == TokenKind.Hash && token.IsFirstOnLine)
            {
                Directive(token);
            }
            else
            {
                return token;
            }
        }
    }

    /// <summary>What is left of the line.</summary>
    private List<Token> Line()
    {
        var line = new List<Token>();
        var lexer = frames.Peek().Lexer;
        while (lexer.PeekIsOnLine() && lexer.Next() is { } token)
        {
            Saw(token);
            line.Add(token);
        }
        return line;
    }

    private void Directive(Token hash)
    {
        var line = Line();
        if (line.Count == 0) return;
        var rest = line.GetRange(1, line.Count - 1);
        switch (line[0].Text)
        {
            case "define" when Macro.Parse(rest) is { } macro: macros[macro.Name] = macro; break;
            case "undef" when rest.Count > 0: macros.Remove(rest[0].Text); break;
            case "include" or "include_next" or "import": Include(line); break;
            case "if": Branch(hash, DirectiveCondition.Holds(rest, macros)); break;
            case "ifdef": Branch(hash, rest.Count > 0 && macros.ContainsKey(rest[0].Text)); break;
            case "ifndef": Branch(hash, rest.Count > 0 && !macros.ContainsKey(rest[0].Text)); break;
            case "elif" or "elifdef" or "elifndef" or "else": SkipBranches(hash, taken: true); break;
            case "endif": frames.Peek().Taken.TryPop(out _); break;
            default: break; // pragmas and the like leave no tokens
        }
    }

    private void Include(List<Token> line)
    {
        var record = frames.Peek().Record;
        if (!record.Included.TryGetValue(line[0].Place.Position.Line, out var included)) return;
        // clang's include location is the file name.
        if (included.IsSystem) Define(included);
        else if (line.Count > 1) Enter(included, line[1].Place);
    }

    private void Define(RecordedInclusion header)
    {
        foreach (var definition in header.Definitions)
        {
            var text = Encoding.UTF8.GetBytes(definition);
            var source = new SourceFile(header.Path, text, isSystem: true);
            var lexer = new Lexer(new VirtualFile(source, 0, text.Length, null, VirtualFileKind.Inclusion));
            var line = new List<Token>();
            while (lexer.Next() is { } token) line.Add(token);
            if (line[1].Is("undef")) macros.Remove(line[2].Text);
            else if (Macro.Parse(line.GetRange(2, line.Count - 2)) is { } macro) macros[macro.Name] = macro;
        }
    }

    private void Branch(Token hash, bool holds)
    {
        frames.Peek().Taken.Push(holds);
        if (!holds) SkipBranches(hash, taken: false);
    }

    /// <summary>Passes the text up to the branch to take, or behind the conditional.</summary>
    private void SkipBranches(Token hash, bool taken)
    {
        var lexer = frames.Peek().Lexer;
        var handler = lexer.Skipped;
        lexer.Skipped = null;
        var depth = 0;
        var end = lexer.Here;
        var condition = new List<Token>();
        while (lexer.Next() is { } token)
        {
            if (token.Kind != TokenKind.Hash || !token.IsFirstOnLine || !lexer.PeekIsOnLine() || lexer.Next() is not { } name) continue;
            if (name.Text is "if" or "ifdef" or "ifndef") depth++;
            else if (name.Text == "endif" && depth-- == 0)
            {
                frames.Peek().Taken.TryPop(out _);
                end = lexer.Here;
                break;
            }
            else if (depth == 0 && !taken && name.Text.StartsWith("el", StringComparison.Ordinal))
            {
                end = lexer.Here;
                condition = [];
                while (lexer.PeekIsOnLine() && lexer.Next() is { } part) condition.Add(part);
                if (name.Text != "else") end = lexer.Here;
                if (!Takes(name.Text, condition)) continue;
                frames.Peek().Taken.TryPop(out _);
                frames.Peek().Taken.Push(true);
                break;
            }
        }
        lexer.Skipped = handler;
        Skip(SkippedKind.Conditional, hash.Place, end);
    }

    private bool Takes(string directive, List<Token> condition) => directive switch
    {
        "else" => true,
        "elif" => DirectiveCondition.Holds(condition, macros),
        "elifdef" => condition.Count > 0 && macros.ContainsKey(condition[0].Text),
        "elifndef" => condition.Count > 0 && !macros.ContainsKey(condition[0].Text),
        _ => false,
    };
}
