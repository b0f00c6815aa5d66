using Weft.Llvm;

namespace Weft.Hotpatch.Weaving;

/// <summary>
/// A section of its own for a function of a COFF object, where the lowering gives it none: a patch takes single functions out of objects,
/// and <c>/functionpadmin</c> gives room to sections. Linkers put <c>.text$name</c> into .text.
/// </summary>
internal static class OwnSection
{
    public static void Give(Function function)
    {
        if (!function.HasSection && !function.HasComdat) function.AsValue.AsGlobal.SetSection([.. ".text$"u8, .. function.AsValue.NameBytes]);
    }
}
