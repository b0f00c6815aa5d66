using Weft.Core;

namespace Weft.Hotpatch.Objects;

/// <summary>
/// A 64-bit ELF object, taken apart: functions and variables by name, and what their code and content refer to. Made for objects
/// with a section for each of them, as both of Weft's doors make them when functions are to be replaceable.
/// </summary>
internal sealed class ObjectFile
{
    private readonly Dictionary<int, List<ElfSymbol>> named;
    private readonly Dictionary<int, IReadOnlyList<ElfRelocation>> relocations = [];
    private Dictionary<(int Section, long Start), Frame>? frames;
    private IReadOnlyList<(string Name, string Layout)>? types;
    private IReadOnlyList<(string Name, string Layout)>? callTypes;
    private Digests? digests;

    private ObjectFile(string name, ElfFile elf)
    {
        Name = name;
        Elf = elf;
        Architecture = Architecture.Of(elf, name);
        named = elf.Symbols.Where(IsNamed).GroupBy(s => s.Section).ToDictionary(g => g.Key, g => g.OrderBy(s => s.Value).ThenByDescending(s => s.Size).ToList());
        Unit = elf.Symbols.FirstOrDefault(s => s.IsFile)?.Name ?? "";
    }

    /// <summary>What messages call it.</summary>
    public string Name { get; }

    public ElfFile Elf { get; }

    public Architecture Architecture { get; }

    /// <summary>Its main source file, by which names that only it knows are told from those of other objects.</summary>
    public string Unit { get; }

    /// <summary>Functions and variables that it defines.</summary>
    public IEnumerable<ElfSymbol> Definitions => named.Values.SelectMany(list => list);

    /// <summary>Of what it defines; for one thread at a time.</summary>
    public Digests Digests => digests ??= new Digests(this);

    /// <summary>What it says of types and signatures: see <see cref="Weaving.TypeLayouts"/>.</summary>
    public IReadOnlyList<(string Name, string Layout)> Types => types ??= [.. Elf.Sections.Where(s => s.Name == Weaving.TypeLayouts.Section).SelectMany(s => Weaving.TypeLayouts.Read(Elf.Content(s), Name)).Select(WithUnit)];

    /// <summary>Of those, what is about closures and about how functions are called: few of very many.</summary>
    public IReadOnlyList<(string Name, string Layout)> CallTypes => callTypes ??= [.. Types.Where(IsAboutCalls)];

    /// <summary>Null when it is no object that this class reads.</summary>
    public static ObjectFile? TryRead(byte[] content, string name) =>
        ElfFile.TryRead(content, name) is { Is64: true, IsRelocatable: true } elf ? new ObjectFile(name, elf) : null;

    /// <summary>Does ahead, on all processors, what takes most of the time of a comparison: digests, and layouts of types.</summary>
    /// <param name="files">Objects.</param>
    /// <param name="wanted">Whether a digest will be asked for. Much of what an object defines is in no program.</param>
    public static void Prepare(IReadOnlyList<ObjectFile> files, Func<ObjectFile, ElfSymbol, bool> wanted) => InParallel.Map(files, file => Prepare(file, wanted));

    private static bool Prepare(ObjectFile file, Func<ObjectFile, ElfSymbol, bool> wanted)
    {
        try
        {
            foreach (var symbol in file.Definitions)
                if (file.SectionOf(symbol.Section).IsLoaded && wanted(file, symbol)) file.Digests.Of(symbol);
            _ = file.CallTypes;
            return true;
        }
        catch (WeftException)
        {
            return false; // whoever compares what is damaged says so; some of it may not be compared
        }
    }

    public ElfSection SectionOf(int index) => Elf.Sections[index];

    public IReadOnlyList<ElfRelocation> RelocationsOf(int section) =>
        relocations.TryGetValue(section, out var known) ? known : relocations[section] = Elf.Relocations(section);

    /// <summary>Relocations of a range of a section, with offsets from its beginning.</summary>
    public IEnumerable<ElfRelocation> RelocationsIn(int section, long start, long size)
    {
        var all = RelocationsOf(section);
        for (var i = FirstFrom(all, start); i < all.Count && all[i].Offset < start + size; i++) yield return all[i];
    }

