using System.Text;

namespace Weft.Coverage.Maps;

/// <summary>The sections of an ELF file of 32 or 64 bits in either byte order, read where they are: see <see cref="Core.ElfFile"/> for small ones.</summary>
internal sealed class ElfSections
{
    private const uint NoBits = 8, Compressed = 0x800;

    private readonly MappedFile file;
    private readonly ulong begin, size;
    private readonly bool wide;
    private readonly List<Section> sections = [];

    private ElfSections(MappedFile file, ulong begin, ulong size, ReadOnlySpan<byte> head)
    {
        (this.file, this.begin, this.size) = (file, begin, size);
        (wide, IsBigEndian) = (head[4] == 2, head[5] == 2);
        ReadTable();
    }

    public bool IsBigEndian { get; }

    /// <param name="file">Of which it is a part.</param>
    /// <param name="begin">Where it begins.</param>
    /// <param name="size">How many bytes it has.</param>
    /// <returns>Null if this is not an ELF file.</returns>
    /// <exception cref="DamageException">Its tables are not in it.</exception>
    public static ElfSections? TryRead(MappedFile file, ulong begin, ulong size)
    {
        if (size < 52) return null;
        var head = file.Slice(begin, 16, "its header").Span;
        return head.StartsWith("\x7F"u8) && head[1..].StartsWith("ELF"u8) && head[4] is 1 or 2 && head[5] is 1 or 2 ? new ElfSections(file, begin, size, head) : null;
    }

    /// <summary>Content of all sections of that name, in order: an object that is not linked has one for each group.</summary>
    public IEnumerable<ReadOnlyMemory<byte>> Contents(string name)
    {
        foreach (var section in sections)
        {
            if (section.Name != name || section.Type == NoBits || section.Size == 0) continue;
            if ((section.Flags & Compressed) != 0) throw new DamageException($"section {name} is compressed");
            yield return Slice(section.Offset, section.Size, $"section {name}");
        }
    }

    private void ReadTable()
    {
        const string what = "its section table";
        var header = Reader(Slice(0, wide ? 64u : 52, "its header"));
        header.Take(wide ? 40u : 32, what);
        var table = Word(ref header, what);
        header.Take(10, what);
        ulong entry = header.U16(what), count = header.U16(what), names = header.U16(what);
        if (table == 0) return;
        if (entry < (wide ? 64u : 40)) throw new DamageException($"{what} has entries that are too small");
        if (count == 0 || names == 0xFFFF)
        {
            // More than 65,279 sections: the first one tells.
            var first = Read(Slice(table, entry, what));
            if (count == 0) count = first.Size;
            if (names == 0xFFFF) names = first.Link;
        }
        if (count > size / entry) throw new DamageException($"{what} does not fit in it");
        var all = Slice(table, count * entry, what);
        for (ulong i = 0; i < count; i++) sections.Add(Read(all.Slice((int)(i * entry), (int)entry)));
        if (names >= count) throw new DamageException($"{what} has no names");
        var text = Slice(sections[(int)names].Offset, sections[(int)names].Size, "its names of sections").Span;
        foreach (var section in sections) section.Name = Text(text, section.NameAt);
    }

    private Section Read(ReadOnlyMemory<byte> entry)
    {
        const string what = "a section";
        var reader = Reader(entry);
        uint name = reader.U32(what), type = reader.U32(what);
        var flags = Word(ref reader, what);
        Word(ref reader, what); // address
        ulong offset = Word(ref reader, what), length = Word(ref reader, what);
        return new Section(name, type, flags, offset, length, reader.U32(what));
    }

    private static string Text(ReadOnlySpan<byte> names, uint at)
    {
        if (at >= names.Length) throw new DamageException("a section's name is outside its table");
        var rest = names[(int)at..];
        var end = rest.IndexOf((byte)0);
        return end < 0 ? throw new DamageException("a section's name does not end") : Encoding.Latin1.GetString(rest[..end]);
    }

    private ReadOnlyMemory<byte> Slice(ulong offset, ulong length, string what) =>
        offset > size || length > size - offset ? throw new DamageException($"it is cut short in {what}") : file.Slice(begin + offset, length, what);

    private ByteReader Reader(ReadOnlyMemory<byte> data) => new(data.Span, IsBigEndian);

    private ulong Word(ref ByteReader reader, string what) => wide ? reader.U64(what) : reader.U32(what);

    private sealed record Section(uint NameAt, uint Type, ulong Flags, ulong Offset, ulong Size, uint Link)
    {
        public string Name { get; set; } = "";
    }
}
