using System.Buffers.Binary;
using Weft.Core;
using Weft.Hotpatch.Objects;

namespace Weft.Hotpatch.Patches;

/// <summary>
/// The linker's work on the code of a patch: distances within it are written now, those to the program are left to the loader. What
/// code reaches through a table (GOT, PLT) has a table of the patch's own. Thread-locals are at a distance from the thread pointer that
/// is known, since the code is for a program; the longer ways to them become that.
/// </summary>
internal abstract class Relocator(PatchLinker linker, Image image)
{
    protected const int SlotSize = 8;
    private const int RoomSize = 16;

    private readonly Dictionary<Destination, int> slots = [], stubs = [];
    private readonly Dictionary<long, int> threadSlots = [];
    private uint slotsAt, stubsAt;

    protected PatchLinker Linker => linker;

    /// <summary>For the processor that an image is for.</summary>
    public static Relocator For(PatchLinker linker, Image image) => image.Machine == Architecture.X86 ? new X86Relocator(linker, image) : new ArmRelocator(linker, image);

    /// <summary>What fills room that a jump can be written to.</summary>
    protected abstract ReadOnlySpan<byte> Trap { get; }

    /// <summary>Bytes of a jump through a slot.</summary>
    protected abstract int StubSize { get; }

    /// <summary>Writes one.</summary>
    /// <param name="at">Where, in the code.</param>
    /// <param name="slot">Through what, in the constants.</param>
    protected abstract void WriteStub(uint at, uint slot);

    protected abstract bool IsThreadLocal(uint type);

    /// <summary>Of those: one that loads the distance from a table.</summary>
    protected abstract bool IsThreadSlot(uint type);

    /// <summary>Whether it wants the place in a table that has the address.</summary>
    protected abstract bool IsThroughTable(uint type);

    /// <summary>Whether it is a call or jump that may go by way of a stub.</summary>
    protected abstract bool MayHaveStub(uint type, Destination destination);

    /// <summary>Whether a function that another relocation speaks of is only called to find a thread-local.</summary>
    protected virtual bool GoesWithThreadLocal(Place target) => false;

    /// <summary>Does what one relocation asks for; those of thread-locals too.</summary>
    /// <param name="piece">Whose it is.</param>
    /// <param name="at">Where, in the piece's region.</param>
    /// <param name="relocation">What is asked for.</param>
    /// <param name="target">What it points at.</param>
    /// <param name="isInside">See <see cref="PatchLinker.Bind"/>.</param>
    /// <param name="next">The relocation behind it, or null.</param>
    /// <returns>How many relocations were done with it.</returns>
    protected abstract int Apply(Placed piece, uint at, ElfRelocation relocation, Place target, bool isInside, ElfRelocation? next);

    /// <summary>Code with room before it, so that a new function can be replaced as well, if it was made for that.</summary>
    public uint ReserveFunction(Place place)
    {
        var layout = linker.Layout;
        var room = layout.Reserve(Region.Code, RoomSize, RoomSize);
        if (HasRoom(place))
            for (var i = 0; i < RoomSize; i += Trap.Length) Trap.CopyTo(layout.Bytes(Region.Code, room + (uint)i, Trap.Length));
        return layout.Reserve(Region.Code, place.Size, RoomSize);
    }

    private bool HasRoom(Place place) =>
        place.Start >= 8 && place.File.Elf.Content(place.File.SectionOf(place.Section)).Span.Slice((int)place.Start - Trap.Length, Trap.Length).SequenceEqual(Trap);

    /// <summary>Finds what a piece refers to, and what tables it needs.</summary>
    public void Scan(Placed piece)
    {
        foreach (var (relocation, target, isInside) in Targets(piece))
        {
            if (IsThreadLocal(relocation.Type))
            {
                if (IsThreadSlot(relocation.Type)) threadSlots.TryAdd(ThreadOffset(target with { Addend = 0 }), threadSlots.Count);
                else if (target.Symbol is { Name.Length: > 0 }) ThreadOffset(target);
                continue;
            }
            if (GoesWithThreadLocal(target)) continue;
            var destination = linker.Bind(target, isInside);
            var isStub = MayHaveStub(relocation.Type, destination);
            if (isStub || IsThroughTable(relocation.Type)) slots.TryAdd(destination, slots.Count);
            if (isStub) stubs.TryAdd(destination, stubs.Count);
        }
    }

