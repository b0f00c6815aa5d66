using System.Buffers.Binary;
using Weft.Core;

namespace Weft.Hotpatch.Weaving;

/// <summary>
/// LLVM aligns a function that may be replaced to 16 bytes, room and all. One with a small room has a section that holds nothing
/// else and nothing that is aligned: eight are enough, since the two bytes that are exchanged lie in eight aligned ones then.
/// <code>
/// .text.work: sh_addralign 16     cc cc cc cc cc cc cc cc  work: ...
/// ==>         sh_addralign 8
/// </code>
/// Works in place on an x86_64 ELF object; anything else stays as it was.
/// </summary>
internal static class EntryAlignment
{
    public static bool Relax(byte[] objectFile)
    {
        const int x86 = 62;
        if (!objectFile.AsSpan().StartsWith("\x7F"u8) || ElfFile.TryRead(objectFile, "object") is not { Is64: true, Machine: x86, IsRelocatable: true } elf) return false;
        var alone = elf.Symbols.Where(s => s.IsFunction && s.Section != 0).GroupBy(s => s.Section).Where(g => g.Count() == 1).ToDictionary(g => g.Key, g => g.Single());
        var changed = false;
        for (var i = 0; i < elf.Sections.Count; i++)
        {
            var section = elf.Sections[i];
            if (!section.IsCode || section.Alignment != Room.Large || !alone.TryGetValue(i, out var function)) continue;
            if (function.Value != Room.Small || section.Size != (long)(Room.Small + function.Size) || !IsRoom(elf.Content(section).Span[..Room.Small])) continue;
            BinaryPrimitives.WriteUInt64LittleEndian(objectFile.AsSpan((int)elf.HeaderOffset(i) + 48), Room.Small);
            changed = true;
        }
        return changed;
    }

    private static bool IsRoom(ReadOnlySpan<byte> bytes) => bytes.IndexOfAnyExcept((byte)0xCC) < 0;
}
