using Weft.Hotpatch.Objects;

namespace Weft.Hotpatch.Patches;

/// <summary>Where in a function its first instruction is exchanged.</summary>
internal static class EntryPoint
{
    private const int X86Room = 6, ArmRoom = 12;

    public delegate ReadOnlySpan<byte> Memory(ulong at, int size);

    /// <summary>Distance from the entry; null where there is no room for a jump.</summary>
    public static uint? Of(int machine, Memory memory, ulong entry) => machine == Architecture.X86 ? OfX86(memory, entry) : OfArm(memory, entry);

    private static uint? OfX86(Memory memory, ulong entry)
    {
        if (entry < X86Room || memory(entry - X86Room, X86Room) is not { Length: X86Room } room || room.IndexOfAnyExcept((byte)0xCC) >= 0) return null;
        return memory(entry, 4).SequenceEqual((ReadOnlySpan<byte>)[0xF3, 0x0F, 0x1E, 0xFA]) ? 4u : 0; // endbr64
    }

    private static uint? OfArm(Memory memory, ulong entry)
    {
        ReadOnlySpan<byte> trap = [0, 0, 0x20, 0xD4], landing = [0x5F, 0x24, 0x03, 0xD5], nop = [0x1F, 0x20, 0x03, 0xD5];
        if (entry < ArmRoom || !memory(entry - ArmRoom, 4).SequenceEqual(trap)) return null;
        var point = memory(entry, 4).SequenceEqual(landing) ? 4u : 0;
        return memory(entry + point, 4).SequenceEqual(nop) ? point : null;
    }
}
