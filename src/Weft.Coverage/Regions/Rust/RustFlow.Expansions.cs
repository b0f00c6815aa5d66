using Weft.Syntax;

namespace Weft.Coverage.Regions.Rust;

internal sealed partial class RustFlow
{
    // A macro may invoke itself for ever, or twice each time.
    private const int DeepestExpansion = 32, MostExpansions = 256;

    private readonly List<(Span Place, MacroCall Call, Expansion Expansion)> expansions = [];
    private int depth;

    /// <summary>Parses a block that stands at an offset.</summary>
    public required Func<byte[], int, SyntaxNode?> ParseBlock { get; init; }

    /// <summary>Evaluates what a macro of the file's becomes, behind the end of the text; <see cref="Resolve"/> says where it is from.</summary>
    private bool Expand(SyntaxNode invocation, string name, MacroCall call)
    {
        if (depth == DeepestExpansion || expansions.Count >= MostExpansions || invocation.Child("token_tree") is not { } tree) return false;
        if (macros.RulesOf(name)?.Expand(text, new Span(tree.Start + 1, tree.End - 1)) is not { } expansion) return false;
        byte[] block = [(byte)'{', .. expansion.Text, (byte)'}'];
        if (ParseBlock(block, text.Length) is not { } parsed) return false;
        expansions.Add((new Span(text.Length, text.Length + block.Length), call, expansion));
        text = [.. text, .. block];
        depth++;
        Sequence(parsed, parsed);
        depth--;
        return true;
    }

    /// <summary>Gives spans of what macros became their places in the file: of arguments where they were written, of all else the invocation.</summary>
    private void Resolve(FlowBlock entry)
    {
        if (expansions.Count == 0) return;
        for (var i = 0; i < Holes.Count; i++) Holes[i] = PlaceOf(Holes[i], out _);
        foreach (var block in Reached(entry))
        {
            if (block.LoopAt is { } loop) block.LoopAt = PlaceOf(new Span(loop, loop), out _).Low;
            if (block.CodeAt is { } other) block.CodeAt = PlaceOf(new Span(other, other), out _).Low;
            foreach (var span in block.Spans.Where(s => s.High > fileEnd).ToList())
            {
                block.Spans.Remove(span);
                var place = PlaceOf(span, out var call);
                if (call == null) block.Spans.Add(place);
                else block.Macros.Add(call);
            }
            for (var i = 0; i < block.Macros.Count; i++)
                if (PlaceOf(block.Macros[i].Name, out var outer) is var name && outer == null) block.Macros[i] = new MacroCall(name);
                else block.Macros[i] = outer!;
        }
    }

    private Span PlaceOf(Span span, out MacroCall? call)
    {
        call = null;
        while (span.High > fileEnd)
        {
            var (place, made, expansion) = expansions.Find(e => e.Place.Contains(span));
            if (made == null) return default;
            var low = span.Low - place.Low - 1; // behind the brace
            var piece = expansion.Pieces.FirstOrDefault(p => p.Start <= low && low + span.High - span.Low <= p.Start + p.Length);
            if (piece.Length > 0) span = new Span(piece.Original + low - piece.Start, piece.Original + low - piece.Start + span.High - span.Low);
            else (call, span) = (made, made.Name);
        }
        if (call != null) call = new MacroCall(span);
        return span;
    }

    private static HashSet<FlowBlock> Reached(FlowBlock entry)
    {
        var reached = new HashSet<FlowBlock>();
        var work = new Stack<FlowBlock>([entry]);
        while (work.TryPop(out var block))
            if (reached.Add(block))
                foreach (var successor in block.Successors) work.Push(successor);
        return reached;
    }
}
