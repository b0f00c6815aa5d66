using System.Buffers.Text;

namespace Weft.Core;

/// <summary>Collects bytes for a stream, so that a write of a few of them costs as little as copying them.</summary>
public sealed class ByteWriter(Stream output) : IDisposable
{
    private const int LongestNumber = 20;

    private readonly byte[] buffer = new byte[1 << 16];
    private int used;

    public void Write(ReadOnlySpan<byte> bytes)
    {
        if (bytes.Length > buffer.Length - used) Flush();
        if (bytes.Length > buffer.Length)
        {
            output.Write(bytes);
            return;
        }
        bytes.CopyTo(buffer.AsSpan(used));
        used += bytes.Length;
    }

    public void Write(long number)
    {
        if (LongestNumber > buffer.Length - used) Flush();
        Utf8Formatter.TryFormat(number, buffer.AsSpan(used), out var written);
        used += written;
    }

    public void Write(ulong number)
    {
        if (LongestNumber > buffer.Length - used) Flush();
        Utf8Formatter.TryFormat(number, buffer.AsSpan(used), out var written);
        used += written;
    }

    /// <summary>Nanoseconds as microseconds, to the nanosecond: 12.345.</summary>
    public void WriteMicroseconds(long nanoseconds)
    {
        var (whole, rest) = Math.DivRem(nanoseconds, 1000);
        Write(whole);
        if (rest == 0) return;
        Write([(byte)'.', (byte)('0' + rest / 100), (byte)('0' + rest / 10 % 10), (byte)('0' + rest % 10)]);
    }

    /// <summary>Hands everything on; nothing is when it fails half-way, which <see cref="Dispose"/> would only repeat.</summary>
    public void Flush()
    {
        var count = used;
        used = 0;
        output.Write(buffer, 0, count);
    }

    public void Dispose() => Flush();
}
