using Weft.Core;

namespace Weft.Hotpatch.Objects;

/// <summary>What the relocations of a processor mean, as far as telling what they point at needs it.</summary>
internal abstract class Architecture
{
    public const int X86 = 62, Arm = 183;

    public static Architecture Of(ElfFile elf, string name) => elf.Machine switch
    {
        X86 => new X86Architecture(),
        Arm => new ArmArchitecture(),
        _ => throw new WeftException($"'{name}' is for a processor that hotpatch is not there for", "hotpatch is for x86_64 and aarch64"),
    };

    /// <summary>How far behind the relocated bytes the address lies that the processor adds to: what compilers take off the addend.</summary>
    public abstract int Bias(uint type);

    /// <summary>How many bytes it changes.</summary>
    public abstract int Width(uint type);

    /// <summary>Whether it asks for the distance from the place itself.</summary>
    public abstract bool IsRelative(uint type);

    private sealed class X86Architecture : Architecture
    {
        public override int Bias(uint type) => type switch
        {
            X86Relocation.Pc32 or X86Relocation.Plt32 or X86Relocation.GotPcRel or X86Relocation.GotPcRelX or X86Relocation.RexGotPcRelX or X86Relocation.GotTpOff or X86Relocation.TlsGd or X86Relocation.TlsLd => 4,
            _ => 0,
        };

        public override int Width(uint type) => type is X86Relocation.Abs64 or X86Relocation.Pc64 or X86Relocation.DtpOff64 or X86Relocation.TpOff64 ? 8 : 4;

        public override bool IsRelative(uint type) => type is X86Relocation.Pc32 or X86Relocation.Plt32 or X86Relocation.Pc64;
    }

    private sealed class ArmArchitecture : Architecture
    {
        public override int Bias(uint type) => 0;

        public override int Width(uint type) => type is 257 ? 8 : 4; // R_AARCH64_ABS64

        public override bool IsRelative(uint type) => type is 260 or 261 or 282 or 283; // PREL64, PREL32, JUMP26, CALL26
    }
}

/// <summary>Numbers of the x86_64 psABI, chapter "Relocation".</summary>
internal static class X86Relocation
{
    public const uint Abs64 = 1, Pc32 = 2, Plt32 = 4, GotPcRel = 9, Abs32 = 10, Abs32Signed = 11, DtpOff64 = 17, TpOff64 = 18, TlsGd = 19, TlsLd = 20, DtpOff32 = 21, GotTpOff = 22,
        TpOff32 = 23, Pc64 = 24, GotPcRelX = 41, RexGotPcRelX = 42;
}
