using System.Buffers.Binary;
using Weft.Core;

namespace Weft.Hotpatch.Check;

/// <summary>
/// Functions of a linked file that is stripped of their names: each has an entry in .eh_frame, with its start and its size. Layout
/// from the Linux Standard Base, "Exception Frames"; pointers as compilers write them, absolute or relative to themselves.
/// </summary>
internal static class FrameTable
{
    private const byte Absent = 0xFF, Form = 0x0F, Base = 0x70, Relative = 0x10;

    /// <returns>Starts and sizes; what cannot be understood is left out.</returns>
    public static List<(ulong Address, ulong Size)> Read(ElfFile elf, string name)
    {
        var list = new List<(ulong Address, ulong Size)>();
        foreach (var section in elf.Sections.Where(s => s.Name == ".eh_frame"))
            try { Read(elf.Content(section).Span, section.Address, list); }
            catch (Exception e) when (e is ArgumentException or IndexOutOfRangeException or OverflowException)
            {
                throw new WeftException($"{name}: damaged table of stack frames (.eh_frame)", "build it again", ExitCode.Failure, e);
            }
        return list;
    }

    private static void Read(ReadOnlySpan<byte> table, ulong address, List<(ulong Address, ulong Size)> list)
    {
        for (var at = 0; at + 8 <= table.Length;)
        {
            int length = checked((int)BinaryPrimitives.ReadUInt32LittleEndian(table[at..])), start = at + 4;
            if (length == 0) return;
            var owner = BinaryPrimitives.ReadInt32LittleEndian(table[start..]);
            if (owner != 0)
            {
                var encoding = Encoding(table[(start - owner + 4)..]);
                var pointer = start + 4;
                if (Pointer(table, ref pointer, encoding, address) is { } function && Pointer(table, ref pointer, (byte)(encoding & Form), address) is > 0 and var size) list.Add((function, size));
            }
            at = checked(start + length);
        }
    }

    // struct CIE from its id on: id, version, augmentation text, alignments of code and data, register, augmentation data.
    private static byte Encoding(ReadOnlySpan<byte> cie)
    {
        var at = 5;
        var end = at + cie[at..].IndexOf((byte)0);
        var augmentation = cie[at..end];
        if (!augmentation.StartsWith("z"u8)) return augmentation.IsEmpty ? (byte)0 : Absent;
        at = end + 1;
        for (var i = 0; i < 4; i++) SkipNumber(cie, ref at);
        foreach (var letter in augmentation[1..])
            switch ((char)letter)
            {
                case 'R': return cie[at];
                case 'L': at++; break;
                case 'P': SkipPersonality(cie, ref at); break;
                case 'S' or 'B' or 'G': break;
                default: return Absent;
            }
        return 0;
    }

    private static void SkipPersonality(ReadOnlySpan<byte> cie, ref int at)
    {
        var encoding = cie[at++];
        _ = Pointer(cie, ref at, (byte)(encoding & Form), 0);
    }

    private static void SkipNumber(ReadOnlySpan<byte> bytes, ref int at)
    {
        while ((bytes[at++] & 0x80) != 0) { /* more of the same number */ }
    }

    private static ulong? Pointer(ReadOnlySpan<byte> table, ref int at, byte encoding, ulong address)
    {
        if (encoding == Absent || (encoding & Base) is not (0 or Relative)) return null;
        var from = (encoding & Base) == Relative ? address + (ulong)at : 0;
        var bytes = table[at..];
        (long? value, var size) = (encoding & Form) switch
        {
            0 or 4 or 12 => ((long?)BinaryPrimitives.ReadInt64LittleEndian(bytes), 8),
            2 => (BinaryPrimitives.ReadUInt16LittleEndian(bytes), 2),
            3 => (BinaryPrimitives.ReadUInt32LittleEndian(bytes), 4),
            10 => (BinaryPrimitives.ReadInt16LittleEndian(bytes), 2),
            11 => (BinaryPrimitives.ReadInt32LittleEndian(bytes), 4),
            _ => (null, 0),
        };
        at += size;
        return value == null ? null : unchecked(from + (ulong)value.Value);
    }
}
