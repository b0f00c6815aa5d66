using System.Buffers;
using Weft.Llvm;

namespace Weft.Hotpatch.Weaving;

/// <summary>
/// Types without a name that hold what code has captured: closures, async functions and blocks of Rust, lambdas of C++. Compilers number
/// them within the function that they are written in.
/// <code>
/// sim::World::step::{closure_env#1}       rustc, in debug information
/// work()::'lambda0'(int)                  clang, demangled
/// work()::$_0                             the same where no other file can have it
/// </code>
/// </summary>
internal static class ClosureNames
{
    private const string Lambda = "::'lambda", LocalLambda = "::$_";

    private static readonly string[] Marks = ["{closure_env#", "{async_fn_env#", "{async_block_env#", "{async_closure_env#", "{coroutine_env#", "{gen_fn_env#", "{gen_block_env#", Lambda, LocalLambda];
    private static readonly SearchValues<string> AllMarks = SearchValues.Create(Marks, StringComparison.Ordinal);

    /// <summary>Whether a text names such a type.</summary>
    public static bool IsIn(string text) => text.AsSpan().ContainsAny(AllMarks);

    /// <summary>Whether a C++ symbol may name one: it is to be demangled then.</summary>
    public static bool MayBeIn(string symbol) => symbol.StartsWith("_Z", StringComparison.Ordinal) && (symbol.Contains("Ul", StringComparison.Ordinal) || symbol.Contains("$_", StringComparison.Ordinal));

    /// <summary>What the type is called that a C++ function is the operator() of; null for other functions.</summary>
    public static string? LambdaOf(string symbol)
    {
        if (!MayBeIn(symbol)) return null;
        var text = Demangler.Demangle(symbol);
        var end = text.LastIndexOf("::operator()", StringComparison.Ordinal);
        if (end <= 0) return null;
        var name = text[..end];
        var at = Math.Max(name.LastIndexOf(Lambda, StringComparison.Ordinal), name.LastIndexOf(LocalLambda, StringComparison.Ordinal));
        return at > name.LastIndexOf(">::", StringComparison.Ordinal) ? name : null;
    }

    /// <summary>Whose it is, with what kind it is of: the part of a name before its number. The name itself when it has none.</summary>
    public static string Family(string type)
    {
        var at = Marks.Max(m => type.LastIndexOf(m, StringComparison.Ordinal) is var found and >= 0 ? found + m.Length : -1);
        return at < 0 ? type : type[..at];
    }
}
