using System.Buffers.Binary;
using System.Text;

namespace Weft.Hotpatch.Check;

/// <summary>
/// A COFF object as far as hot patching asks: sections, symbols and relocations, with 16 and with 32 bits for the number of a section.
/// Layouts from the PE format's description, "COFF File Header", ANON_OBJECT_HEADER_BIGOBJ for the latter. What points outside of the
/// file throws <see cref="ArgumentException"/> or its like, wherever it is read.
/// </summary>
internal sealed class CoffFile
{
    public const ushort Amd64 = 0x8664, Arm64 = 0xAA64;
    private const int SectionSize = 40;

    private readonly byte[] data;
    private readonly int sectionsAt, sectionCount, symbolsAt, symbolCount, symbolSize;

    private CoffFile(byte[] data, bool isBig)
    {
        this.data = data;
        Machine = U16(isBig ? 6 : 0);
        sectionsAt = isBig ? 56 : 20;
        sectionCount = isBig ? checked((int)U32(44)) : U16(2);
        symbolsAt = checked((int)U32(isBig ? 48 : 8));
        symbolCount = checked((int)U32(isBig ? 52 : 12));
        symbolSize = isBig ? 20 : 18;
    }

    public int Machine { get; }

    /// <summary>Null when the data is not a COFF object for x86_64 or aarch64. There is no magic: sizes must fit as well.</summary>
    public static CoffFile? TryRead(byte[] data)
    {
        if (data.Length < 20) return null;
        var isBig = data.Length >= 56 && BinaryPrimitives.ReadUInt32LittleEndian(data) == 0xFFFF0000 && BinaryPrimitives.ReadUInt16LittleEndian(data.AsSpan(4)) >= 2;
        if (BinaryPrimitives.ReadUInt16LittleEndian(data.AsSpan(isBig ? 6 : 0)) is not (Amd64 or Arm64)) return null;
        if (!isBig && BinaryPrimitives.ReadUInt16LittleEndian(data.AsSpan(16)) != 0) return null; // executables have an optional header
        return new CoffFile(data, isBig);
    }

    public IEnumerable<CoffSection> Sections()
    {
        for (var i = 0; i < sectionCount; i++) yield return Section(sectionsAt + i * SectionSize);
    }

    public IEnumerable<CoffSymbol> Symbols()
    {
        for (var i = 0; i < symbolCount;)
        {
            var symbol = Symbol(i);
            yield return symbol;
            i += 1 + symbol.Auxiliary;
        }
    }

    public CoffSymbol Symbol(int index)
    {
        var at = checked(symbolsAt + index * symbolSize);
        var wide = symbolSize == 20;
        var section = wide ? (int)U32(at + 12) : (short)U16(at + 12);
        var type = at + (wide ? 16 : 14);
        return new(Name(at), U32(at + 8), section, U16(type), data[type + 2], data[type + 3]);
    }

    public ReadOnlyMemory<byte> Content(CoffSection section) => data.AsMemory(section.Offset, section.Size);

    /// <summary>Field, symbol and type of each relocation of a section.</summary>
    public IEnumerable<(int Offset, int Symbol, int Type)> Relocations(CoffSection section)
    {
        const int size = 10, overflow = 0x01000000;
        long count = section.RelocationCount, first = 0;
        if ((section.Flags & overflow) != 0 && count == 0xFFFF) (count, first) = (U32(section.RelocationsAt), 1); // the first entry counts them
        for (var i = first; i < count; i++)
        {
            var at = checked((int)(section.RelocationsAt + i * size));
            yield return (checked((int)U32(at)), checked((int)U32(at + 4)), U16(at + 8));
        }
    }

    private CoffSection Section(int at) =>
        new(SectionName(at), checked((int)U32(at + 20)), checked((int)U32(at + 16)), U32(at + 36), checked((int)U32(at + 24)), U16(at + 32));

    // A long name is "/" and its offset among the names.
    private string SectionName(int at)
    {
        var name = Encoding.Latin1.GetString(data.AsSpan(at, 8)).TrimEnd('\0');
        return name.StartsWith('/') && int.TryParse(name.AsSpan(1), System.Globalization.CultureInfo.InvariantCulture, out var offset) ? LongName(offset) : name;
    }

    private string Name(int at) => U32(at) == 0 ? LongName(checked((int)U32(at + 4))) : Encoding.Latin1.GetString(data.AsSpan(at, 8)).TrimEnd('\0');

    private string LongName(int offset)
    {
        var rest = data.AsSpan(checked(symbolsAt + symbolCount * symbolSize + offset));
        return Encoding.UTF8.GetString(rest[..rest.IndexOf((byte)0)]);
    }

    private ushort U16(int at) => BinaryPrimitives.ReadUInt16LittleEndian(data.AsSpan(at));

    private uint U32(int at) => BinaryPrimitives.ReadUInt32LittleEndian(data.AsSpan(at));
}

/// <param name="Name">As the assembler was given it.</param>
/// <param name="Offset">In the file.</param>
/// <param name="Size">In bytes.</param>
/// <param name="Flags">IMAGE_SCN bits.</param>
/// <param name="RelocationsAt">In the file.</param>
/// <param name="RelocationCount">As the header has it.</param>
internal sealed record CoffSection(string Name, int Offset, int Size, uint Flags, int RelocationsAt, int RelocationCount)
{
    public bool IsCode => (Flags & 0x20000020) != 0;

    public ulong Alignment => (Flags >> 20 & 15) is > 0 and var power ? 1UL << (int)(power - 1) : 1;
}

/// <param name="Name">Mangled.</param>
/// <param name="Value">Offset in its section.</param>
/// <param name="Section">From 1; others are defined elsewhere or are no places.</param>
/// <param name="Type">32 is a function.</param>
/// <param name="Class">2 is external, 3 is static.</param>
/// <param name="Auxiliary">Entries that follow and belong to it.</param>
internal sealed record CoffSymbol(string Name, uint Value, int Section, int Type, byte Class, byte Auxiliary)
{
    public bool IsFunction => Type == 0x20 && Section > 0 && Class is 2 or 3;

    // The section's own symbol has what describes the section behind it.
    public bool IsSection => Class == 3 && Auxiliary > 0 && Value == 0;
}
