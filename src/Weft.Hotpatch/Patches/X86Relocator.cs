using System.Buffers.Binary;
using Weft.Core;
using Weft.Hotpatch.Objects;

namespace Weft.Hotpatch.Patches;

/// <summary>
/// The linker's work on x86_64 code of a patch: distances within it are written now, those to the program are left to the loader. What
/// code reaches through a table (GOT, PLT) has a table of the patch's own. Thread-locals are at a distance from the thread pointer that
/// is known, since the code is for a program; the longer ways to them become that (psABI, "Thread-Local Storage").
/// </summary>
internal sealed class X86Relocator(PatchLinker linker, Image image)
{
    private const int Room = 16, StubSize = 8, SlotSize = 8;
    private const byte Int3 = 0xCC;

    private readonly Dictionary<Destination, int> slots = [], stubs = [];
    private readonly Dictionary<long, int> threadSlots = [];
    private uint slotsAt, stubsAt;

    /// <summary>Code with room before it, so that a new function can be replaced as well, if it was made for that.</summary>
    public uint ReserveFunction(Place place)
    {
        var layout = linker.Layout;
        var room = layout.Reserve(Region.Code, Room, 16, Int3);
        layout.Bytes(Region.Code, room, Room).Fill(HasRoom(place) ? Int3 : (byte)0);
        return layout.Reserve(Region.Code, place.Size, 16, Int3);
    }

    private static bool HasRoom(Place place) =>
        place.Start >= 8 && place.File.Elf.Content(place.File.SectionOf(place.Section)).Span.Slice((int)place.Start - 8, 8).IndexOfAnyExcept(Int3) < 0;

    /// <summary>Finds what a piece refers to, and what tables it needs.</summary>
    public void Scan(Placed piece)
    {
        foreach (var (relocation, target, isInside) in Targets(piece))
        {
            if (IsThreadLocal(relocation.Type))
            {
                if (relocation.Type == X86Relocation.GotTpOff) threadSlots.TryAdd(ThreadOffset(target), threadSlots.Count);
                else if (relocation.Type != X86Relocation.TlsLd) ThreadOffset(target);
                continue;
            }
            if (IsCallOfThreadLocalHelper(target)) continue; // goes with the relocation before it
            var destination = linker.Bind(target, isInside);
            if (IsThroughTable(relocation.Type)) slots.TryAdd(destination, slots.Count);
            else if (destination.Home == PatchRelocation.External && relocation.Type == X86Relocation.Plt32)
            {
                slots.TryAdd(destination, slots.Count);
                stubs.TryAdd(destination, stubs.Count);
            }
        }
    }

    public void ReserveTables()
    {
        stubsAt = linker.Layout.Reserve(Region.Code, stubs.Count * StubSize, 16, Int3);
        slotsAt = linker.Layout.Reserve(Region.Constants, (slots.Count + threadSlots.Count) * SlotSize, SlotSize);
    }

    public void Apply(Placed piece)
    {
        var targets = Targets(piece).ToList();
        for (var i = 0; i < targets.Count; i++)
        {
            var (relocation, target, isInside) = targets[i];
            var at = piece.Offset + (uint)(relocation.Offset - piece.Place.Start);
            if (relocation.Type is X86Relocation.TlsGd or X86Relocation.TlsLd)
            {
                RelaxCall(piece, at, relocation.Type, relocation.Type == X86Relocation.TlsGd ? ThreadOffset(target) + 4 : 0, targets[++i].Relocation.Type); // with the call of __tls_get_addr
            }
            else if (relocation.Type is X86Relocation.TpOff32 or X86Relocation.DtpOff32) Put32(piece.Region, at, ThreadOffset(target));
            else if (relocation.Type is X86Relocation.TpOff64 or X86Relocation.DtpOff64) Put64(piece.Region, at, ThreadOffset(target));
            else if (relocation.Type == X86Relocation.GotTpOff) PutDistance(piece.Region, at, Region.Constants, slotsAt + (slots.Count + threadSlots[ThreadOffset(target)]) * SlotSize - 4);
            else Apply(piece, at, relocation.Type, linker.Bind(target, isInside), target.Addend);
        }
    }

    public void FillTables()
    {
        foreach (var (destination, index) in slots) PutAddress(Region.Constants, slotsAt + (uint)(index * SlotSize), destination, 0);
        foreach (var (offset, index) in threadSlots) Put64(Region.Constants, slotsAt + (uint)((slots.Count + index) * SlotSize), offset + 4);
        foreach (var (destination, index) in stubs)
        {
            var at = stubsAt + (uint)(index * StubSize);
            var stub = linker.Layout.Bytes(Region.Code, at, StubSize);
            stub[0] = 0xFF; // jmp *slot(%rip)
            stub[1] = 0x25;
            stub[6..].Fill(Int3);
            PutDistance(Region.Code, at + 2, Region.Constants, slotsAt + slots[destination] * SlotSize - 4);
        }
    }

    /// <summary>The distance from a place to a destination, now or by the loader.</summary>
    public void PutDistance(Region region, uint at, Destination destination, long addend)
    {
        if (destination.Home == PatchRelocation.Self) PutDistance(region, at, destination.Region, destination.Offset + addend);
        else if (destination.Home == PatchRelocation.External) linker.Refusals.Add($"'{linker.Externals[(int)destination.Offset]}' is in a shared library, and code that refers to it is not position independent");
        else linker.Relocate(new PatchRelocation(linker.Layout.Start(region) + at, PatchRelocationKind.Distance32, destination.Home, destination.Offset + addend));
    }

