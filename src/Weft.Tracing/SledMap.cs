using System.Buffers.Binary;
using System.Runtime.InteropServices;
using Weft.Core;

namespace Weft.Tracing;

/// <summary>
/// Makes LLVM's table of sleds small, in the object file that the code generator wrote. LLVM spends 32 bytes a sled and 16 a
/// function, which is two thirds of what XRay adds to a program; the runtime needs five:
/// <code>
/// xray_instr_map: { i64 sled - ., i64 function - ., u8 kind, u8 always, u8 version, 13 bytes of 0 }
/// xray_fn_idx:    { i64 first sled - ., u64 sleds }
/// ==>
/// weft_trc_sleds: { i32 sled - ., u8 kind | first of its function &lt;&lt; 3 | always &lt;&lt; 4 }
/// </code>
/// On x86_64 the sleds themselves change too. LLVM's jump over them is a taken branch for each call; one instruction that does
/// nothing costs next to nothing, and the runtime makes it the jump before it writes anything else (tracing_patch.c):
/// <code>
/// eb 09  66 0f 1f 84 00 00 02 00 00      jmp +9; nopw        entry and tail exit
/// ==>
/// 66 66 2e 0f 1f 84 00 00 00 00 00       nopw
/// </code>
/// Works in place: sections only shrink, and the new name is as long as the old. What describes functions to people
/// (<see cref="NameSection"/>) is taken out of the program's memory at the same time: it stays in the file.
/// Guarantee: an object without such sections, or of a kind that this class does not know, comes back as it was.
/// </summary>
internal sealed class SledMap
{
    private const int SledSize = 32, RelocationSize = 24, CompactSize = 5, SymbolSize = 24;
    private const ulong Alloc = 2, Write = 1;
    private const int X86 = 62, ExtendedIndex = 0xFFFF, EntrySled = 0, TailExitSled = 2;

    private static ReadOnlySpan<byte> Jump => [0xEB, 0x09, 0x66, 0x0F, 0x1F, 0x84, 0, 0, 2, 0, 0];

    private static ReadOnlySpan<byte> Nothing => [0x66, 0x66, 0x2E, 0x0F, 0x1F, 0x84, 0, 0, 0, 0, 0];

    private readonly byte[] data;
    private readonly int table, count;
    private readonly ReadOnlyMemory<byte> names;

    private SledMap(byte[] data)
    {
        this.data = data;
        table = checked((int)U64(40));
        count = U16(60) is var small and not 0 ? small : checked((int)U64(table + 32));
        var nameIndex = U16(62) is var index and not 0xFFFF ? index : checked((int)U32(table + 40));
        names = Content(nameIndex);
    }

    /// <summary>Changes the object in place. False when there was nothing to change.</summary>
    public static bool Compact(byte[] data)
    {
        const int relocatable = 1;
        var isObject = data.Length >= 64 && data.AsSpan().StartsWith("\x7F"u8) && data.AsSpan(1).StartsWith("ELF\x02\x01"u8) && BinaryPrimitives.ReadUInt16LittleEndian(data.AsSpan(16)) == relocatable;
        return isObject && new SledMap(data).Run();
    }

    private bool Run()
    {
        // Relocations belong to the section that their sh_info names.
        var relocations = new Dictionary<int, int>();
        for (var i = 0; i < count; i++)
            if (Type(i) == 4) relocations[checked((int)U32(Header(i) + 44))] = i;
        bool renamed = false, changed = false;
        for (var i = 0; i < count; i++)
        {
            if (Type(i) != 1) continue;
            var name = Name(i);
            if (name.SequenceEqual("xray_instr_map"u8) && relocations.TryGetValue(i, out var table)) renamed |= CompactSleds(i, table);
            else if (name.SequenceEqual("xray_fn_idx"u8)) Empty(i, relocations);
            else if (name.SequenceEqual(NameSection.Section)) SetFlags(i, Flags(i) & ~(Alloc | Write));
            else continue;
            changed = true;
        }
        if (renamed) Rename("xray_instr_map"u8, "weft_trc_sleds"u8);
        return changed;
    }

