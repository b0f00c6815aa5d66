using System.Buffers.Binary;
using System.IO.Compression;

namespace Weft.Coverage;

/// <summary>What is wrong with some bytes. Who knows which file they are of makes a <see cref="Core.WeftException"/> of it.</summary>
internal sealed class DamageException(string what) : Exception(what);

/// <summary>Reads numbers from the front of bytes; every size is checked against what is left.</summary>
internal ref struct ByteReader(ReadOnlySpan<byte> data, bool bigEndian = false)
{
    private const int MostThatZlibGains = 1032;

    private ReadOnlySpan<byte> rest = data;

    public readonly int Left => rest.Length;

    public readonly ReadOnlySpan<byte> Rest => rest;

    public byte U8(string what) => Take(1, what)[0];

    public ushort U16(string what) => bigEndian ? BinaryPrimitives.ReadUInt16BigEndian(Take(2, what)) : BinaryPrimitives.ReadUInt16LittleEndian(Take(2, what));

    public uint U32(string what) => bigEndian ? BinaryPrimitives.ReadUInt32BigEndian(Take(4, what)) : BinaryPrimitives.ReadUInt32LittleEndian(Take(4, what));

    public ulong U64(string what) => bigEndian ? BinaryPrimitives.ReadUInt64BigEndian(Take(8, what)) : BinaryPrimitives.ReadUInt64LittleEndian(Take(8, what));

    /// <summary>The next <paramref name="size"/> bytes.</summary>
    /// <exception cref="DamageException">There are not so many.</exception>
    public ReadOnlySpan<byte> Take(ulong size, string what)
    {
        if (size > (ulong)rest.Length) throw new DamageException($"it is cut short in {what}: {size} bytes should follow, {rest.Length} do");
        var taken = rest[..(int)size];
        rest = rest[(int)size..];
        return taken;
    }

    /// <summary>So many records of a size each, both of which the file says.</summary>
    public ReadOnlySpan<byte> Take(ulong count, int size, string what) =>
        Take(count > (ulong)rest.Length ? ulong.Max(count, (ulong)rest.Length + 1) : count * (ulong)size, what);

    /// <summary>A number in LEB128, unsigned, of at most 64 bits.</summary>
    public ulong Leb(string what)
    {
        if (rest.Length == 0 || rest[0] >= 0x80) return LongLeb(what);
        ulong value = rest[0];
        rest = rest[1..];
        return value;
    }

    /// <summary>A number in LEB128 that is at most <paramref name="most"/>.</summary>
    public int Leb(string what, int most)
    {
        var value = Leb(what);
        return value <= (ulong)most ? (int)value : throw new DamageException($"a number in {what} is {value}, and can be {most} at most");
    }

    /// <summary>How many elements follow, of one byte at least: as many as there are bytes, at most.</summary>
    public int Count(string what) => Leb(what, rest.Length);

    /// <summary>
    /// Bytes that LLVM compressed or did not: the size of both forms, then one of them.
    /// </summary>
    public ReadOnlySpan<byte> Compressible(string what)
    {
        ulong plain = Leb(what), compressed = Leb(what);
        if (compressed == 0) return Take(plain, what);
        var packed = Take(compressed, what);
        if (plain > compressed * MostThatZlibGains + 64) throw new DamageException($"{what} cannot have {plain} bytes when they are {compressed} compressed");
        return Inflate(packed, (int)ulong.Min(plain, int.MaxValue), what);
    }

    private ulong LongLeb(string what)
    {
        ulong value = 0;
        for (var at = 0; at < rest.Length; at++)
        {
            var (bits, shift) = ((ulong)(rest[at] & 0x7F), 7 * at);
            if (shift >= 64 ? bits != 0 : bits << shift >> shift != bits) throw new DamageException($"a number in {what} is too big");
            if (shift < 64) value |= bits << shift;
            if (rest[at] >= 0x80) continue;
            rest = rest[(at + 1)..];
            return value;
        }
        throw new DamageException($"it is cut short in {what}");
    }

    private static unsafe byte[] Inflate(ReadOnlySpan<byte> packed, int size, string what)
    {
        try
        {
            var plain = new byte[size];
            fixed (byte* start = packed)
            {
                using var source = new UnmanagedMemoryStream(start, packed.Length);
                using var zlib = new ZLibStream(source, CompressionMode.Decompress);
                zlib.ReadExactly(plain);
            }
            return plain;
        }
        catch (Exception e) when (e is InvalidDataException or IOException or OutOfMemoryException)
        {
            throw new DamageException($"{what} cannot be decompressed");
        }
    }
}
