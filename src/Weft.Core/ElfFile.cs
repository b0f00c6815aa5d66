using System.Buffers.Binary;
using System.Text;

namespace Weft.Core;

/// <summary>
/// ELF as far as Weft reads it: sections, symbols and relocations, for 32 and 64 bits, little endian. Layouts from the System V
/// ABI, chapter "Object Files".
/// </summary>
public sealed class ElfFile
{
    private readonly byte[] data;
    private readonly string name;
    private readonly bool wide;
    private readonly List<ElfSection> sections = [];
    private IReadOnlyList<ElfSymbol>? symbols;
    private Dictionary<int, List<ElfSection>>? relocationTables;

    private ElfFile(byte[] data, string name)
    {
        this.data = data;
        this.name = name;
        wide = data[4] == 2;
        Guarded(() => { ReadSections(); return 0; });
    }

    /// <summary>Null when the data is not an ELF file this class reads.</summary>
    /// <exception cref="WeftException">An ELF file whose tables point outside it.</exception>
    public static ElfFile? TryRead(byte[] data, string name)
    {
        if (data.Length < 52 || !data.AsSpan().StartsWith("\x7F"u8) || !data.AsSpan(1).StartsWith("ELF"u8) || data[5] != 1) return null;
        return new ElfFile(data, name);
    }

    /// <summary>Content of the section of that name, or empty.</summary>
    public ReadOnlySpan<byte> SectionContent(string sectionName)
    {
        foreach (var section in sections)
            if (section.Name == sectionName && section.Type != 8) // SHT_NOBITS has no content
                return Guarded(() => data.AsMemory(checked((int)section.Offset), checked((int)section.Size))).Span;
        return [];
    }

    /// <summary>By index; the first is empty.</summary>
    public IReadOnlyList<ElfSection> Sections => sections;

    public bool Is64 => wide;

    /// <summary>The ABI's number of the processor: 62 is x86_64, 183 is aarch64.</summary>
    public int Machine => U16(18);

    /// <summary>Whether it is on its way to a linker.</summary>
    public bool IsRelocatable => U16(16) == 1;

    /// <summary>Content of a section; empty for one that only takes room in memory.</summary>
    public ReadOnlyMemory<byte> Content(ElfSection section) =>
        section.Type == ElfSection.NoBits ? default : Guarded(() => data.AsMemory(checked((int)section.Offset), checked((int)section.Size)));

    /// <summary>Part of the file.</summary>
    public ReadOnlyMemory<byte> Bytes(long offset, int size) => Guarded(() => data.AsMemory(checked((int)offset), size));

    /// <summary>Where in the file the header of a section is.</summary>
    public long HeaderOffset(int section) => (wide ? (long)U64(40) : U32(32)) + (long)section * U16(wide ? 58 : 46);

    /// <summary>What the loader maps, and what it is told.</summary>
    public IReadOnlyList<ElfSegment> Segments => Guarded(ReadSegments);

    /// <summary>The full symbol table by index, or the dynamic one of a stripped file; the first is empty.</summary>
    public IReadOnlyList<ElfSymbol> Symbols => symbols ??= Guarded(() => ReadSymbols(ElfSection.SymbolTable) is { Count: > 0 } full ? full : ReadSymbols(ElfSection.DynamicSymbolTable));

    /// <summary>What a linker is to change in a section of an object; only for 64 bits.</summary>
    public IReadOnlyList<ElfRelocation> Relocations(int section) => Guarded(() => ReadRelocations(section));

    public IEnumerable<string> SectionNames => sections.Select(s => s.Name);

    /// <summary>Whether anything in it will be among a program's code.</summary>
    public bool HasCode => sections.Exists(s => s.Size > 0 && s.Type is not (0 or 2 or 3 or 4 or 9) && ((s.Flags & 4) != 0 || DenyUninstrumented.IsCodeSection(s.Name))); // SHF_EXECINSTR, but no symbols or relocations

    /// <summary>Whether it is a shared library, or an executable that could be one.</summary>
    public bool IsShared => Guarded(() => U16(16)) == 3;

