namespace Weft.Coverage.Regions.Rust;

/// <summary>
/// Makes regions of the spans of a flow graph, by the rules of rustc 1.95 (rustc_mir_transform, coverage/spans.rs): of equal
/// spans that of the block dominated most stays, none over a closure stays, none that encloses a span of another block,
/// and what touches in the same block becomes one.
/// </summary>
/// <param name="text">The source.</param>
/// <param name="body">The function's body; spans outside count nothing, and one that is all of it was made by the compiler.</param>
internal sealed class SpanRefiner(byte[] text, Span body)
{
    private readonly record struct BlockSpan(Span Span, int Block);

    /// <param name="graph">The blocks.</param>
    /// <param name="signature">The function's signature; a closure has none.</param>
    /// <param name="holes">Closures and items in the body, which are functions of their own.</param>
    public List<(Span Span, int Block)> Refine(CoverageGraph graph, Span? signature, IEnumerable<Span> holes)
    {
        var spans = Spans(graph);
        if (spans.Count == 0) return [];
        spans.Add(new BlockSpan(signature ?? new Span(body.Low, body.Low), 0));
        spans = [.. spans.OrderBy(s => s.Span.Low).ThenByDescending(s => s.Span.High).ThenByDescending(s => s.Block).DistinctBy(s => s.Span)];
        var all = holes.Where(body.Contains).ToList();
        spans.RemoveAll(s => all.Exists(h => h.Overlaps(s.Span)));
        return Merge(WithoutEnclosing(spans));
    }

    private List<BlockSpan> Spans(CoverageGraph graph)
    {
        var spans = new List<BlockSpan>();
        var macros = new Dictionary<MacroCall, int>();
        for (var i = 0; i < graph.Blocks.Count; i++)
            foreach (var block in graph.Blocks[i])
            {
                foreach (var span in block.Spans) spans.Add(new BlockSpan(span, i));
                foreach (var macro in block.Macros) macros.TryAdd(macro, i); // the first block
            }
        spans.AddRange(macros.Select(m => new BlockSpan(m.Key.Name, m.Value)));
        spans.RemoveAll(s => !body.Contains(s.Span) || s.Span == body);
        return spans;
    }

    private static List<BlockSpan> WithoutEnclosing(List<BlockSpan> sorted)
    {
        var pending = new List<BlockSpan>();
        var refined = new List<BlockSpan>();
        foreach (var current in sorted)
        {
            refined.AddRange(pending.Where(p => p.Span.High <= current.Span.Low));
            pending.RemoveAll(p => p.Span.High <= current.Span.Low || p.Block != current.Block);
            pending.Add(current);
        }
        refined.AddRange(pending);
        return refined;
    }

    private List<(Span, int)> Merge(List<BlockSpan> spans)
    {
        var merged = new List<(Span Span, int Block)>();
        foreach (var (raw, block) in spans)
        {
            if (NotEmpty(raw) is not { } span) continue;
            if (merged.Count > 0 && merged[^1] is var last && last.Block == block && last.Span.TouchesOrOverlaps(span)) merged[^1] = (last.Span.To(span), block);
            else merged.Add((span, block));
        }
        return merged;
    }

    /// <summary>An empty span takes the brace beside it, or goes.</summary>
    private Span? NotEmpty(Span span)
    {
        if (!span.IsEmpty) return span;
        if (span.High < text.Length && text[span.High] == '{') return new Span(span.Low, span.High + 1);
        return span.Low > 0 && text[span.Low - 1] == '}' ? new Span(span.Low - 1, span.High) : null;
    }
}
