namespace Weft.Coverage.Regions.Rust;

/// <summary>What is known of functions and macros by name.</summary>
/// <param name="neverReturning">Functions that are declared to return <c>!</c>.</param>
/// <param name="own">Macros that the file itself defines.</param>
/// <param name="byValue">Methods of the file's that take <c>self</c>.</param>
internal sealed class RustMacros(IReadOnlySet<string> neverReturning, IReadOnlyDictionary<string, MacroRules> own, IReadOnlySet<string> byValue)
{
    // Methods of the standard library that take self; a receiver that is a value is moved into them.
    private static readonly HashSet<string> ByValue =
    [
        "map", "filter", "filter_map", "flat_map", "flatten", "enumerate", "zip", "chain", "rev", "skip", "skip_while", "take_while", "step_by", "peekable", "cycle", "fuse", "inspect",
        "scan", "sum", "product", "collect", "fold", "for_each", "count", "last", "min", "max", "min_by", "max_by", "min_by_key", "max_by_key", "partition", "unzip", "copied", "cloned",
        "into_iter", "reduce", "unwrap", "expect", "unwrap_or", "unwrap_or_else", "unwrap_or_default", "unwrap_err", "expect_err", "ok", "err", "ok_or", "ok_or_else",
        "map_err", "map_or", "map_or_else", "and_then", "or_else", "and", "or", "xor", "transpose", "into", "try_into", "poll", "into_boxed_str", "into_bytes", "into_string",
        "wrapping_add", "wrapping_sub", "wrapping_mul", "checked_add", "checked_sub", "checked_mul", "checked_div", "saturating_add", "saturating_sub", "saturating_mul", "pow", "abs", "sqrt", "add", "sub", "offset",
        "or_insert", "or_insert_with", "or_insert_with_key", "or_default", "and_modify", "to_digit", "is_alphabetic", "is_alphanumeric", "is_numeric", "is_whitespace", "len_utf8", "then", "then_some", "join",
    ];

    /// <summary>Macros that borrow their arguments to format them.</summary>
    public static bool Borrows(string name) => name is "print" or "println" or "eprint" or "eprintln" or "format" or "format_args" or "panic" or "unreachable" or "todo" or "unimplemented";

    /// <summary>Functions that take anything: no argument of theirs is known to be a reference.</summary>
    public static bool IsGeneric(string function) => function is "from" or "ok_or" or "new" or "insert" or "drop" or "Some" or "Ok" or "Err";

    /// <summary>Whether a method of this name usually takes its receiver by value.</summary>
    public bool TakesByValue(string method) => ByValue.Contains(method) || byValue.Contains(method);

    /// <summary>Whether the file defines a macro of this name.</summary>
    public bool IsOwn(string macro) => own.ContainsKey(macro);

    /// <summary>The rules of a macro that the file defines.</summary>
    public MacroRules? RulesOf(string macro) => own.GetValueOrDefault(macro);

    /// <summary>Macros that the compiler makes literals of.</summary>
    public static bool IsLiteral(string name) => name is "line" or "file" or "column" or "concat" or "stringify" or "include_str" or "env" or "cfg" or "module_path";

    /// <summary>Macros that end the function.</summary>
    public static bool Diverges(string name) => name is "panic" or "unreachable" or "todo" or "unimplemented";

    /// <summary>Whether a function is declared to return <c>!</c>.</summary>
    public bool NeverReturns(string path) => path is "std::process::exit" or "process::exit" or "std::process::abort" or "process::abort" || neverReturning.Contains(path);
}
