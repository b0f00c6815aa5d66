using System.Text;

namespace Weft.Tracing;

/// <summary>A protobuf message being put together: <c>key</c>, the field's number and how its value is written, then the value.</summary>
internal sealed class ProtoMessage
{
    private const int Number = 0, Sized = 2;

    private byte[] buffer = new byte[256];
    private int used;

    public ReadOnlySpan<byte> Bytes => buffer.AsSpan(0, used);

    public bool IsEmpty => used == 0;

    public void Clear() => used = 0;

    public void Add(int field, long value)
    {
        Varint((ulong)field << 3 | Number);
        Varint((ulong)value);
    }

    public void Add(int field, ReadOnlySpan<byte> value)
    {
        Varint((ulong)field << 3 | Sized);
        Varint((ulong)value.Length);
        Reserve(value.Length);
        value.CopyTo(buffer.AsSpan(used));
        used += value.Length;
    }

    public void Add(int field, string value)
    {
        var size = Encoding.UTF8.GetByteCount(value);
        Varint((ulong)field << 3 | Sized);
        Varint((ulong)size);
        Reserve(size);
        used += Encoding.UTF8.GetBytes(value, buffer.AsSpan(used));
    }

    public void Add(int field, ProtoMessage value) => Add(field, value.Bytes);

    private void Varint(ulong value)
    {
        Reserve(10);
        for (; value >= 0x80; value >>= 7) buffer[used++] = (byte)(value | 0x80);
        buffer[used++] = (byte)value;
    }

    private void Reserve(int count)
    {
        if (count > buffer.Length - used) Array.Resize(ref buffer, Math.Max(buffer.Length * 2, used + count));
    }
}
