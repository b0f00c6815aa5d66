using Weft.Llvm;

namespace Weft.Core;

/// <summary>
/// What runs between FRONT and MIDDLE, over marks that are to become code: the first half of what would run without them, so
/// that functions are inlined as they would be, and loops take the form that instruments read best.
/// </summary>
internal static class Simplification
{
    // Without vectorising: that comes after MIDDLE, and by the code generator's costs.
    private const string LoopForms = "function(loop-simplify,lcssa,loop(loop-rotate),loop-simplify)";

    public static void Run(Module module, OptLevel level)
    {
        var memory = Llvm.Attribute.Kind("memory"u8);
        var before = module.Functions.ToDictionary(f => f, f => f.AttributeOf(memory));
        module.RunPasses($"thinlto-pre-link<{level}>,{LoopForms}", machine: null, default);
        // What a function with marks is found to do to memory is no longer true once they are code. A declaration has
        // none; an intrinsic that the passes have just declared must keep what it is defined to be.
        foreach (var function in module.Functions.Where(f => !f.IsDeclaration))
        {
            function.RemoveAttribute(memory);
            if (before.GetValueOrDefault(function) is { Exists: true } given) function.Add(given);
        }
    }
}
