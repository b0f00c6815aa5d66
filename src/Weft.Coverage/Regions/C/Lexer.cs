using System.Text;

namespace Weft.Coverage.Regions.C;

/// <summary>
/// Cuts the text of a virtual file into preprocessing tokens. Line continuations are white space between tokens; comments
/// and runs of empty lines are reported, for they are regions too.
/// </summary>
internal sealed class Lexer(VirtualFile file)
{
    private static readonly string[] Punctuators =
    [
        "%:%:", "...", "<<=", ">>=", "<=>", "->*", "::", "->", "++", "--", "<<", ">>", "<=", ">=", "==", "!=", "&&", "||",
        "*=", "/=", "%=", "+=", "-=", "&=", "^=", "|=", "##", ".*",
    ];

    private readonly byte[] text = file.Source!.Text;
    private int at = file.Start;

    /// <summary>A comment or the white space of empty lines was passed.</summary>
    public Action<SkippedKind, int, int>? Skipped { get; set; }

    /// <summary>Where the lexer is.</summary>
    public int Offset => at;

    public Location Here => new(file, at);

    /// <summary>Whether another token follows before the line ends. Comments on the way are passed for good.</summary>
    public bool PeekIsOnLine()
    {
        while (at < file.End)
        {
            var c = text[at];
            if (c == '\n') return false;
            if (c is (byte)' ' or (byte)'\t' or (byte)'\r' or (byte)'\f' or (byte)'\v') at++;
            else if (Continuation() is > 0 and var length) at += length;
            else if (c == '/' && (Peek(1) == '/' || Peek(1) == '*')) SkipComment();
            else return true;
        }
        return false;
    }

    /// <summary>The next token, or null at the end of the text.</summary>
    public Token? Next()
    {
        var before = at;
        var newLine = SkipBlank();
        if (at >= file.End) return null;
        var first = newLine || IsLineStart(before);
        var start = at;
        var kind = Scan();
        var isApart = start > file.Start && text[start - 1] is (byte)' ' or (byte)'\t' or (byte)'\n' or (byte)'/';
        return new Token(kind, Spelling(start, at), new Location(file, start), at - start, first, isApart);
    }

    private bool IsLineStart(int offset) => offset == file.Start && file.Kind == VirtualFileKind.Inclusion;

    private byte Peek(int ahead = 0) => at + ahead < file.End ? text[at + ahead] : (byte)0;

    /// <summary>Passes white space and comments; true when a line ended.</summary>
    private bool SkipBlank()
    {
        var ended = false;
        int firstBreak = at > file.Start && text[at - 1] == '\n' ? at - 1 : -1, lastBreak = firstBreak;
        while (at < file.End)
        {
            var c = text[at];
            if (c == '\n')
            {
                ended = true;
                if (firstBreak < 0) firstBreak = at;
                lastBreak = at++;
            }
            else if (c is (byte)' ' or (byte)'\t' or (byte)'\r' or (byte)'\f' or (byte)'\v') at++;
            else if (Continuation() is > 0 and var length) at += length;
            else if (c == '/' && (Peek(1) == '/' || Peek(1) == '*'))
            {
                ReportEmptyLines(firstBreak, lastBreak);
                SkipComment();
                firstBreak = lastBreak = -1;
            }
            else break;
        }
        ReportEmptyLines(firstBreak, lastBreak);
        return ended;
    }

    private void ReportEmptyLines(int first, int last)
    {
        if (first >= 0 && first != last) Skipped?.Invoke(SkippedKind.EmptyLines, first + 1, last);
    }

    private void SkipComment()
    {
        var start = at;
        var isBlock = text[at + 1] == '*';
        at += 2;
        if (isBlock)
        {
            while (at < file.End && !(text[at] == '*' && Peek(1) == '/')) at++;
            at = Math.Min(at + 2, file.End);
        }
        else
        {
            while (at < file.End && text[at] != '\n') at += Continuation() is > 0 and var length ? length : 1;
        }
        Skipped?.Invoke(SkippedKind.Comment, start, at);
    }

    private int Continuation()
    {
        if (Peek() != '\\') return 0;
        if (Peek(1) == '\n') return 2;
        return Peek(1) == '\r' && Peek(2) == '\n' ? 3 : 0;
    }

    private TokenKind Scan()
    {
        var c = text[at];
        if (IsRawString()) return ScanRawString();
        if (LiteralPrefix() is >= 0 and var prefix) return ScanLiteral(prefix);
        if (char.IsAsciiDigit((char)c) || c == '.' && char.IsAsciiDigit((char)Peek(1))) return ScanNumber();
        if (IsIdentifier(c)) return ScanIdentifier();
        foreach (var punctuator in Punctuators)
            if (Matches(punctuator))
            {
                at += punctuator.Length;
                return TokenKind.Punctuation;
            }
        at++;
        return c == '#' ? TokenKind.Hash : TokenKind.Punctuation;
    }

    private bool Matches(string punctuator)
    {
        for (var i = 0; i < punctuator.Length; i++)
            if (Peek(i) != punctuator[i])
                return false;
        return true;
    }

    private static bool IsIdentifier(byte c) => char.IsAsciiLetterOrDigit((char)c) || c is (byte)'_' or (byte)'$' or >= 0x80;

    private TokenKind ScanIdentifier()
    {
        while (at < file.End && (IsIdentifier(text[at]) || Continuation() > 0)) at += Math.Max(1, Continuation());
        return TokenKind.Identifier;
    }

    private TokenKind ScanNumber()
    {
        while (at < file.End && (IsIdentifier(text[at]) || text[at] == '.' || text[at] == '\'' && IsIdentifier(Peek(1)) || text[at] is (byte)'+' or (byte)'-' && text[at - 1] is (byte)'e' or (byte)'E' or (byte)'p' or (byte)'P')) at++;
        return TokenKind.Number;
    }

    /// <summary>Length of the encoding prefix of a string or character literal that begins here; -1 when none does.</summary>
    private int LiteralPrefix()
    {
        for (var length = 0; length <= 2; length++)
        {
            if (Peek(length) is (byte)'"' or (byte)'\'')
                return Encoding.ASCII.GetString(text, at, length) is "" or "L" or "u" or "U" or "u8" ? length : -1;
            if (!IsIdentifier(Peek(length))) return -1;
        }
        return -1;
    }

    private TokenKind ScanLiteral(int prefix)
    {
        at += prefix;
        var quote = text[at++];
        while (at < file.End && text[at] != quote && (text[at] != '\n' || Continuation() > 0)) at += text[at] == '\\' ? 2 : 1;
        at = Math.Min(at + 1, file.End);
        while (at < file.End && IsIdentifier(text[at])) at++; // a user-defined suffix
        return TokenKind.Text;
    }

    private bool IsRawString() => Peek() == 'R' && Peek(1) == '"';

    private TokenKind ScanRawString()
    {
        var open = Array.IndexOf(text, (byte)'(', at);
        var closing = ")" + Encoding.UTF8.GetString(text, at + 2, open - at - 2) + "\"";
        var length = text.AsSpan(open).IndexOf(Encoding.UTF8.GetBytes(closing));
        at = length < 0 ? file.End : open + length + closing.Length;
        return TokenKind.Text;
    }

    private string Spelling(int start, int end)
    {
        var spelled = Encoding.UTF8.GetString(text, start, end - start);
        return spelled.Contains('\\') && !spelled.Contains('"') && !spelled.Contains('\'') ? spelled.Replace("\\\r\n", "").Replace("\\\n", "") : spelled;
    }
}

internal enum SkippedKind { Comment, EmptyLines, Conditional }
