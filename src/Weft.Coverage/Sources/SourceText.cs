using System.Text;

namespace Weft.Coverage.Sources;

/// <summary>A source file as it is now. Lines end in LF or CRLF; bytes that are not UTF-8 are taken for Latin-1.</summary>
public sealed class SourceText
{
    private readonly byte[] bytes;
    private readonly List<int> starts = [0];

    internal SourceText(byte[] bytes, DateTime written)
    {
        this.bytes = bytes;
        Written = written;
        for (int at = 0, next; (next = bytes.AsSpan(at).IndexOf((byte)'\n')) >= 0;)
        {
            at += next + 1;
            if (at < bytes.Length) starts.Add(at);
        }
        IsUtf8 = System.Text.Unicode.Utf8.IsValid(bytes);
    }

    /// <summary>When it was changed last, in UTC.</summary>
    public DateTime Written { get; }

    public bool IsUtf8 { get; }

    public int LineCount => bytes.Length == 0 ? 0 : starts.Count;

    /// <summary>All of it.</summary>
    public ReadOnlySpan<byte> Bytes => bytes;

    /// <summary>The bytes of a line, from 1, without its end; none if it is not there.</summary>
    public ReadOnlySpan<byte> LineBytes(int line)
    {
        if (line < 1 || line > LineCount) return [];
        var end = line < starts.Count ? starts[line] : bytes.Length;
        return bytes.AsSpan(starts[line - 1]..end).TrimEnd("\r\n"u8);
    }

    public string Line(int line) => Decode(LineBytes(line));

    /// <summary>The line that a byte is in, from 1.</summary>
    public int LineAt(int offset) => starts.BinarySearch(offset) is var found && found >= 0 ? found + 1 : ~found;

    private string Decode(ReadOnlySpan<byte> text) => (IsUtf8 ? Encoding.UTF8 : Encoding.Latin1).GetString(text);
}
