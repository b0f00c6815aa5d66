using System.Buffers.Binary;
using Weft.Core;

namespace Weft.Hotpatch.Patches;

/// <summary>A linked program or shared library: where its symbols are, and what its memory holds at the start. Offsets count from where it is loaded.</summary>
internal sealed class Image
{
    private readonly ElfFile elf;
    private readonly Dictionary<string, List<(string Unit, ElfSymbol Symbol)>> byName = [];
    private readonly HashSet<string> imports = [];
    private readonly ulong origin;
    private Dictionary<ulong, ulong>? pointers;

    private Image(ElfFile elf, string path)
    {
        this.elf = elf;
        Path = path;
        origin = elf.Segments.Where(s => s.Type == ElfSegment.Load).Min(s => s.Address) & ~0xFFFUL;
        var unit = "";
        foreach (var symbol in elf.Symbols)
        {
            if (symbol.IsFile) unit = symbol.Name;
            else if (symbol.Section == 0 && symbol.Name.Length > 0) imports.Add(Unversioned(symbol.Name));
            else if (symbol.IsPlaced && !symbol.IsSection && symbol.Name.Length > 0) Add(symbol.IsLocal ? unit : "", symbol);
        }
    }

    public string Path { get; }

    public int Machine => elf.Machine;

    public string BuildId => elf.BuildId();

    /// <summary>Whether it is a program: its thread-locals lie at a distance from the thread pointer that is known now.</summary>
    public bool IsProgram => !elf.IsShared || elf.Segments.Any(s => s.Type == ElfSegment.Interpreter) || IsStaticPie;

    public ElfSegment? ThreadLocals => elf.Segments.FirstOrDefault(s => s.Type == ElfSegment.ThreadLocals);

    /// <summary>Null when it is something else.</summary>
    public static Image? TryRead(string path) =>
        ElfFile.TryRead(AtomicFile.Read(path), path) is { Is64: true, IsRelocatable: false } elf && elf.Segments.Any(s => s.Type == ElfSegment.Load) ? new Image(elf, path) : null;

    public static Image Read(string path) => TryRead(path) ?? throw new WeftException($"'{path}' is no 64-bit ELF program or shared library", "name what the linker made");

    /// <summary>What an earlier build left in the file of what it is made of.</summary>
    public Snapshot ReadSnapshot()
    {
        var section = elf.Sections.FirstOrDefault(s => s.Name == Snapshot.SectionName)
            ?? throw new WeftException($"'{Path}' does not say what it is made of", "build it with --with hotpatch, and do not strip the copy that patches are made from");
        return Snapshot.Read(elf.Content(section), Path);
    }

    /// <summary>Where what another object may refer to is; null when it is not in the image, or more than once.</summary>
    public (ElfSymbol Symbol, ulong Offset)? FindGlobal(string name)
    {
        if (!byName.TryGetValue(name, out var list)) return null;
        var globals = list.Where(e => !e.Symbol.IsLocal).ToList();
        if (globals.Count == 0) globals = list; // hidden ones are local once they are linked
        return globals.Select(e => (e.Symbol.Value, e.Symbol.Type)).Distinct().Count() == 1 ? (globals[0].Symbol, OffsetOf(globals[0].Symbol)) : null;
    }

    /// <summary>Whether a shared library gives it that.</summary>
    public bool Imports(string name) => imports.Contains(name);

    /// <summary>Where what only one source file knows is; several when names of source files repeat.</summary>
    public IEnumerable<(ElfSymbol Symbol, ulong Offset)> FindLocals(string unit, string name) =>
        byName.TryGetValue(name, out var list) ? list.Where(e => e.Symbol.IsLocal && e.Unit == unit).Select(e => (e.Symbol, OffsetOf(e.Symbol))) : [];

    /// <summary>What memory holds there at the start; empty where the file says nothing.</summary>
    public ReadOnlyMemory<byte> At(ulong offset, int size)
    {
        var address = origin + offset;
        foreach (var segment in elf.Segments)
            if (segment.Type == ElfSegment.Load && address >= segment.Address && address + (ulong)size <= segment.Address + (ulong)segment.FileSize)
                return elf.Bytes((long)(address - segment.Address) + segment.Offset, size);
        return default;
    }