    /// <summary>Where the section of that name is in memory, before the loader moves it; 0 if there is none.</summary>
    public ulong SectionAddress(string sectionName) => sections.Find(s => s.Name == sectionName)?.Address ?? 0;

    /// <summary>Names of the global and weak symbols defined here: what an archive's index lists.</summary>
    public IReadOnlyList<string> DefinedGlobals() => Guarded(() => ReadGlobals(defined: true));

    /// <summary>Names that this file expects another to define.</summary>
    public IReadOnlyList<string> UndefinedGlobals() => Guarded(() => ReadGlobals(defined: false));

    /// <summary>Functions by address, from the full symbol table or, in a stripped file, from the dynamic one.</summary>
    public IReadOnlyList<ElfFunction> Functions() => Guarded(() => ReadFunctions(ElfSection.SymbolTable) is { Count: > 0 } full ? full : ReadFunctions(ElfSection.DynamicSymbolTable));

    /// <summary>The linker's name for this build in hexadecimal, or empty.</summary>
    public string BuildId()
    {
        var note = SectionContent(".note.gnu.build-id");
        return note.Length > 16 ? Convert.ToHexStringLower(note[16..]) : "";
    }

    private List<ElfSegment> ReadSegments()
    {
        var list = new List<ElfSegment>();
        int count = U16(wide ? 56 : 44), entry = U16(wide ? 54 : 42);
        for (var i = 0; i < count; i++)
        {
            var at = checked((int)((wide ? (long)U64(32) : U32(28)) + (long)i * entry));
            list.Add(wide
                ? new ElfSegment(U32(at), U32(at + 4), (long)U64(at + 8), U64(at + 16), (long)U64(at + 32), (long)U64(at + 40), U64(at + 48))
                : new ElfSegment(U32(at), U32(at + 24), U32(at + 4), U32(at + 8), U32(at + 16), U32(at + 20), U32(at + 28)));
        }
        return list;
    }

    private List<ElfSymbol> ReadSymbols(uint tableType)
    {
        var table = sections.FindIndex(s => s.Type == tableType);
        if (table < 0) return [];
        var section = sections[table];
        var extended = sections.Find(s => s.Type == ElfSection.ExtendedIndices && s.Link == table);
        var list = new List<ElfSymbol>();
        var entry = wide ? 24 : 16;
        for (var i = 0; i < section.Size / entry; i++)
        {
            var at = checked((int)(section.Offset + (long)i * entry));
            int index = U16(at + (wide ? 6 : 14));
            if (index == 0xFFFF && extended != null) index = checked((int)U32(checked((int)extended.Offset + i * 4)));
            var (value, size) = wide ? (U64(at + 8), U64(at + 16)) : (U32(at + 4), U32(at + 8));
            list.Add(new ElfSymbol(Text(sections[checked((int)section.Link)], U32(at)), value, size, data[at + (wide ? 4 : 12)], data[at + (wide ? 5 : 13)], index));
        }
        return list;
    }

    private List<ElfRelocation> ReadRelocations(int section)
    {
        var list = new List<ElfRelocation>();
        foreach (var table in RelocationTables(section))
            for (long i = 0; i < table.Size / 24; i++)
            {
                var at = checked((int)(table.Offset + i * 24));
                list.Add(new ElfRelocation(checked((int)U64(at)), U32(at + 8), checked((int)U32(at + 12)), (long)U64(at + 16)));
            }
        list.Sort((a, b) => a.Offset.CompareTo(b.Offset));
        return list;
    }

    private List<ElfSection> RelocationTables(int section)
    {
        if (relocationTables == null)
        {
            relocationTables = [];
            foreach (var table in sections)
                if (table.Type == ElfSection.RelocationsWithAddends)
                    if (relocationTables.TryGetValue((int)table.Info, out var others)) others.Add(table);
                    else relocationTables[(int)table.Info] = [table];
        }
        return relocationTables.GetValueOrDefault(section) ?? [];
    }

