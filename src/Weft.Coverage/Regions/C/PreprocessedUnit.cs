using System.Text;

namespace Weft.Coverage.Regions.C;

/// <summary>A translation unit behind the preprocessor: the user's tokens, and text for a parser that leads back to them.</summary>
internal sealed class PreprocessedUnit
{
    private readonly List<int> starts = [];

    public PreprocessedUnit(IReadOnlyList<Token> tokens, IReadOnlyList<SkippedRange> skipped, string declarations)
    {
        Tokens = tokens;
        Skipped = skipped;
        Declarations = declarations;
        var text = new MemoryStream();
        Token? before = null;
        foreach (var token in tokens)
        {
            if (before != null && !IsDoubleBracket(before, token)) text.WriteByte((byte)' ');
            before = token;
            starts.Add((int)text.Length);
            text.Write(Encoding.UTF8.GetBytes(token.Text));
        }
        Text = text.ToArray();
    }

    public IReadOnlyList<Token> Tokens { get; }

    public IReadOnlyList<SkippedRange> Skipped { get; }

    /// <summary>What the system's headers declare.</summary>
    public string Declarations { get; }

    /// <summary>All tokens with white space between them.</summary>
    public byte[] Text { get; }

    // The grammar takes [[ and ]] for one token.
    private static bool IsDoubleBracket(Token left, Token right) => left.Text is "[" or "]" && right.Text == left.Text && !right.HasSpaceBefore;

    /// <summary>Index of the token that begins at or holds an offset of the text.</summary>
    public int TokenAt(int offset)
    {
        var index = starts.BinarySearch(offset);
        return index >= 0 ? index : ~index - 1;
    }
}
