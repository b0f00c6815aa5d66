using System.Buffers.Binary;
using System.Text;
using Weft.Coverage.Profiles;

namespace Weft.Tests;

/// <summary>Writes raw profiles as the runtimes of LLVM 14 to 22 do, for machines that tests do not run on.</summary>
internal sealed class RawProfileWriter(int version, bool wide = true, bool bigEndian = false, ulong variants = 0)
{
    private readonly List<byte> bytes = [];

    private int Pointer => wide ? 8 : 4;

    private int BitmapBytesAt => 16 + 4 * Pointer + 4 + (version >= 10 ? 8 : 4);

    private int RecordSize => ((version >= 9 ? BitmapBytesAt + 4 : 16 + 3 * Pointer + 8) + 7) / 8 * 8;

    /// <param name="functions">Written in order.</param>
    /// <param name="valueSites">Adds values profiled to the first function.</param>
    /// <param name="binaryId">Of the program.</param>
    public byte[] Write(IReadOnlyList<FunctionCounts> functions, bool valueSites = false, string binaryId = "")
    {
        const ulong counterSection = 0x5000, dataSection = 0x3000, bitmapSection = 0x9000;
        bytes.Clear();
        var isSingle = (variants & (ulong)ProfileVariants.SingleByte) != 0;
        var counterSize = isSingle ? 1 : 8;
        var names = Names(functions);
        var counters = functions.Sum(f => f.Counts.Length);
        var bitmaps = functions.Sum(f => f.Bitmap.Length);
        U64((ulong)(wide ? 0xFF6C70726F667281 : 0xFF6C70726F665281));
        U64((uint)version | variants);
        U64(binaryId.Length == 0 ? 0 : 8 + (ulong)(binaryId.Length + 7) / 8 * 8);
        U64((ulong)functions.Count);
        U64(16); // padding
        U64((ulong)counters);
        U64((ulong)(-counters * counterSize & 7));
        if (version >= 9)
        {
            U64((ulong)bitmaps);
            U64((ulong)(-bitmaps & 7));
        }
        U64((ulong)names.Length);
        U64(Delta(counterSection - dataSection));
        if (version >= 9) U64(Delta(bitmapSection - dataSection));
        U64(0x7000);
        if (version >= 10) { U64(0); U64(0); }
        U64(version >= 10 ? 2UL : 1);
        if (binaryId.Length > 0)
        {
            U64((ulong)binaryId.Length);
            bytes.AddRange(Encoding.ASCII.GetBytes(binaryId));
            Align();
        }
        Records(functions, counterSection - dataSection, bitmapSection - dataSection, counterSize, valueSites);
        bytes.AddRange(new byte[16]);
        foreach (var count in functions.SelectMany(f => f.Counts))
            if (isSingle) bytes.Add(count == 0 ? (byte)0xFF : (byte)0);
            else U64(count);
        Align();
        foreach (var function in functions) bytes.AddRange(function.Bitmap);
        Align();
        bytes.AddRange(names);
        Align();
        if (valueSites) Values();
        return [.. bytes];
    }

    private void Records(IReadOnlyList<FunctionCounts> functions, ulong counters, ulong bitmaps, int counterSize, bool valueSites)
    {
        for (var i = 0; i < functions.Count; i++)
        {
            var function = functions[i];
            var start = bytes.Count;
            U64(function.NameHash);
            U64(function.StructuralHash);
            Address(counters - (ulong)(i * RecordSize));
            if (version >= 9) Address(bitmaps - (ulong)(i * RecordSize));
            Address(0x1234);
            Address(0);
            U32((uint)function.Counts.Length);
            for (var kind = 0; kind < (version >= 10 ? 3 : 2); kind++) U16((ushort)(valueSites && i == 0 && kind == 0 ? 1 : 0));
            while ((bytes.Count - start) % 4 != 0) bytes.Add(0);
            if (version >= 9) U32((uint)function.Bitmap.Length);
            while (bytes.Count - start < RecordSize) bytes.Add(0);
            counters += (ulong)(function.Counts.Length * counterSize);
            bitmaps += (ulong)function.Bitmap.Length;
        }
    }

    /// <summary>One kind with one site, which has two values.</summary>
    private void Values()
    {
        U32(8 + 16 + 32);
        U32(1);
        U32(0);
        U32(1);
        bytes.AddRange(new byte[] { 2, 0, 0, 0, 0, 0, 0, 0 });
        for (var i = 0; i < 4; i++) U64(77);
    }

    private static byte[] Names(IReadOnlyList<FunctionCounts> functions)
    {
        var names = Encoding.UTF8.GetBytes(string.Join('\u0001', functions.Select(f => f.Name)));
        var head = names.Length < 128 ? new[] { (byte)names.Length } : [(byte)(names.Length & 127 | 128), (byte)(names.Length >> 7)];
        return [.. head, 0, .. names];
    }

    private ulong Delta(ulong value) => wide ? value : (uint)value;

    private void Align() => bytes.AddRange(new byte[-bytes.Count & 7]);

    private void Address(ulong value)
    {
        if (wide) U64(value);
        else U32((uint)value);
    }

    private void U64(ulong value)
    {
        Span<byte> number = stackalloc byte[8];
        if (bigEndian) BinaryPrimitives.WriteUInt64BigEndian(number, value);
        else BinaryPrimitives.WriteUInt64LittleEndian(number, value);
        foreach (var b in number) bytes.Add(b);
    }

    private void U32(uint value)
    {
        Span<byte> number = stackalloc byte[4];
        if (bigEndian) BinaryPrimitives.WriteUInt32BigEndian(number, value);
        else BinaryPrimitives.WriteUInt32LittleEndian(number, value);
        foreach (var b in number) bytes.Add(b);
    }

    private void U16(ushort value)
    {
        bytes.Add((byte)(bigEndian ? value >> 8 : value));
        bytes.Add((byte)(bigEndian ? value : value >> 8));
    }
}
