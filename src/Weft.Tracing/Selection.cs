using System.Globalization;
using Weft.Core;
using Weft.Core.Flow;
using Weft.Llvm;

namespace Weft.Tracing;

/// <summary>
/// Which functions get sleds, decided on optimised IR. What counts as a function's size are its instructions without what
/// only debuggers and the optimiser read, so that -g changes nothing.
/// </summary>
internal sealed class Selection(int threshold, bool loops, IReadOnlyList<Glob> only, IReadOnlyList<Glob> never, AttributeList list)
{
    public const int DefaultThreshold = 200;

    public static Selection From(WeaveContext context) => new(
        Threshold(context.Option("threshold")),
        context.Option("loops") == "on",
        Glob.List(context.Option("only")),
        Glob.List(context.Option("never")),
        AttributeList.Parse(context.Option("attr-list")));

    /// <summary>The first of these that says anything: the source, --tracing-never, the attribute list, --tracing-only, size.</summary>
    public bool Wants(Function function, string source)
    {
        switch (function.StringAttribute("function-instrument"u8))
        {
            case "xray-never": return false;
            case "xray-always": return true;
        }
        string symbol = function.Name, name = Demangler.Demangle(symbol);
        if (never.Any(g => g.Matches(name) || g.Matches(symbol))) return false;
        if (list.Decide(symbol, name, source) is { } decided) return decided;
        if (only.Count > 0) return only.Any(g => g.Matches(name) || g.Matches(symbol));
        return IsLarge(function) || (loops && LoopSearch.HasLoop(function));
    }

    private bool IsLarge(Function function)
    {
        var size = 0;
        foreach (var block in function.Blocks)
            foreach (var instruction in block.Instructions)
                if (BecomesCode(instruction) && ++size >= threshold) return true;
        return size >= threshold;
    }

    private static bool BecomesCode(Instruction instruction) =>
        instruction.Opcode != Opcode.Phi && !(instruction.IsCall && instruction.CalledValue is { IsFunction: true } callee && callee.AsFunction.IsIntrinsic && IsAnnotation(callee.Name));

    private static bool IsAnnotation(string intrinsic) =>
        intrinsic.StartsWith("llvm.dbg.", StringComparison.Ordinal) || intrinsic.StartsWith("llvm.lifetime.", StringComparison.Ordinal)
        || intrinsic.StartsWith("llvm.invariant.", StringComparison.Ordinal) || intrinsic is "llvm.assume" or "llvm.experimental.noalias.scope.decl" or "llvm.pseudoprobe";

    private static int Threshold(string text) =>
        int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var number)
            ? number
            : throw WeftException.Usage($"--tracing-threshold: '{text}' is not a number of instructions");
}
