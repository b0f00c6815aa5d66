namespace Weft.Cli.Ci;

/// <summary>
/// Where files are is read from cargo's messages for programs. Those take the place of nothing the user sees: cargo still
/// renders diagnostics on stderr, and a user who asked for messages gets every one of them.
/// </summary>
internal static class MessageFormat
{
    private const string Flag = "--message-format";

    /// <summary>Takes --message-format out of cargo's arguments.</summary>
    public static (IReadOnlyList<string> Arguments, bool Print) Take(List<string> arguments)
    {
        var given = TakeAll(arguments);
        var formats = given.SelectMany(g => g.Split(',')).ToList();
        if (formats.Any(f => f.StartsWith("json", StringComparison.OrdinalIgnoreCase))) return ([.. given.Select(g => $"{Flag}={g}")], Print: true);
        var known = formats.All(f => f.ToLowerInvariant() is "human" or "short");
        if (!known) return ([.. given.Select(g => $"{Flag}={g}")], Print: false); // cargo says what is wrong with it
        var isShort = formats.Contains("short", StringComparer.OrdinalIgnoreCase);
        return ([$"{Flag}=json-render-diagnostics{(isShort ? ",json-diagnostic-short" : "")}"], Print: false);
    }

    private static List<string> TakeAll(List<string> arguments)
    {
        var values = new List<string>();
        for (var i = 0; i < arguments.Count;)
            if (arguments[i].StartsWith(Flag + "=", StringComparison.Ordinal))
            {
                values.Add(arguments[i][(Flag.Length + 1)..]);
                arguments.RemoveAt(i);
            }
            else if (arguments[i] == Flag && i + 1 < arguments.Count)
            {
                values.Add(arguments[i + 1]);
                arguments.RemoveRange(i, 2);
            }
            else i++;
        return values;
    }
}
