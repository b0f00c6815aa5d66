using System.Text;
using Weft.Core;

namespace Weft.Tracing.Page;

/// <summary>Bytes to be: numbers of seven bits a byte, lowest first, and text behind its length.</summary>
internal sealed class Column
{
    private byte[] bytes = new byte[256];

    public int Length { get; private set; }

    public void Byte(byte value)
    {
        if (Length == bytes.Length) Array.Resize(ref bytes, Length * 2);
        bytes[Length++] = value;
    }

    /// <summary>Negative numbers, which only a damaged trace has, become 0.</summary>
    public void Number(long value)
    {
        var rest = (ulong)Math.Max(value, 0);
        for (; rest >= 0x80; rest >>= 7) Byte((byte)(rest | 0x80));
        Byte((byte)rest);
    }

    public void Bytes(ReadOnlySpan<byte> values)
    {
        Number(values.Length);
        foreach (var value in values) Byte(value);
    }

    public void Text(string text) => Bytes(Encoding.UTF8.GetBytes(HtmlPage.Printable(text)));

    public void Texts(IReadOnlyCollection<string> texts)
    {
        Number(texts.Count);
        foreach (var text in texts) Text(text);
    }

    /// <summary>The other column behind its length.</summary>
    public void Add(Column column) => Bytes(column.bytes.AsSpan(0, column.Length));

    /// <summary>Writes and begins anew.</summary>
    public void MoveTo(Stream output)
    {
        output.Write(bytes, 0, Length);
        Length = 0;
    }

    public void Clear() => Length = 0;
}
