using System.Buffers.Binary;
using Weft.Core;
using Weft.Hotpatch.Objects;

namespace Weft.Hotpatch.Patches;

/// <summary>
/// Relocations of aarch64 (ELF for the Arm 64-bit Architecture, chapter "Relocations"). Calls out of the patch go by way of stubs, since a
/// branch reaches 128 MB and a patch may lie further away; pages are left to the loader, and what is within a page is known now.
/// </summary>
internal sealed class ArmRelocator(PatchLinker linker, Image image) : Relocator(linker, image)
{
    private const uint Nop = 0xD503201F, MoveHigh = 0xD2A00000, MoveLow = 0xF2800000; // movz x0, #0, lsl #16; movk x0, #0

    protected override ReadOnlySpan<byte> Trap => [0, 0, 0x20, 0xD4]; // brk #0

    protected override int StubSize => 16;

    // adrp x16, slot; ldr x16, [x16, :lo12:slot]; br x16
    protected override void WriteStub(uint at, uint slot)
    {
        ReadOnlySpan<uint> code = [0x90000010, 0xF9400210, 0xD61F0200, 0xD4200000];
        for (var i = 0; i < code.Length; i++) Write(Region.Code, at + (uint)i * 4, code[i]);
        var address = Linker.Layout.Start(Region.Constants) + slot;
        PutPage(Region.Code, at, address);
        PutScaled(Region.Code, at + 4, address, 3);
    }

    protected override bool IsThreadLocal(uint type) => type is >= ArmRelocation.FirstThreadLocal and <= ArmRelocation.LastThreadLocal;

    protected override bool IsThreadSlot(uint type) => false;

    protected override bool IsThroughTable(uint type) => type is ArmRelocation.GotPage or ArmRelocation.GotLow12;

    protected override bool MayHaveStub(uint type, Destination destination) => type is ArmRelocation.Call26 or ArmRelocation.Jump26 && destination.Home != PatchRelocation.Self;

    protected override int Apply(Placed piece, uint at, ElfRelocation relocation, Place target, bool isInside, ElfRelocation? next)
    {
        if (IsThreadLocal(relocation.Type)) ApplyThreadLocal(piece, at, relocation.Type, ThreadOffset(target));
        else Apply(piece, at, relocation.Type, Linker.Bind(target, isInside), target.Addend);
        return 1;
    }

    private void Apply(Placed piece, uint at, uint type, Destination destination, long addend)
    {
        switch (type)
        {
            case ArmRelocation.Abs64:
                PutAddress(piece.Region, at, destination, addend);
                break;
            case ArmRelocation.Prel32:
                PutDistance(piece.Region, at, destination, addend);
                break;
            case ArmRelocation.Call26 or ArmRelocation.Jump26:
                PutBranch(piece.Region, at, StubOf(destination) is { } stub ? Linker.Layout.Start(Region.Code) + stub : Linker.AddressOf(destination) + addend);
                break;
            case ArmRelocation.Page21 or ArmRelocation.Page21Unchecked when destination.Home == PatchRelocation.Self:
                PutPage(piece.Region, at, Linker.AddressOf(destination) + addend);
                break;
            case ArmRelocation.Page21 or ArmRelocation.Page21Unchecked when !IsExternal(destination):
                Linker.Relocate(new PatchRelocation(Linker.Layout.Start(piece.Region) + at, PatchRelocationKind.Page21, destination.Home, destination.Offset + addend));
                break;
            case ArmRelocation.GotPage:
                PutPage(piece.Region, at, Linker.Layout.Start(Region.Constants) + SlotOf(destination));
                break;
            case ArmRelocation.GotLow12:
                PutScaled(piece.Region, at, Linker.Layout.Start(Region.Constants) + SlotOf(destination), 3);
                break;
            default:
                if (ArmRelocation.ScaleOf(type) is { } scale && !IsExternal(destination)) PutScaled(piece.Region, at, (destination.Home == PatchRelocation.Self ? Linker.AddressOf(destination) : destination.Offset) + addend, scale);
                else if (destination.Home != PatchRelocation.External) RefuseType(piece, type);
                break;
        }
    }

    // What asks a function for the address becomes a constant: the distance from the thread pointer.
    private void ApplyThreadLocal(Placed piece, uint at, uint type, long offset)
    {
        var instruction = Read(piece.Region, at);
        switch (type)
        {
            case ArmRelocation.TlsLocalHigh12:
                Write(piece.Region, at, instruction | (uint)(offset >> 12 & 0xFFF) << 10);
                break;
            case ArmRelocation.TlsLocalLow12 or ArmRelocation.TlsLocalLow12Unchecked:
                Write(piece.Region, at, instruction | (uint)(offset & 0xFFF) << 10);
                break;
            case ArmRelocation.TlsDescriptorPage:
                Write(piece.Region, at, MoveHigh | (uint)(offset >> 16 & 0xFFFF) << 5);
                break;
            case ArmRelocation.TlsDescriptorLoad:
                Write(piece.Region, at, MoveLow | (uint)(offset & 0xFFFF) << 5);
                break;
            case ArmRelocation.TlsDescriptorAdd or ArmRelocation.TlsDescriptorCall:
                Write(piece.Region, at, Nop);
                break;
            case ArmRelocation.TlsInitialPage:
                Write(piece.Region, at, MoveHigh | instruction & 31 | (uint)(offset >> 16 & 0xFFFF) << 5);
                break;
            case ArmRelocation.TlsInitialLoad:
                Write(piece.Region, at, MoveLow | instruction & 31 | (uint)(offset & 0xFFFF) << 5);
                break;
            default:
                RefuseType(piece, type);
                break;
        }
    }

    private void PutBranch(Region region, uint at, long target)
    {
        var distance = target - (Linker.Layout.Start(region) + at);
        Write(region, at, Read(region, at) | (uint)(distance >> 2) & 0x3FFFFFF);
    }

    private void PutPage(Region region, uint at, long target)
    {
        var pages = (target >> 12) - ((Linker.Layout.Start(region) + at) >> 12);
        Write(region, at, Read(region, at) | (uint)(pages & 3) << 29 | (uint)(pages >> 2 & 0x7FFFF) << 5);
    }

    private void PutScaled(Region region, uint at, long target, int scale) => Write(region, at, Read(region, at) | (uint)((target & 0xFFF) >> scale) << 10);

    private uint Read(Region region, uint at) => BinaryPrimitives.ReadUInt32LittleEndian(Linker.Layout.Bytes(region, at, 4));

    private void Write(Region region, uint at, uint instruction) => BinaryPrimitives.WriteUInt32LittleEndian(Linker.Layout.Bytes(region, at, 4), instruction);
}