    private List<ElfFunction> ReadFunctions(uint tableType)
    {
        var functions = new List<ElfFunction>();
        var entry = wide ? 24 : 16;
        foreach (var section in sections.Where(s => s.Type == tableType))
            for (long i = 1; i < section.Size / entry; i++)
            {
                var at = checked((int)(section.Offset + i * entry));
                if ((data[at + (wide ? 4 : 12)] & 15) is not (2 or 10) || U16(at + (wide ? 6 : 14)) == 0) continue;
                var (address, size) = wide ? (U64(at + 8), U64(at + 16)) : (U32(at + 4), U32(at + 8));
                functions.Add(new ElfFunction(address, size, Text(sections[checked((int)section.Link)], U32(at))));
            }
        functions.Sort((a, b) => a.Address != b.Address ? a.Address.CompareTo(b.Address) : b.Size.CompareTo(a.Size));
        return functions;
    }

    private List<string> ReadGlobals(bool defined)
    {
        var names = new List<string>();
        foreach (var section in sections.Where(s => s.Type is ElfSection.SymbolTable or ElfSection.DynamicSymbolTable))
        {
            var entry = wide ? 24 : 16;
            for (long i = 1; i < section.Size / entry; i++)
            {
                var at = checked((int)(section.Offset + i * entry));
                var binding = data[at + (wide ? 4 : 12)] >> 4;
                var index = U16(at + (wide ? 6 : 14));
                if (index != 0 == defined && binding is 1 or 2 or 10) names.Add(Text(sections[checked((int)section.Link)], U32(at)));
            }
        }
        return names;
    }

    private void ReadSections()
    {
        var table = checked((int)(wide ? (long)U64(40) : U32(32)));
        int entry = U16(wide ? 58 : 46), count = U16(wide ? 60 : 48), names = U16(wide ? 62 : 50);
        if (table == 0) return;
        if (count == 0) count = checked((int)(wide ? (long)U64(table + 32) : U32(table + 20))); // more than 65,279 sections
        if (names == 0xFFFF) names = (int)U32(table + (wide ? 40 : 24));
        if (entry < (wide ? 64 : 40) || count > data.Length / entry) throw new OverflowException();
        for (var i = 0; i < count; i++)
        {
            var at = table + i * entry;
            sections.Add(wide
                ? new ElfSection(U32(at), U32(at + 4), U64(at + 8), U64(at + 16), (long)U64(at + 24), (long)U64(at + 32), U32(at + 40), U32(at + 44), U64(at + 48), U64(at + 56))
                : new ElfSection(U32(at), U32(at + 4), U32(at + 8), U32(at + 12), U32(at + 16), U32(at + 20), U32(at + 24), U32(at + 28), U32(at + 32), U32(at + 36)));
        }
        foreach (var section in sections) section.Name = Text(sections[names], section.NameAt);
    }

    private T Guarded<T>(Func<T> read)
    {
        try
        {
            return read();
        }
        catch (Exception e) when (e is ArgumentException or IndexOutOfRangeException or OverflowException)
        {
            throw new WeftException($"{name}: damaged ELF file", "build it again", ExitCode.Failure, e);
        }
    }

    private string Text(ElfSection table, uint offset)
    {
        var rest = Slice(table)[(int)offset..];
        return Encoding.Latin1.GetString(rest[..rest.IndexOf((byte)0)]);
    }

    private ReadOnlySpan<byte> Slice(ElfSection section) => data.AsSpan(checked((int)section.Offset), checked((int)section.Size));

    private ushort U16(int at) => BinaryPrimitives.ReadUInt16LittleEndian(data.AsSpan(at));

    private uint U32(int at) => BinaryPrimitives.ReadUInt32LittleEndian(data.AsSpan(at));

    private ulong U64(int at) => BinaryPrimitives.ReadUInt64LittleEndian(data.AsSpan(at));
}

/// <param name="Address">As the file has it, before the loader moves it.</param>
/// <param name="Size">In bytes; 0 where the assembler did not say.</param>
/// <param name="Name">The symbol, mangled.</param>
public sealed record ElfFunction(ulong Address, ulong Size, string Name);

