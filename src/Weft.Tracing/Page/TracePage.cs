using System.IO.Compression;
using Weft.Core;

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
        var page = new HtmlPage(typeof(TracePage).Assembly, Scripts);
        page.Write(output, new Dictionary<string, Action<Stream>> { ["data"] = data => WriteData(data, source, survey, calls) });
    }

    private static void WriteData(Stream output, ITraceSource source, Survey survey, Func<TraceThread, IEnumerable<CallEvent>> calls)
    {
        using var text = new Base64Stream(output);
        using var packed = new DeflateStream(text, CompressionLevel.Optimal);
        new PageData(packed, source, survey).Write(calls);
    }
}
