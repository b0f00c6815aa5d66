namespace Weft.Coverage.Exclusions;

/// <summary>
/// Finds the comments of C, C++ and Rust: <c>//</c> to the end of the line, and <c>/* */</c>, which nest in Rust only. What looks
/// like one in a string or a character is none.
/// </summary>
internal ref struct Comments(ReadOnlySpan<byte> source, bool isRust)
{
    private readonly ReadOnlySpan<byte> source = source;
    private int at;

    /// <summary>The next comment, as a range of bytes; null behind the last.</summary>
    public (int Start, int End)? Next()
    {
        while (at < source.Length)
        {
            var found = source[at..].IndexOfAny("/\"'"u8);
            if (found < 0) break;
            at += found;
            var start = at;
            if (source[at] == '\'') SkipCharacter();
            else if (source[at] == '"') SkipString();
            else if (Follows("//"u8)) return (start, at = EndOfLine());
            else if (Follows("/*"u8)) return (start, at = EndOfBlock());
            else at++;
        }
        at = source.Length;
        return null;
    }

    private readonly bool Follows(ReadOnlySpan<byte> text) => source[at..].StartsWith(text);

    /// <summary>A comment of C goes on behind a backslash at the end of its line.</summary>
    private readonly int EndOfLine()
    {
        for (var from = at; ;)
        {
            var found = source[from..].IndexOf((byte)'\n');
            if (found < 0) return source.Length;
            var line = source[at..(from + found)].TrimEnd((byte)'\r');
            if (isRust || !line.EndsWith("\\"u8)) return from + found;
            from += found + 1;
        }
    }

    private readonly int EndOfBlock()
    {
        var depth = 1;
        for (var from = at + 2; ;)
        {
            var found = source[from..].IndexOfAny((byte)'*', (byte)'/');
            if (found < 0 || from + found + 1 >= source.Length) return source.Length;
            from += found;
            if (source[from] == '*' && source[from + 1] == '/' && --depth == 0) return from + 2;
            if (source[from] == '/' && source[from + 1] == '*' && isRust) depth++;
            from += source[from] == '*' && source[from + 1] == '/' || (source[from] == '/' && source[from + 1] == '*' && isRust) ? 2 : 1;
        }
    }

    /// <summary>A character, if it ends; else a Rust lifetime, or a separator of digits.</summary>
    private void SkipCharacter()
    {
        const int longest = 14; // '\u{10FFFF}', or an escape of several bytes
        var rest = source[(at + 1)..Math.Min(source.Length, at + longest)];
        if (rest.StartsWith("\\"u8) && rest.Length > 2) at += rest[2..].IndexOf((byte)'\'') is var end and >= 0 ? end + 4 : 1;
        else at += rest.IndexOf((byte)'\'') is > 0 and <= 4 and var close && !rest[..close].Contains((byte)'\n') ? close + 2 : 1;
    }

    private void SkipString()
    {
        if (RawEnd() is { } raw)
        {
            at = raw;
            return;
        }
        for (at++; at < source.Length;)
        {
            var found = source[at..].IndexOfAny((byte)'"', (byte)'\\', (byte)'\n');
            if (found < 0) break;
            at += found;
            if (source[at] == '\\') at += 2;
            else if (source[at++] == '"' || !isRust) return; // a string of C does not go on in the next line
        }
        at = Math.Min(at, source.Length);
    }

    /// <summary>Where a raw string ends: <c>r#"..."#</c> of Rust, <c>R"name(...)name"</c> of C++.</summary>
    private readonly int? RawEnd()
    {
        ReadOnlySpan<byte> closing;
        if (isRust)
        {
            var hashes = 0;
            while (at - hashes > 0 && source[at - hashes - 1] == '#') hashes++;
            if (at - hashes == 0 || source[at - hashes - 1] != 'r') return null;
            closing = (byte[])[(byte)'"', .. source.Slice(at - hashes, hashes)];
        }
        else
        {
            if (at == 0 || source[at - 1] != 'R') return null;
            var open = source[at..Math.Min(source.Length, at + 20)].IndexOf((byte)'(');
            if (open < 0) return null;
            closing = (byte[])[(byte)')', .. source.Slice(at + 1, open - 1), (byte)'"'];
        }
        var found = source[(at + 1)..].IndexOf(closing);
        return found < 0 ? source.Length : at + 1 + found + closing.Length;
    }
}
