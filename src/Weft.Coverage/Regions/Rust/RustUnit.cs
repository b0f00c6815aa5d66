using Weft.Coverage.Regions.Placement;
using Weft.Llvm;

namespace Weft.Coverage.Regions.Rust;

/// <summary>A function, closure or asynchronous block of a file.</summary>
/// <param name="Name">As the source has it.</param>
/// <param name="Whole">From its signature to its closing brace.</param>
/// <param name="Body">Its body.</param>
/// <param name="Regions">Its regions, which count blocks of <paramref name="Graph"/>.</param>
/// <param name="Graph">The flow that rustc would build; null for the outside of an asynchronous function.</param>
/// <param name="IsConditional">Whether an attribute may keep it from being compiled.</param>
internal sealed record RustFunction(string Name, Span Whole, Span Body, FunctionRegions Regions, CoverageGraph? Graph, bool IsConditional)
{
    /// <summary>Where it begins.</summary>
    public int Line => Regions.Regions is [var first, ..] ? first.StartLine : 0;
}

/// <summary>A file of Rust with its functions, and how they are found in the code that rustc makes of them.</summary>
internal sealed class RustUnit(SourceFile source, IReadOnlyList<RustFunction> functions, int file)
{
    public IReadOnlyList<RustFunction> Functions => functions;

    /// <summary>The function that most of some IR comes from, if it is one of the file's.</summary>
    public RustFunction? Find(LocatedFunction located)
    {
        var votes = new Dictionary<RustFunction, int>();
        foreach (var place in located.Located.Select(l => l.Place).Where(p => p.File == file))
            if (Innermost(place) is { } owner)
                votes[owner] = votes.GetValueOrDefault(owner) + 1;
        if (votes.Count == 0) return null;
        var found = votes.MaxBy(v => v.Value).Key;
        // An asynchronous function is two: one that makes the future, and the code of that.
        var isInner = located.Function.Name.Contains("closure", StringComparison.Ordinal);
        return functions.FirstOrDefault(f => f.Body == found.Body && f.Graph == null) is { } outside && !isInner ? outside : found;
    }

    /// <summary>The regions of a function that there is code of.</summary>
    /// <param name="function">The function.</param>
    /// <param name="located">Its code.</param>
    /// <param name="sites">Takes what the counts are sums of.</param>
    public FunctionRegions Regions(RustFunction function, LocatedFunction located, Sites sites)
    {
        var counts = function.Graph == null ? [sites.Block(0)] : new RustPlacement(source, file, function, located, sites).Place();
        return function.Regions with { Regions = [.. function.Regions.Regions.Select(r => r with { Count = r.Count.Replace(b => counts[b]) })] };
    }

    /// <summary>The regions of a function that there is no code of.</summary>
    public static FunctionRegions Unused(RustFunction function) =>
        function.Regions with { Regions = [.. function.Regions.Regions.Select(r => r with { Count = Count.Zero })] };

    private RustFunction? Innermost(Place place)
    {
        var offset = source.LineStart(Math.Min(place.Line, source.LineCount)) + Math.Max(0, place.Column - 1);
        return functions.Where(f => f.Graph != null && f.Whole.Low <= offset && offset <= f.Whole.High).MinBy(f => f.Whole.High - f.Whole.Low);
    }
}

/// <summary>
/// Says which blocks of the IR rustc's basic coverage blocks are. For each the first rule that finds one, leaving out what only
/// unwinding reaches: the function's first block for the first; those that return for the one with the closing brace; the
/// block of an instruction that stands where a region of it, and of no other, begins; the same of any region of it; of any of
/// its spans. The rest follows from flow.
/// </summary>
internal sealed class RustPlacement
{
    private readonly SourceFile source;
    private readonly int file;
    private readonly RustFunction function;
    private readonly LocatedFunction located;
    private readonly Sites sites;
    private readonly Dictionary<Place, int> firstBlock = [];
    private readonly List<List<FlowBlock>> blocks;

    public RustPlacement(SourceFile source, int file, RustFunction function, LocatedFunction located, Sites sites)
    {
        (this.source, this.file, this.function, this.located, this.sites) = (source, file, function, located, sites);
        blocks = function.Graph!.Blocks;
        foreach (var (_, block, place) in located.Located)
            if (located.Normal[block])
                firstBlock.TryAdd(place, block);
    }

    /// <summary>The count of each block.</summary>
    public Count[] Place()
    {
        var regions = function.Regions.Regions.ToLookup(r => r.Count.Factors.Keys.First(), r => new Place(file, r.StartLine, r.StartColumn));
        var spans = blocks.Select(chain => chain.SelectMany(b => b.Spans.Concat(b.Macros.Select(m => m.Name))).Select(s => At(s.Low)).ToHashSet()).ToArray();
        var shared = spans.SelectMany(s => s).GroupBy(p => p).Where(g => g.Count() > 1).Select(g => g.Key).ToHashSet();
        var counts = new Count?[blocks.Count];
        for (var i = 0; i < counts.Length; i++)
            counts[i] = i == 0 && !IsCoroutine ? sites.Block(0)
                : IsExit(i) ? Returns()
                : At(regions[i].Where(p => !shared.Contains(p))) ?? At(regions[i]) ?? At(spans[i]);
        new BlockFlow([.. Enumerable.Range(0, blocks.Count).Select(Successors)], counts).Solve();
        return [.. counts.Select(c => c ?? Count.Zero)];
    }

    // Its first block is that of a state machine.
    private bool IsCoroutine => located.Function.Name.Contains("closure", StringComparison.Ordinal) && function.Name == "async";

    private bool IsExit(int block) => blocks[block].Exists(b => b.Spans.Contains(new Span(function.Body.High, function.Body.High)));

    private Count? Returns()
    {
        Count? sum = null;
        for (var block = 0; block < located.Graph.Count; block++)
            if (located.Normal[block] && located.Graph.Blocks[block].Terminator.Opcode == Opcode.Ret)
                sum = (sum ?? Count.Zero) + sites.Block(block);
        return sum;
    }

    private Count? At(IEnumerable<Place> places)
    {
        foreach (var place in places)
            if (firstBlock.TryGetValue(place, out var block)) return sites.Block(block);
        return null;
    }

    private Place At(int offset)
    {
        var (line, column) = source.Position(offset);
        return new Place(file, line, column);
    }

    private IReadOnlyList<int> Successors(int block) => [.. blocks[block][^1].Successors.Select(function.Graph!.NumberOf)];
}
