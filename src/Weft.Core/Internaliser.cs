using System.Text.RegularExpressions;
using Weft.Llvm;

namespace Weft.Core;

/// <summary>
/// Tells link-time optimisation that what it sees is all there is, for symbols that nothing outside the merged modules
/// names:
/// <code>
/// define void @_ZN3app4work17h0123456789abcdefE()    ==>    define internal void @_ZN3app4work17h0123456789abcdefE()
/// </code>
/// Only names that rustc has mangled qualify, for no C object or shared library can refer to one it does not list as
/// undefined, whereas any other name may be asked for by a library that the linker finds later. Left alone: names to
/// keep, names in module-level assembly, and comdat members.
/// </summary>
public static partial class Internaliser
{
    public static void Run(Module module, IReadOnlySet<string> keep)
    {
        var assembly = module.InlineAssembly;
        bool MayHide(Value value, Linkage linkage) =>
            linkage is Linkage.External or Linkage.WeakAny or Linkage.WeakOdr or Linkage.LinkOnceAny or Linkage.LinkOnceOdr
            && value.Name is var name && IsMangled(name) && !keep.Contains(name) && !(assembly.Length > 0 && assembly.Contains(name, StringComparison.Ordinal));

        foreach (var function in module.Functions)
            if (!function.IsDeclaration && !function.HasComdat && MayHide(function.AsValue, function.Linkage))
                Hide(function.AsValue.AsGlobal);
        foreach (var global in module.Globals)
            if (!global.IsDeclaration && !global.HasComdat && MayHide(global.AsValue, global.Linkage))
                Hide(global);
    }

    /// <summary>_R... (version 0), or _ZN...17h and 16 hexadecimal digits (legacy); suffixes of passes may follow.</summary>
    public static bool IsMangled(string name) => name.StartsWith("_R", StringComparison.Ordinal) || (name.StartsWith("_ZN", StringComparison.Ordinal) && Hash().IsMatch(name));

    private static void Hide(GlobalVariable symbol)
    {
        symbol.Linkage = Linkage.Internal;
        symbol.Visibility = Visibility.Default; // the only one that internal symbols may have
    }

    [GeneratedRegex("17h[0-9a-f]{16}E")]
    private static partial Regex Hash();
}
