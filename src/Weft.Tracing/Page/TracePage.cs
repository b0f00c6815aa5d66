using System.IO.Compression;
using System.Security.Cryptography;
using System.Text;

namespace Weft.Tracing.Page;

/// <summary>How much a page may hold.</summary>
public sealed record PageOptions
{
    /// <summary>Calls in the timeline at most. When there are more, the shortest are shown as part of their callers; the flame graph and the table count them all the same.</summary>
    public int MaxEvents { get; init; } = 2_000_000;

    /// <summary>Different stacks told apart at most; calls with other stacks are part of their callers everywhere.</summary>
    public int MaxStacks { get; init; } = 1_000_000;
}

/// <summary>
/// A trace as one HTML file that needs nothing beside it: a timeline, a flame graph and a table of functions. What comes from
/// the trace is in the page only as compressed data (see <see cref="PageData"/>), which its script shows as text and nothing else.
/// </summary>
public static class TracePage
{
    // In the order in which the one script of the page has them; they share a scope.
    private static readonly string[] Scripts = ["data.js", "model.js", "look.js", "timeline.js", "map.js", "pointers.js", "flame.js", "table.js", "page.js"];

    /// <summary>Writes the page; reads every thread twice.</summary>
    /// <param name="output">Gets UTF-8 and stays open.</param>
    /// <param name="source">The trace.</param>
    /// <param name="calls">The balanced steps of a thread, from the beginning each time it is called.</param>
    /// <param name="options">Limits.</param>
    public static void Write(Stream output, ITraceSource source, Func<TraceThread, IEnumerable<CallEvent>> calls, PageOptions options)
    {
        var survey = Survey.Of(source, calls, options);
        var (before, after) = Frame();
        output.Write(Encoding.UTF8.GetBytes(before));
        using (var text = new Base64Stream(output))
        using (var packed = new DeflateStream(text, CompressionLevel.Optimal))
            new PageData(packed, source, survey).Write(calls);
        output.Write(Encoding.UTF8.GetBytes(after));
    }

    // The policy names the page's own script and style by their hashes: nothing else runs, whatever got into the page.
    private static (string Before, string After) Frame()
    {
        var style = Resource("page.css");
        var script = $"(() => {{\n\"use strict\";\n{string.Join('\n', Scripts.Select(Resource))}}})();\n";
        var page = Resource("page.html")
            .Replace("{{policy}}", $"default-src 'none'; script-src {Hash(script)}; style-src {Hash(style)}; base-uri 'none'; form-action 'none'")
            .Replace("{{style}}", style)
            .Replace("{{script}}", script)
            .Split("{{data}}");
        return (page[0], page[1]);
    }

    private static string Hash(string text) => $"'sha256-{Convert.ToBase64String(SHA256.HashData(Encoding.UTF8.GetBytes(text)))}'";

    private static string Resource(string name)
    {
        using var stream = typeof(TracePage).Assembly.GetManifestResourceStream("page/" + name)!;
        using var reader = new StreamReader(stream);
        return reader.ReadToEnd();
    }
}
