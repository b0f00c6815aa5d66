using System.Buffers.Binary;
using Weft.Core;
using Weft.Hotpatch.Objects;

namespace Weft.Hotpatch.Patches;

/// <summary>Relocations of x86_64 (psABI, chapters "Relocation" and "Thread-Local Storage").</summary>
internal sealed class X86Relocator(PatchLinker linker, Image image) : Relocator(linker, image)
{
    private const long Bias = 4; // displacements count from behind themselves

    protected override ReadOnlySpan<byte> Trap => [0xCC, 0xCC, 0xCC, 0xCC, 0xCC, 0xCC, 0xCC, 0xCC]; // int3

    protected override int StubSize => 8;

    protected override void WriteStub(uint at, uint slot)
    {
        var stub = Linker.Layout.Bytes(Region.Code, at, StubSize);
        Trap.CopyTo(stub);
        stub[0] = 0xFF; // jmp *slot(%rip)
        stub[1] = 0x25;
        PutDistance(Region.Code, at + 2, Region.Constants, slot - Bias);
    }

    protected override bool IsThreadLocal(uint type) => type is >= X86Relocation.DtpOff64 and <= X86Relocation.TpOff32;

    protected override bool IsThreadSlot(uint type) => type == X86Relocation.GotTpOff;

    protected override bool IsThroughTable(uint type) => type is X86Relocation.GotPcRel or X86Relocation.GotPcRelX or X86Relocation.RexGotPcRelX;

    protected override bool MayHaveStub(uint type, Destination destination) => type == X86Relocation.Plt32 && destination.Home == PatchRelocation.External;

    protected override bool GoesWithThreadLocal(Place target) => target.Symbol?.Name == "__tls_get_addr";

    protected override int Apply(Placed piece, uint at, ElfRelocation relocation, Place target, bool isInside, ElfRelocation? next)
    {
        switch (relocation.Type)
        {
            case X86Relocation.TlsGd or X86Relocation.TlsLd:
                RelaxCall(piece, at, relocation.Type, relocation.Type == X86Relocation.TlsGd ? ThreadOffset(target) + Bias : 0, next?.Type ?? X86Relocation.Plt32);
                return 2; // with the call of __tls_get_addr
            case X86Relocation.TpOff32 or X86Relocation.DtpOff32:
                Put32(piece.Region, at, ThreadOffset(target));
                break;
            case X86Relocation.TpOff64 or X86Relocation.DtpOff64:
                Put64(piece.Region, at, ThreadOffset(target));
                break;
            case X86Relocation.GotTpOff:
                PutDistance(piece.Region, at, Region.Constants, ThreadSlotOf(ThreadOffset(target with { Addend = 0 })) + target.Addend);
                break;
            default:
                Apply(piece, at, relocation.Type, Linker.Bind(target, isInside), target.Addend);
                break;
        }
        return 1;
    }

    private void Apply(Placed piece, uint at, uint type, Destination destination, long addend)
    {
        switch (type)
        {
            case X86Relocation.Abs64:
                PutAddress(piece.Region, at, destination, addend);
                break;
            case X86Relocation.Abs32 or X86Relocation.Abs32Signed when !IsExternal(destination):
                Linker.Relocate(new PatchRelocation(Linker.Layout.Start(piece.Region) + at, PatchRelocationKind.Address32, destination.Home, (destination.Home == PatchRelocation.Self ? Linker.AddressOf(destination) : destination.Offset) + addend));
                break;
            case X86Relocation.Plt32 when StubOf(destination) is { } stub:
                PutDistance(piece.Region, at, Region.Code, stub + addend);
                break;
            case X86Relocation.Pc32 or X86Relocation.Plt32:
                PutDistance(piece.Region, at, destination, addend);
                break;
            case X86Relocation.GotPcRel or X86Relocation.GotPcRelX or X86Relocation.RexGotPcRelX:
                PutDistance(piece.Region, at, Region.Constants, SlotOf(destination) + addend);
                break;
            default:
                RefuseType(piece, type);
                break;
        }
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
            var code = Linker.Layout.Bytes(piece.Region, at - 3, padding + load.Length);
            code[..padding].Fill(0x66);
            load.CopyTo(code[padding..]);
            return;
        }
        var sequence = Linker.Layout.Bytes(piece.Region, at - 4, 16);
        load.CopyTo(sequence);
        ReadOnlySpan<byte> add = [0x48, 0x8D, 0x80];
        add.CopyTo(sequence[9..]);
        BinaryPrimitives.WriteInt32LittleEndian(sequence[12..], checked((int)offset));
    }
}
