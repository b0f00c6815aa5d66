using System.Buffers.Binary;
using System.Text;

namespace Weft.Core;

/// <summary>
/// The little of ELF that archives and embedded bitcode need: sections and defined global symbols, for 32 and 64 bits,
/// little endian. Layouts from the System V ABI, chapter "Object Files".
/// </summary>
public sealed class ElfFile
{
    private readonly byte[] data;
    private readonly string name;
    private readonly bool wide;
    private readonly List<Section> sections = [];

    private ElfFile(byte[] data, string name)
    {
        this.data = data;
        this.name = name;
        wide = data[4] == 2;
        Guarded(() => { ReadSections(); return 0; });
    }

    private sealed record Section(uint NameAt, uint Type, ulong Flags, ulong Address, long Offset, long Size, uint Link)
    {
        public string Name { get; set; } = "";
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
    public IReadOnlyList<ElfFunction> Functions() => Guarded(() => ReadFunctions(2) is { Count: > 0 } full ? full : ReadFunctions(11));

    /// <summary>The linker's name for this build in hexadecimal, or empty.</summary>
    public string BuildId()
    {
        var note = SectionContent(".note.gnu.build-id");
        return note.Length > 16 ? Convert.ToHexStringLower(note[16..]) : "";
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
        const uint symbolTable = 2, dynamicSymbolTable = 11;
        var names = new List<string>();
        foreach (var section in sections.Where(s => s.Type is symbolTable or dynamicSymbolTable))
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
                ? new Section(U32(at), U32(at + 4), U64(at + 8), U64(at + 16), (long)U64(at + 24), (long)U64(at + 32), U32(at + 40))
                : new Section(U32(at), U32(at + 4), U32(at + 8), U32(at + 12), U32(at + 16), U32(at + 20), U32(at + 24)));
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

    private string Text(Section table, uint offset)
    {
        var rest = Slice(table)[(int)offset..];
        return Encoding.Latin1.GetString(rest[..rest.IndexOf((byte)0)]);
    }

    private ReadOnlySpan<byte> Slice(Section section) => data.AsSpan(checked((int)section.Offset), checked((int)section.Size));

    private ushort U16(int at) => BinaryPrimitives.ReadUInt16LittleEndian(data.AsSpan(at));

    private uint U32(int at) => BinaryPrimitives.ReadUInt32LittleEndian(data.AsSpan(at));

    private ulong U64(int at) => BinaryPrimitives.ReadUInt64LittleEndian(data.AsSpan(at));
}

/// <param name="Address">As the file has it, before the loader moves it.</param>
/// <param name="Size">In bytes; 0 where the assembler did not say.</param>
/// <param name="Name">The symbol, mangled.</param>
public sealed record ElfFunction(ulong Address, ulong Size, string Name);