    /// <summary>Places that the loader writes an address within the image to, and what it writes. A program that is not loaded anywhere else has none.</summary>
    public IReadOnlyDictionary<ulong, ulong> Pointers => pointers ??= ReadPointers();

    /// <summary>Whether nothing writes there once the loader is done.</summary>
    public bool IsConstant(ulong offset, int size)
    {
        var address = origin + offset;
        return elf.Sections.Any(s => s.IsConstant && address >= s.Address && address + (ulong)size <= s.Address + (ulong)s.Size);
    }

    /// <summary>Where the program has a constant of these bytes, that only its content matters of.</summary>
    public ulong? FindConstant(ReadOnlySpan<byte> bytes, int alignment)
    {
        foreach (var section in elf.Sections)
        {
            if (!section.IsLoaded || section.IsWritable || section.IsCode || !section.Name.StartsWith(".rodata", StringComparison.Ordinal)) continue;
            var content = elf.Content(section).Span;
            for (var at = 0; content[at..].IndexOf(bytes) is var next and >= 0; at += next + 1)
                if ((section.Address + (ulong)(at + next)) % (ulong)alignment == 0) return section.Address + (ulong)(at + next) - origin;
        }
        return null;
    }

    /// <summary>How far a thread-local of a program is from the thread pointer (ELF Handling For Thread-Local Storage, variants I and II).</summary>
    public long ThreadOffset(ulong offset)
    {
        var segment = ThreadLocals ?? throw new WeftException($"'{Path}' has no thread-local variables", "build it again");
        var (address, size, mask) = ((long)segment.Address, segment.MemorySize, (long)Math.Max(1, segment.Alignment) - 1);
        return Machine == Objects.Architecture.X86 ? (long)offset - size - ((-address - size) & mask) : (long)offset + 16 + ((address - 16) & mask);
    }

    // R_X86_64_RELATIVE, R_AARCH64_RELATIVE
    private Dictionary<ulong, ulong> ReadPointers()
    {
        const int entrySize = 24;
        var relative = Machine == Objects.Architecture.X86 ? 8u : 1027u;
        var found = new Dictionary<ulong, ulong>();
        foreach (var section in elf.Sections.Where(s => s.IsLoaded && s.Type == ElfSection.RelocationsWithAddends))
            for (var entries = elf.Content(section).Span; entries.Length >= entrySize; entries = entries[entrySize..])
                if (BinaryPrimitives.ReadUInt64LittleEndian(entries[8..]) == relative)
                    found[BinaryPrimitives.ReadUInt64LittleEndian(entries) - origin] = BinaryPrimitives.ReadUInt64LittleEndian(entries[16..]) - origin;
        return found;
    }

    private ulong OffsetOf(ElfSymbol symbol) => symbol.IsThreadLocal ? symbol.Value : symbol.Value - origin;

    private void Add(string unit, ElfSymbol symbol)
    {
        var name = Unversioned(symbol.Name); // what a shared library defines and the program keeps
        if (!byName.TryGetValue(name, out var list)) byName[name] = list = [];
        list.Add((unit, symbol));
    }

    private static string Unversioned(string name) => name.IndexOf('@') is var version and > 0 ? name[..version] : name;

    // Nothing loads it, and yet it may be loaded anywhere.
    private bool IsStaticPie
    {
        get
        {
            const int flags1 = 0x6FFFFFFB, pie = 0x08000000;
            if (elf.Segments.FirstOrDefault(s => s.Type == ElfSegment.Dynamic) is not { } segment) return false;
            var table = elf.Bytes(segment.Offset, checked((int)segment.FileSize)).Span;
            for (; table.Length >= 16; table = table[16..])
                if (BinaryPrimitives.ReadInt64LittleEndian(table) == flags1) return (BinaryPrimitives.ReadInt64LittleEndian(table[8..]) & pie) != 0;
            return false;
        }
    }
}
