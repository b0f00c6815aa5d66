using System.Globalization;
using System.Security;
using System.Text;

namespace Weft.Tracing;

/// <summary>
/// A flame graph as one SVG file: a box for every distinct stack, as wide as the time spent in it and in what it called, on top of
/// its caller. A colour is a module; what a box is of and how much is in its tooltip.
/// </summary>
public static class FlamegraphExport
{
    private const double Width = 1200, Margin = 10, Narrowest = 0.3, LetterWidth = 6.7;
    private const int RowHeight = 17, Head = 40, Colours = 12, Shades = 4;

    /// <summary>Returns how many calls found no room, and count as their callers' own.</summary>
    /// <param name="output">Gets the picture.</param>
    /// <param name="source">For names.</param>
    /// <param name="calls">What each thread did.</param>
    /// <param name="count">Widths are calls instead of time.</param>
    public static long Write(Stream output, ITraceSource source, Func<TraceThread, IEnumerable<CallEvent>> calls, bool count)
    {
        using var writer = new StreamWriter(output, new UTF8Encoding(encoderShouldEmitUTF8Identifier: false), 1 << 16, leaveOpen: true);
        var tree = StackTree.Of(source, calls);
        var (boxes, total) = Layout(tree, source, count);
        var rows = boxes.Count == 0 ? 1 : boxes.Max(b => b.Depth) + 2;
        var height = Head + rows * RowHeight + Margin;
        var program = source.Info.Program is { Length: > 0 } path ? Path.GetFileName(path) : "trace";
        WriteHead(writer, height, $"{program}: {Amount(total, count)}");
        var colours = new Dictionary<int, int>();
        var scale = (Width - 2 * Margin) / Math.Max(total, 1);
        Box(writer, new Placed(-1, 0, total, "all", "all", 0, 0), scale, rows, "r");
        foreach (var box in boxes)
        {
            if (!colours.TryGetValue(box.Module, out var colour)) colours[box.Module] = colour = colours.Count % Colours;
            Box(writer, box, scale, rows, $"c{colour} s{box.Shade}");
        }
        writer.Write("</svg>\n");
        return tree.Folded;
    }

    private readonly record struct Placed(int Depth, long Start, long Size, string Name, string Title, int Module, int Shade);

    /// <summary>Where boxes are that are wide enough to be seen, in units of the value.</summary>
    private static (List<Placed> Boxes, long Total) Layout(StackTree tree, ITraceSource source, bool count)
    {
        var total = count ? tree.Root.AllCalls : tree.Root.Total;
        var boxes = new List<Placed>();
        var next = new List<long> { 0 }; // where the next box of a depth begins
        foreach (var node in tree.Walk())
        {
            var (start, size) = (next[node.Depth], count ? node.AllCalls : node.Total);
            next[node.Depth] += size;
            next.RemoveRange(node.Depth + 1, next.Count - node.Depth - 1);
            next.Add(start);
            if (size == 0 || size * (Width - 2 * Margin) < Narrowest * total) continue;
            var module = source.Function(node.Function).Module;
            var title = $"{tree.Name(node)}{(module == null ? "" : $" [{Path.GetFileName(module.Path)}]")}\n{Describe(node, total, count)}";
            boxes.Add(new Placed(node.Depth, start, size, tree.Name(node), title, module?.Index ?? 0, (int)((uint)node.Function % Shades)));
        }
        return (boxes, total);
    }

    private static string Describe(StackTree.Node node, long total, bool count) => count
        ? $"{Amount(node.Calls, count)}, {Amount(node.AllCalls, count)} with those it makes"
        : $"{Amount(node.Total, count)}, {100.0 * node.Total / total:F2}%, {Amount(node.Self, count)} in itself, {Amount(node.Calls, count: true)}";

    private static void WriteHead(StreamWriter writer, double height, string title)
    {
        writer.Write($$"""
            <?xml version="1.0" encoding="UTF-8"?>
            <svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {{Width}} {{Number(height)}}" width="{{Width}}" height="{{Number(height)}}">
            <style>
            svg { color-scheme: light dark; background: #fff; font: 11px ui-monospace, monospace }
            text { fill: #111; pointer-events: none } .h { font-size: 15px }
            rect { stroke: #fff; stroke-width: .5 } .r { fill: #ccc } g:hover rect { stroke: #000; stroke-width: 1 }

            """);
        for (var colour = 0; colour < Colours; colour++) writer.Write($".c{colour} {{ --h: {(25 + colour * 150) % 360} }}\n");
        for (var shade = 0; shade < Shades; shade++) writer.Write($".s{shade} {{ fill: hsl(var(--h) 70% {68 + 4 * shade}%) }}\n");
        writer.Write("@media (prefers-color-scheme: dark) {\nsvg { background: #16181c } text { fill: #eee } rect { stroke: #16181c } .r { fill: #444 } g:hover rect { stroke: #fff }\n");
        for (var shade = 0; shade < Shades; shade++) writer.Write($".s{shade} {{ fill: hsl(var(--h) 45% {28 + 4 * shade}%) }}\n");
        writer.Write($"}}\n</style>\n<text class=\"h\" x=\"{Margin}\" y=\"25\">{Escape(title)}</text>\n");
    }

    private static void Box(StreamWriter writer, in Placed box, double scale, int rows, string style)
    {
        var (x, width) = (Margin + box.Start * scale, box.Size * scale);
        var y = Head + (rows - 2 - box.Depth) * RowHeight;
        writer.Write($"<g><title>{Escape(box.Title)}</title><rect class=\"{style}\" x=\"{Number(x)}\" y=\"{y}\" width=\"{Number(width)}\" height=\"{RowHeight - 1}\"/>");
        var letters = (int)((width - 4) / LetterWidth);
        if (letters >= 3) writer.Write($"<text x=\"{Number(x + 3)}\" y=\"{y + 12}\">{Escape(box.Name.Length <= letters ? box.Name : box.Name[..(letters - 2)] + "..")}</text>");
        writer.Write("</g>\n");
    }

    // XML has no way of writing most control characters, nor half a surrogate pair.
    private static string Escape(string text)
    {
        var plain = string.Concat(text.Select(c => char.IsControl(c) && c != '\n' ? '?' : c));
        return SecurityElement.Escape(Encoding.UTF8.GetString(Encoding.UTF8.GetBytes(plain)));
    }

    private static string Number(double number) => number.ToString("0.##", CultureInfo.InvariantCulture);

    private static string Amount(long value, bool count) => count
        ? $"{value.ToString("N0", CultureInfo.InvariantCulture)} call{(value == 1 ? "" : "s")}"
        : value switch
        {
            < 1_000 => $"{value} ns",
            < 1_000_000 => $"{value / 1e3:F2} us",
            < 1_000_000_000 => $"{value / 1e6:F2} ms",
            _ => $"{value / 1e9:F2} s",
        };
}
