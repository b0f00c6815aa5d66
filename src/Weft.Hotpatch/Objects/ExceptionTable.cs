using Weft.Core;

namespace Weft.Hotpatch.Objects;

/// <summary>
/// A function's table of landing pads (LSDA), of which only the size is not written anywhere. Layout from LLVM's EHStreamer and
/// GCC's unwind-c.c: the encoding of the landing pads' base, that of the table of types and where it ends, then the call sites.
/// </summary>
internal static class ExceptionTable
{
    private const byte Omitted = 0xFF;

    public static long SizeOf(ReadOnlySpan<byte> section, long start, string name)
    {
        if (start < 0 || start + 4 > section.Length) throw Damaged(name);
        var table = section[(int)start..];
        var at = 0;
        var landings = table[at++];
        if (landings != Omitted) at += SizeOfPointer(landings, table, at, name); // GCC's, of functions with a cold part elsewhere
        if (at >= table.Length) throw Damaged(name);
        var types = table[at++];
        if (types != Omitted)
        {
            var distance = Uleb(table, ref at, name);
            return Within(table, at + (long)distance, name);
        }
        at++; // how call sites are encoded
        var length = Uleb(table, ref at, name);
        return Within(table, at + (long)length, name);
    }

    // DW_EH_PE_*: the low four bits say how wide it is.
    private static int SizeOfPointer(byte encoding, ReadOnlySpan<byte> table, int at, string name)
    {
        switch (encoding & 15)
        {
            case 0 or 4 or 12: return 8;
            case 3 or 11: return 4;
            case 2 or 10: return 2;
            default:
                var end = at;
                Uleb(table, ref end, name);
                return end - at;
        }
    }

    private static long Within(ReadOnlySpan<byte> table, long size, string name) => size <= table.Length ? size : throw Damaged(name);

    public static ulong Uleb(ReadOnlySpan<byte> bytes, ref int at, string name)
    {
        ulong value = 0;
        for (var shift = 0; at < bytes.Length && shift < 63; shift += 7)
        {
            var next = bytes[at++];
            value |= (ulong)(next & 0x7F) << shift;
            if ((next & 0x80) == 0) return value;
        }
        throw Damaged(name);
    }

    private static WeftException Damaged(string name) => new($"'{name}': damaged table of landing pads", "build it again");
}