/// <param name="NameAt">Where in the table of names.</param>
/// <param name="Type">What it holds, by the ABI's numbers.</param>
/// <param name="Flags">Its attributes in memory, by the ABI's bits.</param>
/// <param name="Address">In memory, before the loader moves it.</param>
/// <param name="Offset">In the file.</param>
/// <param name="Size">In bytes.</param>
/// <param name="Link">Another section, by type.</param>
/// <param name="Info">The same; of relocations, the section that they are for.</param>
/// <param name="Alignment">In bytes; 0 is 1.</param>
/// <param name="EntrySize">Of a table, or of what the linker may merge.</param>
public sealed record ElfSection(uint NameAt, uint Type, ulong Flags, ulong Address, long Offset, long Size, uint Link, uint Info, ulong Alignment, ulong EntrySize)
{
    public const uint Bits = 1, SymbolTable = 2, RelocationsWithAddends = 4, NoBits = 8, DynamicSymbolTable = 11, ExtendedIndices = 18;

    public string Name { get; internal set; } = "";

    /// <summary>Takes room in memory.</summary>
    public bool IsLoaded => (Flags & 2) != 0;

    public bool IsWritable => (Flags & 1) != 0;

    public bool IsCode => (Flags & 4) != 0;

    /// <summary>Nothing writes to it once the loader is done with it.</summary>
    public bool IsConstant => IsLoaded && !IsCode && (!IsWritable || Name.StartsWith(".data.rel.ro", StringComparison.Ordinal));

    /// <summary>Its entries may be shared with equal ones of other objects.</summary>
    public bool IsMergeable => (Flags & 0x10) != 0;

    /// <summary>Of those: each entry is text that ends with a zero.</summary>
    public bool IsText => (Flags & 0x20) != 0;

    /// <summary>Each thread has its own.</summary>
    public bool IsThreadLocal => (Flags & 0x400) != 0;
}

/// <param name="Type">What it is for, by the ABI's numbers.</param>
/// <param name="Flags">1: may be executed, 2: written, 4: read.</param>
/// <param name="Offset">In the file.</param>
/// <param name="Address">In memory, before the loader moves it.</param>
/// <param name="FileSize">In bytes.</param>
/// <param name="MemorySize">In bytes; what the file does not have is zero.</param>
/// <param name="Alignment">In bytes.</param>
public sealed record ElfSegment(uint Type, uint Flags, long Offset, ulong Address, long FileSize, long MemorySize, ulong Alignment)
{
    public const uint Load = 1, Dynamic = 2, Interpreter = 3, ThreadLocals = 7;
}

/// <param name="Name">Mangled; empty for one that stands for a section.</param>
/// <param name="Value">An address, or in an object the offset in the section.</param>
/// <param name="Size">In bytes.</param>
/// <param name="Info">Type and binding.</param>
/// <param name="Other">Visibility.</param>
/// <param name="Section">Index; 0: undefined, 0xFFF1: an absolute value, 0xFFF2: common.</param>
public sealed record ElfSymbol(string Name, ulong Value, ulong Size, byte Info, byte Other, int Section)
{
    public const int Absolute = 0xFFF1, Common = 0xFFF2;

    public int Type => Info & 15;

    public bool IsFunction => Type is 2 or 10;

    public bool IsSection => Type == 3;

    public bool IsFile => Type == 4;

    public bool IsThreadLocal => Type == 6;

    public bool IsLocal => Info >> 4 == 0;

    public bool IsWeak => Info >> 4 == 2;

    /// <summary>Defined in the file, at a place.</summary>
    public bool IsPlaced => Section is > 0 and < 0xFF00 or > 0xFFFF;
}

/// <param name="Offset">In the section.</param>
/// <param name="Type">By the numbers of the processor's ABI.</param>
/// <param name="Symbol">Index.</param>
/// <param name="Addend">To be added to the symbol's address.</param>
public sealed record ElfRelocation(int Offset, uint Type, int Symbol, long Addend);