    private bool CompactSleds(int section, int relocation)
    {
        int at = Offset(section), from = Offset(relocation), sleds = checked((int)(Size(section) / SledSize));
        var absolute = Absolute32();
        (ulong Symbol, ulong Addend) function = (ulong.MaxValue, 0);
        for (var i = 0; i < sleds; i++)
        {
            var sled = at + i * SledSize;
            // Two relocations a sled, in order: where it is, and where its function begins.
            int where = from + 2 * i * RelocationSize, owner = where + RelocationSize;
            if (U64(where) != (ulong)(i * SledSize) || U64(owner) != (ulong)(i * SledSize + 8)) throw new WeftException("LLVM wrote a table of sleds that Weft does not understand");
            var (symbol, addend) = (U64(where + 8) >> 32, U64(where + 16));
            var owns = (U64(owner + 8) >> 32, U64(owner + 16) - 8);
            var first = owns != function;
            function = owns;
            var flags = (byte)(data[sled + 16] | (first ? 8 : 0) | (data[sled + 17] != 0 ? 16 : 0));
            var to = at + i * CompactSize;
            data.AsSpan(to, 4).Clear();
            data[to + 4] = flags;
            var entry = from + i * RelocationSize;
            Put64(entry, (ulong)(i * CompactSize));
            Put64(entry + 8, symbol << 32 | absolute);
            Put64(entry + 16, addend);
            if ((flags & 7) is EntrySled or TailExitSled) RemoveJump(checked((int)U32(Header(relocation) + 40)), symbol, addend);
        }
        SetSize(section, (ulong)(sleds * CompactSize));
        SetSize(relocation, (ulong)(sleds * RelocationSize));
        return true;
    }

    /// <summary>Of a sled that lies <paramref name="addend"/> bytes behind a symbol.</summary>
    private void RemoveJump(int symbols, ulong symbol, ulong addend)
    {
        if (U16(18) != X86) return;
        var entry = Offset(symbols) + checked((int)symbol * SymbolSize);
        var section = (int)U16(entry + 6);
        if (section == ExtendedIndex) section = checked((int)U32(Offset(IndicesOf(symbols)) + checked((int)symbol * 4)));
        var code = MemoryMarshal.AsMemory(Content(section)).Span;
        var at = checked((int)(U64(entry + 8) + addend));
        if (code[at..].StartsWith(Jump)) Nothing.CopyTo(code[at..]);
    }

    private int IndicesOf(int symbols)
    {
        const uint symbolIndices = 18;
        for (var i = 0; i < count; i++)
            if (Type(i) == symbolIndices && U32(Header(i) + 40) == symbols) return i;
        throw new WeftException("LLVM wrote an object with more sections than its symbols can name");
    }

    // R_X86_64_PC32, R_AARCH64_PREL32
    private ulong Absolute32() => U16(18) switch
    {
        X86 => 2,
        183 => 261,
        var machine => throw new WeftException($"tracing knows x86_64 and aarch64, and the object is for ELF machine {machine}"),
    };

    private void Empty(int section, Dictionary<int, int> relocations)
    {
        SetSize(section, 0);
        if (relocations.TryGetValue(section, out var relocation)) SetSize(relocation, 0);
    }

    // Section names are strings that end alike: ".relaxray_instr_map" holds the other name.
    private void Rename(ReadOnlySpan<byte> from, ReadOnlySpan<byte> to)
    {
        var text = MemoryMarshal.AsMemory(names).Span;
        for (int at; (at = text.IndexOf(from)) >= 0;) to.CopyTo(text[at..]);
    }

    private int Header(int section) => table + section * 64;

    private uint Type(int section) => U32(Header(section) + 4);

    private ulong Flags(int section) => U64(Header(section) + 8);

    private int Offset(int section) => checked((int)U64(Header(section) + 24));

    private ulong Size(int section) => U64(Header(section) + 32);

    private void SetFlags(int section, ulong flags) => Put64(Header(section) + 8, flags);

    private void SetSize(int section, ulong size) => Put64(Header(section) + 32, size);

    private ReadOnlyMemory<byte> Content(int section) => data.AsMemory(Offset(section), checked((int)Size(section)));

    private ReadOnlySpan<byte> Name(int section)
    {
        var rest = names.Span[checked((int)U32(Header(section)))..];
        return rest[..rest.IndexOf((byte)0)];
    }

    private ushort U16(int at) => BinaryPrimitives.ReadUInt16LittleEndian(data.AsSpan(at));

    private uint U32(int at) => BinaryPrimitives.ReadUInt32LittleEndian(data.AsSpan(at));

    private ulong U64(int at) => BinaryPrimitives.ReadUInt64LittleEndian(data.AsSpan(at));

    private void Put64(int at, ulong value) => BinaryPrimitives.WriteUInt64LittleEndian(data.AsSpan(at), value);
}
