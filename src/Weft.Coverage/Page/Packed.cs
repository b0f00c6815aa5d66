using System.Buffers.Text;
using System.IO.Compression;

namespace Weft.Coverage.Page;

/// <summary>Compresses what is written (deflate without a header), and keeps only that in memory.</summary>
internal sealed class Packed : IDisposable
{
    private const int Piece = 3 << 14; // base64 has four characters for three bytes

    private readonly MemoryStream bytes = new();
    private readonly DeflateStream deflate;

    public Packed() => deflate = new DeflateStream(bytes, CompressionLevel.Optimal, leaveOpen: true);

    public Stream Input => deflate;

    /// <summary>Writes what has become of it as base64. Nothing can be added any more.</summary>
    public void WriteTo(Stream output)
    {
        deflate.Dispose();
        var text = new byte[Base64.GetMaxEncodedToUtf8Length(Piece)];
        for (var all = bytes.GetBuffer().AsSpan(0, (int)bytes.Length); all.Length > 0; all = all[Math.Min(Piece, all.Length)..])
        {
            Base64.EncodeToUtf8(all[..Math.Min(Piece, all.Length)], text, out _, out var written);
            output.Write(text.AsSpan(0, written));
        }
    }

    public void Dispose()
    {
        deflate.Dispose();
        bytes.Dispose();
    }
}