    /// <summary>What the unwinder is told of a function; null when it is told nothing.</summary>
    public Frame? FrameOf(int section, long start) => (frames ??= Frame.ReadAll(this)).GetValueOrDefault((section, start));

    /// <summary>What has the symbol's name.</summary>
    public Place PlaceOf(ElfSymbol symbol) => symbol.IsPlaced ? new Place(this, symbol, symbol.Section, (long)symbol.Value, (long)symbol.Size, 0) : new Place(this, symbol, 0, 0, (long)symbol.Size, 0);

    /// <param name="relocation">What is to be changed.</param>
    /// <param name="inCode">Whether that is an operand of an instruction: its addend then counts from the next one.</param>
    public Place Resolve(ElfRelocation relocation, bool inCode)
    {
        var symbol = Elf.Symbols[relocation.Symbol];
        if (!symbol.IsPlaced || IsNamed(symbol)) return PlaceOf(symbol) with { Addend = relocation.Addend };
        var at = (long)symbol.Value + relocation.Addend; // from the section's beginning
        var target = at + (inCode ? Architecture.Bias(relocation.Type) : 0);
        var section = SectionOf(symbol.Section);
        if (section.IsMergeable) return Merged(symbol, section, at, symbol.IsSection ? target : (long)symbol.Value);
        if (Owner(symbol.Section, target) is { } owner) return PlaceOf(owner) with { Addend = at - (long)owner.Value };
        if (!section.Name.StartsWith(".gcc_except_table", StringComparison.Ordinal)) return new Place(this, null, symbol.Section, 0, section.Size, at);
        return new Place(this, null, symbol.Section, target, ExceptionTable.SizeOf(Elf.Content(section).Span, target, Name), at - target);
    }

    private Place Merged(ElfSymbol symbol, ElfSection section, long at, long target)
    {
        var content = Elf.Content(section).Span;
        if (target < 0 || target >= content.Length) throw Damaged($"section {section.Name} is referred to outside of it");
        var width = Math.Max(1, (long)section.EntrySize);
        var start = section.IsText ? target : target / width * width;
        var size = section.IsText ? TextSize(content[(int)start..], (int)width) : width;
        return new Place(this, null, symbol.Section, start, size, at - start);
    }

    private static long TextSize(ReadOnlySpan<byte> text, int width)
    {
        for (var i = 0; i + width <= text.Length; i += width)
            if (text.Slice(i, width).IndexOfAnyExcept((byte)0) < 0)
                return i + width;
        return text.Length;
    }

    /// <summary>Whose bytes these are; the only one of a section has all of it.</summary>
    private ElfSymbol? Owner(int section, long target)
    {
        if (!named.TryGetValue(section, out var list)) return null;
        if (list.Count == 1) return list[0];
        return list.LastOrDefault(s => (long)s.Value <= target && target < (long)(s.Value + s.Size)) ?? list.LastOrDefault(s => (long)s.Value <= target);
    }

    private static bool IsAboutCalls((string Name, string Layout) line) => line.Name[0] switch
    {
        'T' => Weaving.ClosureNames.IsIn(line.Name),
        'F' => Weaving.ClosureNames.IsIn(line.Layout),
        _ => true,
    };

    private (string Name, string Layout) WithUnit((string Name, string Layout) line) => line.Name.StartsWith("C ", StringComparison.Ordinal) ? ($"C {Unit} {line.Name[2..]}", line.Layout) : line;

    // Labels of a compiler's or an assembler's own have no type, or names that change with their number.
    private static bool IsNamed(ElfSymbol symbol) =>
        symbol.IsPlaced && !symbol.IsSection && !symbol.IsFile && !symbol.Name.StartsWith(".L", StringComparison.Ordinal) && (symbol.Type is 1 or 2 or 6 or 10 || !symbol.IsLocal);

    private static int FirstFrom(IReadOnlyList<ElfRelocation> all, long start)
    {
        var (low, high) = (0, all.Count);
        while (low < high)
        {
            var middle = (low + high) / 2;
            if (all[middle].Offset < start) low = middle + 1;
            else high = middle;
        }
        return low;
    }

    public WeftException Damaged(string what) => new($"'{Name}': {what}", "build it again");
}
