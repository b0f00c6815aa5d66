namespace Weft.Toolchain.Link;

/// <summary>Makes symbols of the runtime's shared state visible through a version script that hides what it does not name.</summary>
internal static class VersionScript
{
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
