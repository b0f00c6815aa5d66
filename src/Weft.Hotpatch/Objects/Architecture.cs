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

    /// <summary>Whether it asks for an address, in eight bytes.</summary>
    public abstract bool IsAddress(uint type);

    private sealed class X86Architecture : Architecture
    {
        public override int Bias(uint type) => type switch
        {
            X86Relocation.Pc32 or X86Relocation.Plt32 or X86Relocation.GotPcRel or X86Relocation.GotPcRelX or X86Relocation.RexGotPcRelX or X86Relocation.GotTpOff or X86Relocation.TlsGd or X86Relocation.TlsLd => 4,
            _ => 0,
        };

        public override int Width(uint type) => type is X86Relocation.Abs64 or X86Relocation.Pc64 or X86Relocation.DtpOff64 or X86Relocation.TpOff64 ? 8 : 4;

        public override bool IsRelative(uint type) => type is X86Relocation.Pc32 or X86Relocation.Plt32 or X86Relocation.Pc64;

        public override bool IsAddress(uint type) => type == X86Relocation.Abs64;
    }

    private sealed class ArmArchitecture : Architecture
    {
        public override int Bias(uint type) => 0;

        // The bits that an instruction leaves free are zero in an object; the others are its own.
        public override int Width(uint type) => type switch
        {
            ArmRelocation.Abs64 => 8,
            ArmRelocation.Prel32 => 4,
            _ => 0,
        };

        public override bool IsRelative(uint type) => type is ArmRelocation.Prel64 or ArmRelocation.Prel32 or ArmRelocation.Jump26 or ArmRelocation.Call26;

        public override bool IsAddress(uint type) => type == ArmRelocation.Abs64;
    }
}

/// <summary>Numbers of ELF for the Arm 64-bit Architecture, chapter "Relocations".</summary>
internal static class ArmRelocation
{
    public const uint Abs64 = 257, Prel64 = 260, Prel32 = 261, Page21 = 275, Page21Unchecked = 276, Add12 = 277, LoadStore8 = 278, Jump26 = 282, Call26 = 283, LoadStore16 = 284, LoadStore32 = 285, LoadStore64 = 286,
        LoadStore128 = 299, GotPage = 311, GotLow12 = 312, FirstThreadLocal = 512, LastThreadLocal = 573, TlsInitialPage = 541, TlsInitialLoad = 542, TlsLocalHigh12 = 549, TlsLocalLow12 = 550,
        TlsLocalLow12Unchecked = 551, TlsDescriptorPage = 562, TlsDescriptorLoad = 563, TlsDescriptorAdd = 564, TlsDescriptorCall = 569;

    /// <summary>For what takes the lowest twelve bits of an address: by how many of them it does without. Null for others.</summary>
    public static int? ScaleOf(uint type) => type switch
    {
        Add12 or LoadStore8 => 0,
        LoadStore16 => 1,
        LoadStore32 => 2,
        LoadStore64 => 3,
        LoadStore128 => 4,
        _ => null,
    };
}

/// <summary>Numbers of the x86_64 psABI, chapter "Relocation".</summary>
internal static class X86Relocation
{
    public const uint Abs64 = 1, Pc32 = 2, Plt32 = 4, GotPcRel = 9, Abs32 = 10, Abs32Signed = 11, DtpOff64 = 17, TpOff64 = 18, TlsGd = 19, TlsLd = 20, DtpOff32 = 21, GotTpOff = 22,
        TpOff32 = 23, Pc64 = 24, GotPcRelX = 41, RexGotPcRelX = 42;
}
