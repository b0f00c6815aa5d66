using System.Buffers.Binary;

namespace Weft.Hotpatch.Check;

/// <summary>
/// aarch64. Only a few instructions may be exchanged while other threads may run them ("Concurrent modification and execution of
/// instructions" in Arm's manual); the one that does nothing is among them, and is what Weft begins functions with.
/// </summary>
internal sealed class ArmRules : Rules
{
    private const uint Nop = 0xD503201F, BtiC = 0xD503245F, Brk = 0xD4200000, BrkBits = 0xFFE0001F;
    private const int WovenRoom = 16;

    public override int LeastRoom => 12;

    public override int Exchanged => 4;

    public override int SizeOfMark(ReadOnlySpan<byte> function) => function.Length >= 4 && Word(function) == BtiC ? 4 : 0;

    public override string Describe(CodeSection section, ulong place, ulong end) => end - place < 4 ? "" : Word(section.From(place)) is Nop ? "nop" : $"{Word(section.From(place)):x8}";

    public override IEnumerable<string> WhyFixed(CodeSection section, ulong place, ulong end)
    {
        if (end - place < 4) yield return "there is no instruction";
        else if (Word(section.From(place)) != Nop) yield return "the first instruction may not be exchanged under running threads: it is no nop";
        if (place % 4 != 0 || section.Alignment % 4 != 0) yield return "it is not aligned to four bytes";
    }

    public override IEnumerable<Branch> Branches(CodeSection section, ulong start, ulong end)
    {
        var cursor = new ReferenceCursor(section.References);
        for (var place = start; place + 4 <= end; place += 4)
        {
            var word = Word(section.From(place));
            if (Distance(word) is not { } distance) continue;
            var reference = cursor.At((int)(place - section.Start));
            if (reference is { Target: null }) continue;
            yield return new(place, reference?.Target ?? place + (ulong)distance, word >> 26 == 0b100101, reference is { ByName: true });
        }
    }

    public override bool MovesStackAtOnce(CodeSection section, ulong start, ulong end)
    {
        for (; start + 4 <= end; start += 4)
        {
            var word = Word(section.From(start));
            if (MovesStack(word)) return true;
            if (Distance(word) != null) return false;
        }
        return false;
    }

    public override int Room(CodeSection section, ulong gap, ulong end)
    {
        var room = 0;
        while (end - gap >= (ulong)room + 4 && IsFiller(Word(section.From(end - (ulong)room - 4)))) room += 4;
        return room;
    }

    // Linkers fill gaps with another brk, or with zeros.
    public override bool IsWoven(ReadOnlySpan<byte> before, ulong entry, bool isFilled)
    {
        if (before.Length < WovenRoom) return false;
        for (var i = 1; i <= WovenRoom / 4; i++)
            if (Word(before[^(i * 4)..]) != Brk)
                return false;
        return true;
    }

    private static bool IsFiller(uint word) => word is Nop or 0 || (word & BrkBits) == Brk;

    // sub sp, sp, #n; stp x, y, [sp, #n]!; str x, [sp, #n]!
    private static bool MovesStack(uint word) => (word & 0xFF8003FF) == 0xD10003FF || (word & 0x3BC003E0) == 0x298003E0 || (word & 0xFFE00FE0) == 0xF8000FE0;

    /// <summary>How far a branch with an immediate leads: b, bl, b.cond, cbz, cbnz, tbz, tbnz and cb.cond; null for all else.</summary>
    internal static long? Distance(uint word)
    {
        if ((word & 0x7C000000) == 0x14000000) return Signed(word, 0, 26);
        if ((word & 0xFF000000) == 0x54000000 || (word & 0x7E000000) == 0x34000000) return Signed(word, 5, 19);
        if ((word & 0x7E000000) == 0x36000000) return Signed(word, 5, 14);
        return (word & 0x7E000000) == 0x74000000 ? Signed(word, 5, 9) : null;
    }

    private static long Signed(uint word, int at, int bits) => ((long)word << (64 - at - bits) >> (64 - bits)) * 4;

    private static uint Word(ReadOnlySpan<byte> bytes) => BinaryPrimitives.ReadUInt32LittleEndian(bytes);
}
