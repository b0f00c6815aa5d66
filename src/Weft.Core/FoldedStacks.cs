using System.Text;

namespace Weft.Core;

/// <summary>Folded stacks, the input of Brendan Gregg's flamegraph.pl and of many others: <c>main;work;leaf 123</c>, outermost first.</summary>
public sealed class FoldedStacks(Stream output) : IDisposable
{
    private readonly ByteWriter writer = new(output);
    private readonly StringBuilder path = new();
    private readonly List<int> ends = []; // of the path, by depth

    /// <summary>Writes a stack, if it has a value. Callers come before what they call.</summary>
    /// <param name="depth">0 of the outermost.</param>
    /// <param name="name">Of the innermost.</param>
    /// <param name="value">Its own.</param>
    public void Write(int depth, string name, ulong value)
    {
        ends.RemoveRange(depth, ends.Count - depth);
        path.Length = depth == 0 ? 0 : ends[^1];
        if (depth > 0) path.Append(';');
        Append(name);
        ends.Add(path.Length);
        if (value == 0) return;
        writer.Write(Encoding.UTF8.GetBytes(path.ToString()));
        writer.Write(" "u8);
        writer.Write(value);
        writer.Write("\n"u8);
    }

    public void Dispose() => writer.Dispose();

    // A semicolon separates frames and a line a stack: "[u8; 4]" must not.
    private void Append(string name)
    {
        foreach (var c in name) path.Append(c == ';' ? ':' : char.IsControl(c) ? ' ' : c);
    }
}
