using Iced.Intel;

namespace Weft.Hotpatch.Check;

/// <summary>x86_64. The first two bytes are exchanged by one aligned store for a jump into the room.</summary>
internal sealed class X86Rules : Rules
{
    private const byte Int3 = 0xCC;
    private const int Small = 8, Large = 16;

    public override int LeastRoom => 6;

    public override int Exchanged => 2;

    private static ReadOnlySpan<byte> EndBranch => [0xF3, 0x0F, 0x1E, 0xFA];

    public override int SizeOfMark(ReadOnlySpan<byte> function) => function.StartsWith(EndBranch) ? 4 : 0;

    public override string Describe(CodeSection section, ulong place, ulong end) => place == end ? "" : First(section, place, end) is { IsInvalid: false } first ? first.ToString() : "no instruction";

    public override IEnumerable<string> WhyFixed(CodeSection section, ulong place, ulong end)
    {
        if (place == end || First(section, place, end) is not { IsInvalid: false } first) yield return "there is no instruction";
        else if (first.Length < 2) yield return $"the first instruction has one byte: {first}";
        if (place % 8 == 7) yield return "its two bytes lie on both sides of a multiple of eight: no store exchanges them at once";
        else if (place % 2 != 0 || section.Alignment % 2 != 0) yield return "it is not aligned to two bytes: no store need exchange them at once";
    }

    public override IEnumerable<Branch> Branches(CodeSection section, ulong start, ulong end)
    {
        var cursor = new ReferenceCursor(section.References);
        foreach (var instruction in Decode(section, start, end))
        {
            if (instruction.Op0Kind != OpKind.NearBranch64) continue;
            var next = (int)(instruction.NextIP - section.Start);
            var reference = instruction.Length >= 5 ? cursor.At(next - 4) : cursor.At(next - 1); // the distance comes last
            if (reference is { Target: null }) continue;
            yield return new(instruction.IP, reference?.Target ?? instruction.NearBranch64, instruction.FlowControl == FlowControl.Call, reference is { ByName: true });
        }
    }

    public override bool MovesStackAtOnce(CodeSection section, ulong start, ulong end)
    {
        long moved = 0;
        foreach (var instruction in Decode(section, start, end))
        {
            if (instruction.FlowControl != FlowControl.Next) break;
            if (instruction is { Op0Register: Register.RSP, Mnemonic: Mnemonic.Sub }) return true;
            moved += instruction.StackPointerIncrement;
        }
        return moved < 0;
    }

    // Instructions are found from the front: what looks like filler may be the end of one.
    public override int Room(CodeSection section, ulong gap, ulong end)
    {
        var bytes = section.Between(gap, end);
        var last = bytes.LastIndexOfAnyExcept(Int3);
        if (last < 0) return bytes.Length;
        var room = gap;
        for (var place = gap; place < end;)
        {
            if (section.From(place)[0] is Int3 or 0)
            {
                place++;
                continue;
            }
            var instruction = First(section, place, end);
            place += (ulong)Math.Max(instruction.Length, 1);
            if (!IsNothing(instruction)) room = place;
        }
        return room >= end ? 0 : (int)(end - room);
    }

    // A linker that fills gaps aligns functions to 16 by them: fewer than 16 bytes then say nothing, unless the function is aligned
    // to eight only, as one with a small room may be.
    public override bool IsWoven(ReadOnlySpan<byte> before, ulong entry, bool isFilled)
    {
        var least = isFilled && entry % Large == 0 ? Large : Small;
        return before.Length >= least && before[^least..].IndexOfAnyExcept(Int3) < 0;
    }

    private static bool IsNothing(Instruction instruction) =>
        instruction.Mnemonic is Mnemonic.Nop || (instruction.Mnemonic == Mnemonic.Xchg && instruction.Op0Register == instruction.Op1Register)
        || (instruction.Mnemonic == Mnemonic.Lea && instruction.Op0Register == instruction.MemoryBase && instruction.MemoryIndex == Register.None && instruction.MemoryDisplacement64 == 0);

    private static Instruction First(CodeSection section, ulong place, ulong end) => DecoderOf(section, place, end).Decode();

    private static IEnumerable<Instruction> Decode(CodeSection section, ulong start, ulong end)
    {
        var decoder = DecoderOf(section, start, end);
        while (decoder.IP < end)
        {
            decoder.Decode(out var instruction);
            if (!instruction.IsInvalid) yield return instruction;
            else if (decoder.LastError == DecoderError.NoMoreBytes) yield break;
        }
    }

    private static Decoder DecoderOf(CodeSection section, ulong start, ulong end)
    {
        var bytes = section.Bytes;
        return Decoder.Create(64, new ByteArrayCodeReader(bytes.Array!, bytes.Offset + (int)(start - section.Start), (int)(end - start)), start);
    }
}
