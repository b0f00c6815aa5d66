using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;
using Weft.Core;

namespace Weft.Hotpatch.Objects;

/// <summary>
/// A number for what a function or variable is: its bytes, and what they refer to by name or, where that has none, by content. Two
/// builds of the same code have the same, wherever it lies and whatever its strings are called; any other difference shows.
/// <para>
/// One difference does not count: the line and column in a <c>core::panic::Location</c> of Rust. A line added at the top of a file
/// changes those of all functions behind it, which are not changed for it.
/// </para>
/// </summary>
internal sealed class Digests(ObjectFile file)
{
    private readonly Dictionary<(int Section, long Start), UInt128> known = [];

    /// <summary>Of a function, with its landing pads, or a variable.</summary>
    public UInt128 Of(ElfSymbol symbol)
    {
        var place = file.PlaceOf(symbol);
        return Of(place, symbol.IsFunction ? file.FrameOf(place.Section, place.Start)?.Landings : null);
    }

    private UInt128 Of(Place place, ElfRelocation? landings)
    {
        if (known.TryGetValue((place.Section, place.Start), out var digest)) return digest;
        known[(place.Section, place.Start)] = UInt128.MaxValue; // tables that point at each other end here
        try
        {
            return known[(place.Section, place.Start)] = Make(place, landings);
        }
        catch (WeftException)
        {
            known.Remove((place.Section, place.Start));
            throw;
        }
    }

    private UInt128 Make(Place place, ElfRelocation? landings)
    {
        using var text = new MemoryStream();
        Write(text, place);
        if (landings is { } table) WriteTarget(text, file.Resolve(table, inCode: false));
        text.TryGetBuffer(out var buffer);
        return BinaryPrimitives.ReadUInt128LittleEndian(SHA256.HashData(buffer));
    }

    private void Write(MemoryStream text, Place place)
    {
        var section = file.SectionOf(place.Section);
        var relocations = file.RelocationsIn(place.Section, place.Start, place.Size).ToList();
        WriteNumber(text, (section.IsWritable ? 1 : 0) | (section.IsCode ? 2 : 0) | (section.IsThreadLocal ? 4 : 0));
        WriteNumber(text, place.Size);
        var content = file.Elf.Content(section);
        if (content.Length == 0) return; // all zero
        var bytes = content.Slice(checked((int)place.Start), checked((int)place.Size)).ToArray();
        foreach (var relocation in relocations) bytes.AsSpan(relocation.Offset - (int)place.Start, Math.Min(file.Architecture.Width(relocation.Type), bytes.Length - (relocation.Offset - (int)place.Start))).Clear();
        text.Write(RustLocation.WithoutLine(file, place, relocations, bytes));
        foreach (var relocation in relocations)
        {
            WriteNumber(text, relocation.Offset - place.Start);
            WriteNumber(text, relocation.Type);
            WriteTarget(text, file.Resolve(relocation, section.IsCode));
        }
    }

    private void WriteTarget(MemoryStream text, Place target)
    {
        WriteNumber(text, target.Addend);
        if (target.Symbol is { } symbol)
        {
            text.Write(Encoding.UTF8.GetBytes(symbol.Name));
            text.WriteByte(0);
            return;
        }
        Span<byte> digest = stackalloc byte[16];
        BinaryPrimitives.WriteUInt128LittleEndian(digest, Of(target, landings: null));
        text.Write(digest);
    }

    private static void WriteNumber(MemoryStream text, long number)
    {
        Span<byte> bytes = stackalloc byte[8];
        BinaryPrimitives.WriteInt64LittleEndian(bytes, number);
        text.Write(bytes);
    }
}

/// <summary>A core::panic::Location: where the name of a file is, its length, a line and a column.</summary>
internal static class RustLocation
{
    private const int Size = 24, LineAt = 16;

    public static ReadOnlySpan<byte> WithoutLine(ObjectFile file, Place place, IReadOnlyList<ElfRelocation> relocations, byte[] bytes) =>
        Is(file, place, relocations, bytes) ? bytes.AsSpan(0, LineAt) : bytes;

    private static bool Is(ObjectFile file, Place place, IReadOnlyList<ElfRelocation> relocations, byte[] bytes)
    {
        if (bytes.Length != Size || place.Symbol != null || relocations is not [var pointer] || pointer.Offset != place.Start) return false;
        var length = BinaryPrimitives.ReadUInt64LittleEndian(bytes.AsSpan(8));
        var name = file.Resolve(pointer, inCode: false);
        if (name.Symbol != null || length is < 4 or > 4096) return false;
        var content = file.Elf.Content(file.SectionOf(name.Section)).Span;
        var end = name.Start + name.Addend + (long)length;
        return end <= content.Length && content[..(int)end].EndsWith(".rs"u8);
    }
}
