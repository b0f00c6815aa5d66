namespace Weft.Toolchain.Link;

/// <summary>Makes symbols of the runtime's shared state visible through a version script that hides what it does not name.</summary>
internal static class VersionScript
{
    /// <summary>The script that a linker argument names, or null.</summary>
    public static string? PathIn(string argument)
    {
        const string option = "--version-script=";
        if (argument.StartsWith("-Wl," + option, StringComparison.Ordinal)) return argument[("-Wl,".Length + option.Length)..];
        return argument.StartsWith(option, StringComparison.Ordinal) ? argument[option.Length..] : null;
    }

    /// <summary>Every word of a script: more than the names it exports, never less.</summary>
    public static IEnumerable<string> Names(string script) => script.Split([' ', '\t', '\r', '\n', ';', '{', '}', '"'], StringSplitOptions.RemoveEmptyEntries);

    /// <summary>
    /// <code>{ global: api; local: *; };   ==>   { global: __weft_metering_*; api; local: *; };</code>
    /// </summary>
    public static string Export(string script, IReadOnlyList<string> globs)
    {
        var names = string.Concat(globs.Select(g => $" {g};"));
        var global = script.IndexOf("global:", StringComparison.Ordinal);
        if (global >= 0) return script.Insert(global + "global:".Length, names);
        var open = script.IndexOf('{');
        return open < 0 ? script : script.Insert(open + 1, $" global:{names}");
    }
}