    private void Apply(Placed piece, uint at, uint type, Destination destination, long addend)
    {
        switch (type)
        {
            case X86Relocation.Abs64:
                PutAddress(piece.Region, at, destination, addend);
                break;
            case X86Relocation.Abs32 or X86Relocation.Abs32Signed when destination.Home != PatchRelocation.External:
                linker.Relocate(new PatchRelocation(linker.Layout.Start(piece.Region) + at, PatchRelocationKind.Address32, destination.Home, (destination.Home == PatchRelocation.Self ? linker.AddressOf(destination) : destination.Offset) + addend));
                break;
            case X86Relocation.Plt32 when stubs.TryGetValue(destination, out var stub):
                PutDistance(piece.Region, at, Region.Code, stubsAt + stub * StubSize + addend);
                break;
            case X86Relocation.Pc32 or X86Relocation.Plt32:
                PutDistance(piece.Region, at, destination, addend);
                break;
            case X86Relocation.GotPcRel or X86Relocation.GotPcRelX or X86Relocation.RexGotPcRelX:
                PutDistance(piece.Region, at, Region.Constants, slotsAt + slots[destination] * SlotSize + addend);
                break;
            default:
                linker.Refusals.Add($"'{piece.Place.File.Name}' has a relocation of type {type}, which patches cannot have");
                break;
        }
    }

    private IEnumerable<(ElfRelocation Relocation, Place Target, bool IsInside)> Targets(Placed piece)
    {
        var file = piece.Place.File;
        foreach (var relocation in file.RelocationsIn(piece.Place.Section, piece.Place.Start, piece.Place.Size))
        {
            var target = file.Resolve(relocation, piece.Region == Region.Code);
            // In data, a distance to code is one of a jump table's; in code, only the entry is anybody else's business.
            var isCode = target is { Symbol: not null, Section: not 0 } && file.SectionOf(target.Section).IsCode;
            yield return (relocation, target, isCode && (piece.Region == Region.Code ? target.Addend + file.Architecture.Bias(relocation.Type) != 0 : target.Addend != 0 || file.Architecture.IsRelative(relocation.Type)));
        }
    }

    private long ThreadOffset(Place target)
    {
        if (image.IsProgram) return linker.BindThreadLocal(target) is { } offset ? image.ThreadOffset(offset) + target.Addend : 0;
        linker.Refusals.Add("thread-local variables of shared libraries cannot be reached from patches");
        return 0;
    }

    // 66 48 8d 3d x@tlsgd  66 66 48 e8 __tls_get_addr@plt             ==>  64 48 8b 04 25 0  48 8d 80 x@tpoff
    //    48 8d 3d x@tlsld           e8 __tls_get_addr@plt             ==>  66 66 66 64 48 8b 04 25 0
    // and with -fno-plt      ...  66 48 ff 15 __tls_get_addr@gotpcrel      the same, and
    //                                  ff 15 __tls_get_addr@gotpcrel  ==>  66 66 66 66 64 48 8b 04 25 0
    private void RelaxCall(Placed piece, uint at, uint type, long offset, uint callType)
    {
        ReadOnlySpan<byte> load = [0x64, 0x48, 0x8B, 0x04, 0x25, 0, 0, 0, 0];
        if (type == X86Relocation.TlsLd)
        {
            var padding = callType == X86Relocation.Plt32 ? 3 : 4;
            var code = linker.Layout.Bytes(piece.Region, at - 3, padding + load.Length);
            code[..padding].Fill(0x66);
            load.CopyTo(code[padding..]);
            return;
        }
        var sequence = linker.Layout.Bytes(piece.Region, at - 4, 16);
        load.CopyTo(sequence);
        ReadOnlySpan<byte> add = [0x48, 0x8D, 0x80];
        add.CopyTo(sequence[9..]);
        BinaryPrimitives.WriteInt32LittleEndian(sequence[12..], checked((int)offset));
    }

    private void PutAddress(Region region, uint at, Destination destination, long addend)
    {
        var value = destination.Home switch
        {
            PatchRelocation.Self => linker.AddressOf(destination) + addend,
            PatchRelocation.External => destination.Offset,
            _ => destination.Offset + addend,
        };
        linker.Relocate(new PatchRelocation(linker.Layout.Start(region) + at, PatchRelocationKind.Address64, destination.Home, value));
    }

    private void PutDistance(Region region, uint at, Region to, long offset) =>
        Put32(region, at, linker.Layout.Start(to) + offset - (linker.Layout.Start(region) + at));

    private void Put32(Region region, uint at, long value) => BinaryPrimitives.WriteInt32LittleEndian(linker.Layout.Bytes(region, at, 4), checked((int)value));

    private void Put64(Region region, uint at, long value) => BinaryPrimitives.WriteInt64LittleEndian(linker.Layout.Bytes(region, at, 8), value);

    private static bool IsThroughTable(uint type) => type is X86Relocation.GotPcRel or X86Relocation.GotPcRelX or X86Relocation.RexGotPcRelX;

    private static bool IsThreadLocal(uint type) => type is >= X86Relocation.DtpOff64 and <= X86Relocation.TpOff32 or X86Relocation.TpOff64;

    private static bool IsCallOfThreadLocalHelper(Place target) => target.Symbol?.Name == "__tls_get_addr";
}
