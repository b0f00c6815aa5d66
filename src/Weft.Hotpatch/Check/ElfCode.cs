using Weft.Core;

namespace Weft.Hotpatch.Check;

/// <summary>
/// Code of an ELF file. Functions are those of the symbol table; of a stripped file the dynamic ones and all that unwinding tables
/// describe. A part that the compiler moved away from its function (<c>f.cold</c>) is no function.
/// </summary>
internal static class ElfCode
{
    private const int X86 = 62, Arm = 183;

    /// <exception cref="WeftException">Damaged, or for another processor.</exception>
    public static MachineCode Read(ElfFile elf, string name)
    {
        Processor processor = elf.Machine switch
        {
            _ when !elf.Is64 => throw Foreign(name),
            X86 => Processor.X86,
            Arm => Processor.Arm,
            _ => throw Foreign(name),
        };
        try
        {
            var places = new Places(elf.IsRelocatable);
            for (var i = 0; i < elf.Sections.Count; i++)
                if (elf.Sections[i] is { IsCode: true, Size: > 0 } section && IsForPrograms(section) && elf.Content(section) is { Length: > 0 } content)
                    places.Add(i, section.Name, section.Address, Math.Max(section.Alignment, 1), content);
            foreach (var section in places.Indices) places.Refer(section, [.. References(elf, processor, places, section)]);
            return new(processor, elf.IsRelocatable, places.Sections, Functions(elf, name, places), IsFilled: elf.SectionContent(".comment").IndexOf("LLD "u8) >= 0);
        }
        catch (Exception e) when (e is ArgumentException or IndexOutOfRangeException or OverflowException)
        {
            throw new WeftException($"{name}: damaged ELF file", "build it again", ExitCode.Failure, e);
        }
    }

    // The linker writes the entries of its table of procedures: nobody can replace them.
    private static bool IsForPrograms(ElfSection section) => !section.Name.StartsWith(".plt", StringComparison.Ordinal);

    private static List<CodeFunction> Functions(ElfFile elf, string name, Places places)
    {
        var found = new List<CodeFunction>();
        foreach (var symbol in elf.Symbols)
            if (symbol is { IsFunction: true, IsPlaced: true } && places.At(symbol.Section, symbol.Value) is { } place)
                found.Add(Function(symbol.Name, place.Section, place.Place, symbol.Size));
        if (!elf.Sections.Any(s => s.Type == ElfSection.SymbolTable))
            foreach (var (address, size) in FrameTable.Read(elf, name))
                if (places.Holding(address) is { } section)
                    found.Add(Function("", section, address, size));
        return Ordered(found);
    }

    internal static CodeFunction Function(string symbol, CodeSection section, ulong entry, ulong size) => new(symbol, section, entry, Math.Min(size, section.End - entry));

    /// <summary>One function for each place: the longest, and of those the first by name.</summary>
    internal static List<CodeFunction> Ordered(List<CodeFunction> found)
    {
        found.Sort(static (a, b) => a.Entry != b.Entry ? a.Entry.CompareTo(b.Entry) : a.Size != b.Size ? b.Size.CompareTo(a.Size)
            : a.Symbol.Length == 0 != (b.Symbol.Length == 0) ? b.Symbol.Length - a.Symbol.Length : string.CompareOrdinal(a.Symbol, b.Symbol));
        var list = new List<CodeFunction>(found.Count);
        foreach (var function in found)
            if (list.Count == 0 || list[^1].Entry != function.Entry) list.Add(function);
            else if (list[^1].Symbol.Length == 0) list[^1] = list[^1] with { Symbol = function.Symbol };
        return list;
    }

    private static IEnumerable<CodeReference> References(ElfFile elf, Processor processor, Places places, int section)
    {
        if (!elf.IsRelocatable) yield break;
        // On x86_64 the distance counts from the end of the field.
        var rest = processor == Processor.X86 ? 4 : 0;
        foreach (var relocation in elf.Relocations(section))
        {
            var symbol = elf.Symbols[relocation.Symbol];
            var rests = rest == 4 && relocation.Type is 15 ? 1 : rest; // R_X86_64_PC8
            var place = symbol.IsPlaced ? places.At(symbol.Section, symbol.Value + (ulong)(relocation.Addend + rests)) : null;
            yield return new(relocation.Offset, place?.Place, !symbol.IsSection && relocation.Addend + rests == 0);
        }
    }

    private static WeftException Foreign(string name) => new($"{name}: code for a processor that hotpatch is not there for", "it is for x86_64 and aarch64 with 64 bits");
}

/// <summary>Sections by their index in the file, and where each lies in the one space of places: see <see cref="CodeSection"/>.</summary>
internal sealed class Places(bool isObject)
{
    private const ulong Apart = 1 << 16;

    private readonly Dictionary<int, CodeSection> byIndex = [];
    private List<CodeSection>? ordered;
    private ulong next = Apart;

    public IReadOnlyList<CodeSection> Sections => ordered ??= Ordered([.. byIndex.Values]);

    public List<int> Indices => [.. byIndex.Keys];

    public void Add(int index, string name, ulong address, ulong alignment, ReadOnlyMemory<byte> content)
    {
        if (!System.Runtime.InteropServices.MemoryMarshal.TryGetArray(content, out var bytes)) throw new ArgumentException("content is no array", nameof(content));
        byIndex[index] = new(name, isObject ? next : address, isObject ? 0 : address, isObject ? alignment : 4, bytes, []);
        next = (next + (ulong)content.Length + 2 * Apart) & ~(Apart - 1);
    }

    public void Refer(int index, IReadOnlyList<CodeReference> references)
    {
        if (references.Count == 0) return;
        var old = byIndex[index];
        byIndex[index] = new(old.Name, old.Start, old.Address, old.Alignment, old.Bytes, references);
        ordered = null;
    }

    /// <summary>Of a symbol's value, which is an offset in objects; null if it is in no code.</summary>
    public (CodeSection Section, ulong Place)? At(int index, ulong value)
    {
        if (!byIndex.TryGetValue(index, out var section)) return null;
        var place = isObject ? unchecked(section.Start + value) : value;
        return section.Contains(place) ? (section, place) : null;
    }

    private static List<CodeSection> Ordered(List<CodeSection> sections)
    {
        sections.Sort(static (a, b) => a.Start.CompareTo(b.Start));
        return sections;
    }

    public CodeSection? Holding(ulong place)
    {
        int low = 0, high = Sections.Count;
        while (low < high)
        {
            var middle = (low + high) / 2;
            if (Sections[middle].Start <= place) low = middle + 1;
            else high = middle;
        }
        return low > 0 && Sections[low - 1].Contains(place) ? Sections[low - 1] : null;
    }
}
