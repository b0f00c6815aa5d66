using Weft.Hotpatch.Objects;

namespace Weft.Hotpatch.Patches;

/// <summary>
/// Where a program has constants without a name, which go by what they hold: texts, numbers, and tables of addresses as the vtables of Rust are.
/// <code>
/// .rodata..Lanon.0          "text"                             the same bytes among the program's constants
/// .data.rel.ro..Lvtable.1   0, 24, 8, &lt;Fish as Creature>::step    the same numbers, and that function's address, once the loader is done
/// </code>
/// </summary>
/// <param name="image">The program.</param>
/// <param name="addressOf">Where it has what has a name; null: nowhere.</param>
internal sealed class ImageConstants(Image image, Func<Place, ulong?> addressOf)
{
    private const int WordSize = 8;

    private readonly Dictionary<(ObjectFile File, int Section, long Start), ulong?> known = [];
    private ILookup<ulong, ulong>? pointers;

    /// <summary>From the program's beginning; null if it has no such constant.</summary>
    public ulong? Find(Place place)
    {
        var key = (place.File, place.Section, place.Start);
        if (known.TryGetValue(key, out var found)) return found;
        known[key] = null; // one that leads back to itself is not looked for
        return known[key] = place.File.SectionOf(place.Section).IsConstant ? Search(place) : null;
    }

    private ulong? Search(Place place)
    {
        var section = place.File.SectionOf(place.Section);
        var bytes = place.File.Elf.Content(section).Span.Slice((int)place.Start, (int)place.Size).ToArray();
        var alignment = section.IsText ? 1 : section.IsMergeable ? (int)place.Size : (int)Math.Max(1, section.Alignment);
        if (bytes.Length == 0) return null;
        var words = new List<(int At, ulong Target)>();
        foreach (var relocation in place.File.RelocationsIn(place.Section, place.Start, place.Size))
        {
            var target = place.File.Resolve(relocation, inCode: false);
            if (!place.File.Architecture.IsAddress(relocation.Type) || AddressOf(target) is not { } address) return null;
            words.Add((relocation.Offset - (int)place.Start, address + (ulong)target.Addend));
        }
        return words.Count == 0 ? image.FindConstant(bytes, alignment) : FindTable(bytes, words);
    }

    private ulong? AddressOf(Place target)
    {
        if (target.Symbol == null) return Find(target with { Addend = 0 });
        var isWithinCode = target is { Section: not 0, Addend: not 0 } && target.File.SectionOf(target.Section).IsCode; // a label, which old code has elsewhere
        return isWithinCode ? null : addressOf(target);
    }

    // By its first address: few places hold the same.
    private ulong? FindTable(byte[] bytes, List<(int At, ulong Target)> words)
    {
        pointers ??= image.Pointers.ToLookup(p => p.Value, p => p.Key);
        foreach (var (at, _) in words) bytes.AsSpan(at, WordSize).Clear();
        foreach (var place in pointers[words[0].Target])
            if (place >= (ulong)words[0].At && IsTable(place - (ulong)words[0].At, bytes, words)) return place - (ulong)words[0].At;
        return null;
    }

    private bool IsTable(ulong start, byte[] bytes, List<(int At, ulong Target)> words)
    {
        if (!image.IsConstant(start, bytes.Length)) return false;
        for (var at = 0; at + WordSize <= bytes.Length; at += WordSize)
        {
            var isPointer = image.Pointers.TryGetValue(start + (ulong)at, out var target);
            if (isPointer != words.Exists(w => w.At == at) || isPointer && !words.Contains((at, target))) return false;
            if (!isPointer && !image.At(start + (ulong)at, WordSize).Span.SequenceEqual(bytes.AsSpan(at, WordSize))) return false;
        }
        var rest = bytes.Length % WordSize;
        return image.At(start + (ulong)(bytes.Length - rest), rest).Span.SequenceEqual(bytes.AsSpan(bytes.Length - rest));
    }
}
