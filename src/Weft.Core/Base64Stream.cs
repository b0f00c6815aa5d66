using System.Buffers.Text;

namespace Weft.Core;

/// <summary>Turns what is written into base64 on the way to another stream, which stays open.</summary>
public sealed class Base64Stream(Stream output) : Stream
{
    private readonly byte[] pending = new byte[3 << 14];
    private readonly byte[] text = new byte[4 << 14];
    private int count;

    public override bool CanRead => false;

    public override bool CanSeek => false;

    public override bool CanWrite => true;

    public override long Length => throw new NotSupportedException();

    public override long Position { get => throw new NotSupportedException(); set => throw new NotSupportedException(); }

    public override void Write(byte[] buffer, int offset, int count) => Write(buffer.AsSpan(offset, count));

    public override void Write(ReadOnlySpan<byte> buffer)
    {
        while (buffer.Length > 0)
        {
            var part = buffer[..Math.Min(buffer.Length, pending.Length - count)];
            part.CopyTo(pending.AsSpan(count));
            count += part.Length;
            buffer = buffer[part.Length..];
            if (count == pending.Length) Encode();
        }
    }

    // Base64 can stop only behind three bytes: what is pending waits for the next write or the end.
    public override void Flush() { }

    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();

    protected override void Dispose(bool disposing)
    {
        if (disposing) Encode();
        base.Dispose(disposing);
    }

    private void Encode()
    {
        Base64.EncodeToUtf8(pending.AsSpan(0, count), text, out _, out var written);
        output.Write(text.AsSpan(0, written));
        count = 0;
    }
}