    public void ReserveTables()
    {
        stubsAt = linker.Layout.Reserve(Region.Code, stubs.Count * StubSize, RoomSize);
        slotsAt = linker.Layout.Reserve(Region.Constants, (slots.Count + threadSlots.Count) * SlotSize, SlotSize);
    }

    public void Apply(Placed piece)
    {
        var targets = Targets(piece).ToList();
        for (var i = 0; i < targets.Count;)
        {
            var (relocation, target, isInside) = targets[i];
            i += Apply(piece, piece.Offset + (uint)(relocation.Offset - piece.Place.Start), relocation, target, isInside, i + 1 < targets.Count ? targets[i + 1].Relocation : null);
        }
    }

    public void FillTables()
    {
        foreach (var (destination, index) in slots) PutAddress(Region.Constants, slotsAt + (uint)(index * SlotSize), destination, 0);
        foreach (var (offset, index) in threadSlots) Put64(Region.Constants, slotsAt + (uint)((slots.Count + index) * SlotSize), offset);
        foreach (var (destination, index) in stubs) WriteStub(stubsAt + (uint)(index * StubSize), SlotOf(destination));
    }

    /// <summary>The distance from a place to a destination, now or by the loader.</summary>
    public void PutDistance(Region region, uint at, Destination destination, long addend)
    {
        if (destination.Home == PatchRelocation.Self) PutDistance(region, at, destination.Region, destination.Offset + addend);
        else if (!IsExternal(destination)) linker.Relocate(new PatchRelocation(linker.Layout.Start(region) + at, PatchRelocationKind.Distance32, destination.Home, destination.Offset + addend));
    }

    protected void PutDistance(Region region, uint at, Region to, long offset) => Put32(region, at, linker.Layout.Start(to) + offset - (linker.Layout.Start(region) + at));

    protected void PutAddress(Region region, uint at, Destination destination, long addend)
    {
        var value = destination.Home switch
        {
            PatchRelocation.Self => linker.AddressOf(destination) + addend,
            PatchRelocation.External => destination.Offset,
            _ => destination.Offset + addend,
        };
        linker.Relocate(new PatchRelocation(linker.Layout.Start(region) + at, PatchRelocationKind.Address64, destination.Home, value));
    }

    /// <summary>In the constants: what holds a destination's address.</summary>
    protected uint SlotOf(Destination destination) => slotsAt + (uint)(slots[destination] * SlotSize);

    /// <summary>In the constants: what holds a distance from the thread pointer.</summary>
    protected uint ThreadSlotOf(long offset) => slotsAt + (uint)((slots.Count + threadSlots[offset]) * SlotSize);

    /// <summary>In the code: the stub for a destination, if it has one.</summary>
    protected uint? StubOf(Destination destination) => stubs.TryGetValue(destination, out var index) ? stubsAt + (uint)(index * StubSize) : null;

    /// <summary>Also refuses: code that is position independent does not refer to another library like that.</summary>
    protected bool IsExternal(Destination destination)
    {
        if (destination.Home != PatchRelocation.External) return false;
        linker.Refusals.Add($"'{linker.Externals[(int)destination.Offset]}' is in a shared library, and code that refers to it is not position independent");
        return true;
    }

    protected void RefuseType(Placed piece, uint type) => linker.Refusals.Add($"'{piece.Place.File.Name}' has a relocation of type {type}, which patches cannot have");

    /// <summary>A thread-local's distance from the thread pointer.</summary>
    protected long ThreadOffset(Place target)
    {
        if (image.IsProgram) return linker.BindThreadLocal(target) is { } offset ? image.ThreadOffset(offset) + target.Addend : 0;
        linker.Refusals.Add("thread-local variables of shared libraries cannot be reached from patches");
        return 0;
    }

    protected void Put32(Region region, uint at, long value) => BinaryPrimitives.WriteInt32LittleEndian(linker.Layout.Bytes(region, at, 4), checked((int)value));

    protected void Put64(Region region, uint at, long value) => BinaryPrimitives.WriteInt64LittleEndian(linker.Layout.Bytes(region, at, 8), value);

    private static IEnumerable<(ElfRelocation Relocation, Place Target, bool IsInside)> Targets(Placed piece)
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
}
