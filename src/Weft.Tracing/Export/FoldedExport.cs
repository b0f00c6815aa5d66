using System.Text;

namespace Weft.Tracing;

/// <summary>Folded stacks, the input of Brendan Gregg's flamegraph.pl and of many others: <c>main;work;leaf 123</c>, outermost first.</summary>
public static class FoldedExport
{
    /// <summary>Returns how many calls found no room, and count as their callers' own.</summary>
    /// <param name="output">Gets the text.</param>
    /// <param name="source">For names.</param>
    /// <param name="calls">What each thread did.</param>
    /// <param name="count">Numbers are calls instead of nanoseconds.</param>
    public static long Write(Stream output, ITraceSource source, Func<TraceThread, IEnumerable<CallEvent>> calls, bool count)
    {
        using var writer = new ByteWriter(output);
        var tree = StackTree.Of(source, calls);
        var path = new StringBuilder();
        var ends = new List<int>(); // of the path, by depth
        foreach (var node in tree.Walk())
        {
            ends.RemoveRange(node.Depth, ends.Count - node.Depth);
            path.Length = node.Depth == 0 ? 0 : ends[^1];
            if (node.Depth > 0) path.Append(';');
            Append(path, tree.Name(node));
            ends.Add(path.Length);
            var value = count ? node.Calls : node.Self;
            if (value == 0) continue;
            writer.Write(Encoding.UTF8.GetBytes(path.ToString()));
            writer.Write(" "u8);
            writer.Write(value);
            writer.Write("\n"u8);
        }
        return tree.Folded;
    }

    // A semicolon separates frames and a line a stack: "[u8; 4]" must not.
    private static void Append(StringBuilder path, string name)
    {
        foreach (var c in name) path.Append(c == ';' ? ':' : char.IsControl(c) ? ' ' : c);
    }
}
