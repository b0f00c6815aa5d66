using Weft.Core;

namespace Weft.Tracing;

/// <summary>A trace as <see cref="FoldedStacks"/>.</summary>
public static class FoldedExport
{
    /// <summary>Returns how many calls found no room, and count as their callers' own.</summary>
    /// <param name="output">Gets the text.</param>
    /// <param name="source">For names.</param>
    /// <param name="calls">What each thread did.</param>
    /// <param name="count">Numbers are calls instead of nanoseconds.</param>
    public static long Write(Stream output, ITraceSource source, Func<TraceThread, IEnumerable<CallEvent>> calls, bool count)
    {
        using var stacks = new FoldedStacks(output);
        var tree = StackTree.Of(source, calls);
        foreach (var node in tree.Walk()) stacks.Write(node.Depth, tree.Name(node), (ulong)(count ? node.Calls : node.Self));
        return tree.Folded;
    }
}
