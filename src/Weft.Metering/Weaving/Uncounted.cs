using Weft.Core;
using Weft.Llvm;

namespace Weft.Metering.Weaving;

/// <summary>
/// What of a module is not counted however it is built, or can change what is: inline assembly, functions that are left alone, data that
/// linkers put among code, and uses of the meter other than to read it.
/// </summary>
internal static class Uncounted
{
    private static readonly HashSet<string> Readers =
        ["weft_metering_count", "weft_metering_process_count", "weft_metering_left", "weft_metering_active", "weft_metering_can_unwind", "weft_metering_write_report", "weft_metering_stop"];

    public static IEnumerable<Uninstrumented> In(Module module, Func<Function, bool> isLeftOut)
    {
        if (!string.IsNullOrWhiteSpace(module.InlineAssembly)) yield return new("outside functions", $"assembly: {Shortened(module.InlineAssembly)}");
        foreach (var variable in module.Globals)
            if (DenyUninstrumented.IsCodeSection(variable.Section)) yield return new(variable.Name, $"data in section '{variable.Section}', where it could be run", variable.Name);
            else if (IsMeter(variable.Name)) yield return new(variable.Name, "a part of the meter is used by name", variable.Name);
        foreach (var function in module.Functions.Where(f => !f.IsIntrinsic))
            foreach (var found in function.IsDeclaration ? OfCallee(function) : OfBody(function, isLeftOut))
                yield return found;
    }

    private static IEnumerable<Uninstrumented> OfCallee(Function function)
    {
        if (!IsMeter(function.Name) && (!function.Name.StartsWith("weft_metering_", StringComparison.Ordinal) || Readers.Contains(function.Name))) return [];
        var users = function.AsValue.Users.Select(u => Place(u, u.Block.Parent)).DefaultIfEmpty(function.Name);
        return users.Select(place => new Uninstrumented(place, $"'{function.Name}' changes what is counted or limited", function.Name));
    }

    private static IEnumerable<Uninstrumented> OfBody(Function function, Func<Function, bool> isLeftOut)
    {
        var name = Demangler.Demangle(function.Name);
        if (Reason(function, isLeftOut) is { } reason) yield return new(Place(function), $"function '{name}' {reason}", function.Name, name);
        foreach (var block in function.Blocks)
            foreach (var instruction in block.Instructions)
                if (instruction.IsCall && instruction.CalledValue is { IsInlineAsm: true, IsEmptyAsm: false })
                    yield return new(Place(instruction, function), $"inline assembly in function '{name}'", function.Name, name);
    }

    private static string? Reason(Function function, Func<Function, bool> isLeftOut) =>
        function.HasAttribute("naked"u8) ? "is naked"
        : function.HasAttribute("noprofile"u8) ? "is marked no_profile_instrument_function"
        : isLeftOut(function) ? "is not counted"
        : null;

    private static bool IsMeter(string name) => name.StartsWith("__weft_", StringComparison.Ordinal) || name.StartsWith("weft.", StringComparison.Ordinal);

    private static string Place(Instruction instruction, Function function) =>
        new DebugLocation(instruction.DebugLocation) is { Handle: not 0, Line: > 0, File: { } file } at ? $"{file.Name}:{at.Line}" : Place(function);

    private static string Place(Function function) => function.SourceFile is { } file && function.Source is var (_, line) ? $"{file.Name}:{line}" : Demangler.Demangle(function.Name);

    // The first line that says something; rustc begins with the syntax.
    private static string Shortened(string text)
    {
        const int most = 60;
        var first = text.Split('\n').Select(l => l.Trim()).FirstOrDefault(l => l.Length > 0 && l is not (".intel_syntax" or ".att_syntax"), "");
        return first.Length > most ? first[..most] + "..." : first;
    }
}
