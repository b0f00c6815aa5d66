using System.Text;

namespace Weft.Tracing;

/// <summary>Folded stacks, the input of Brendan Gregg's flamegraph.pl and of many others: <c>main;work;leaf 123</c>, outermost first.</summary>
public static class FoldedExport
{
    /// <param name="output">Gets the text.</param>
    /// <param name="source">For names.</param>
    /// <param name="calls">What each thread did.</param>
    /// <param name="count">Numbers are calls instead of nanoseconds.</param>
    public static void Write(Stream output, ITraceSource source, Func<TraceThread, IEnumerable<CallEvent>> calls, bool count)
    {
        using var writer = new ByteWriter(output);
        var names = new Dictionary<int, string>();
        var path = new StringBuilder();
        var ends = new List<int>(); // of the path, by depth
        foreach (var (depth, function, times, self, _) in StackTree.Of(source, calls).Walk(Name))
        {
            ends.RemoveRange(depth, ends.Count - depth);
            path.Length = depth == 0 ? 0 : ends[depth - 1];
            if (depth > 0) path.Append(';');
            ends.Add(path.Append(Name(function)).Length);
            var value = count ? times : self;
            if (value == 0) continue;
            writer.Write(Encoding.UTF8.GetBytes(path.ToString()));
            writer.Write(" "u8);
            writer.Write(value);
            writer.Write("\n"u8);
        }

        string Name(int id) => names.TryGetValue(id, out var name) ? name : names[id] = Plain(id == StackTree.Deeper ? "(deeper)" : source.Function(id).Name);
    }

    // A semicolon separates frames and a line a stack: "[u8; 4]" must not.
    private static string Plain(string name) => string.Concat(name.Select(c => c == ';' ? ':' : char.IsControl(c) ? ' ' : c));
}
