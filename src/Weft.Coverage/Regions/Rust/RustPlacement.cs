using Weft.Coverage.Regions.Placement;
using Weft.Llvm;

namespace Weft.Coverage.Regions.Rust;

/// <summary>
/// Says which blocks of the IR rustc's basic coverage blocks are: the function's first block is the first; those that return
/// are the one with the closing brace; another is where an instruction stands at the start of one of its spans. Places that
/// lead to one block alone are believed first, and what follows from them by flow before those that lead to several.
/// </summary>
internal sealed class RustPlacement
{
    private readonly SourceFile source;
    private readonly int file;
    private readonly RustFunction function;
    private readonly LocatedFunction located;
    private readonly Sites sites;
    private readonly Dominators dominators;
    private readonly DeadEnds deadEnds;
    private readonly ILookup<Place, int> blocksAt;
    private readonly List<List<FlowBlock>> blocks;

    public RustPlacement(SourceFile source, int file, RustFunction function, LocatedFunction located, Sites sites)
    {
        (this.source, this.file, this.function, this.located, this.sites) = (source, file, function, located, sites);
        blocks = function.Graph!.Blocks;
        dominators = new Dominators([.. Enumerable.Range(0, located.Graph.Count).Select(NormalSuccessors)]);
        deadEnds = new DeadEnds(located, sites);
        // Only unwinding leads to the others.
        blocksAt = located.Located.Where(l => located.Normal[l.Block] && !IsJump(l.Instruction)).Select(l => (l.Place, l.Block)).Distinct().ToLookup(l => l.Place, l => l.Block);
    }

    /// <summary>The count of each block.</summary>
    public Count[] Place()
    {
        var places = blocks.Select(chain => chain.SelectMany(b => b.Spans.Concat(b.Macros.Select(m => m.Name))).Select(s => At(s.Low)).Distinct().ToArray()).ToArray();
        var shared = places.SelectMany(s => s).GroupBy(p => p).Where(g => g.Count() > 1).Select(g => g.Key).ToHashSet();
        var regions = function.Regions.Regions.ToLookup(r => r.Count.Factors.Keys.First(), r => new Place(file, r.StartLine, r.StartColumn));
        var counts = new Count?[blocks.Count];
        for (var i = 0; i < counts.Length; i++)
            if (IsExit(i)) counts[i] = Returns();
        counts[0] = Entry();
        var flow = new BlockFlow([.. Enumerable.Range(0, blocks.Count).Select(Successors)], counts);
        var leaves = Leaving();
        Func<int, int?>[] rules =
        [
            i => Only(regions[i].Where(p => !shared.Contains(p)), leaves[i]),
            i => Only(places[i].Where(p => !shared.Contains(p)), leaves[i]),
            i => Any(regions[i].Where(p => !shared.Contains(p)), leaves[i]),
            i => Any(places[i].Where(p => !shared.Contains(p)), leaves[i]),
            i => Only(places[i], leaves[i]),
            i => Any(regions[i], leaves[i]),
            i => Any(places[i], leaves[i]),
        ];
        foreach (var rule in rules)
            for (var i = 0; i < counts.Length; i++)
                if (leaves[i] && counts[i] == null && rule(i) is { } block) counts[i] = sites.Block(block);
        foreach (var rule in rules)
        {
            for (var i = 0; i < counts.Length; i++)
            {
                if (counts[i] != null || rule(i) is not { } block) continue;
                counts[i] = sites.Block(block);
            }
            flow.Solve();
        }
        return [.. counts.Select(c => c ?? Count.Zero)];
    }

    /// <summary>Blocks that the function's end does not follow: what runs before them is counted as if they did not exist, so they cannot follow from it.</summary>
    private bool[] Leaving()
    {
        var leaves = new bool[blocks.Count];
        for (var i = blocks.Count - 1; i >= 0; i--) leaves[i] = !IsExit(i) && Successors(i).All(s => s > i && leaves[s]);
        return leaves;
    }

    // Its place is that of what is being jumped to, or of all that ends there.
    private static bool IsJump(Instruction instruction) => instruction.Opcode == Opcode.Br && instruction.SuccessorCount == 1;

    /// <summary>The function's first block, or in a coroutine the first case of the switch over its states, which stands where the body begins.</summary>
    private Count Entry() =>
        IsCoroutine && located.Graph.Blocks[0].Terminator is { Opcode: Opcode.Switch } states && located.PlaceOf(states) == At(function.Body.Low) ? sites.Edge(0, 1) : sites.Block(0);

    private bool IsCoroutine => function.IsAsynchronous && located.Function.Name.Contains("closure", StringComparison.Ordinal);

    private bool IsExit(int block) => blocks[block].Exists(b => b.Spans.Contains(new Span(function.Body.High, function.Body.High)));

    /// <summary>The returns at the end of the body; a coroutine has others, from where it waits.</summary>
    private Count? Returns()
    {
        var returns = Enumerable.Range(0, located.Graph.Count).Where(b => located.Normal[b] && located.Graph.Blocks[b].Terminator.Opcode == Opcode.Ret).ToList();
        var atEnd = returns.Where(b => located.PlaceOf(located.Graph.Blocks[b].Terminator) == At(function.Body.High)).ToList();
        if (atEnd.Count == 0) atEnd = returns;
        return atEnd.Count == 0 ? null : atEnd.Aggregate(Count.Zero, (sum, block) => sum + sites.Block(block));
    }

    /// <summary>The block with a place, if all others with it come behind it.</summary>
    private int? Only(IEnumerable<Place> places, bool leaves)
    {
        foreach (var place in places)
            foreach (var block in BlocksAt(place, leaves))
                if (BlocksAt(place, leaves).TrueForAll(b => dominators.Dominates(block, b))) return block;
        return null;
    }

    private int? Any(IEnumerable<Place> places, bool leaves) => places.SelectMany(p => BlocksAt(p, leaves)).Select(b => (int?)b).FirstOrDefault();

    /// <summary>The blocks with a place: those that end the program if that is what happens there, and otherwise the others.</summary>
    private List<int> BlocksAt(Place place, bool leaves)
    {
        var found = blocksAt[place].Where(b => deadEnds.IsDead(b) == leaves).ToList();
        return found.Count > 0 ? found : [.. blocksAt[place]];
    }

    private Place At(int offset)
    {
        var (line, column) = source.Position(offset);
        return new Place(file, line, column);
    }

    private IReadOnlyList<int> Successors(int block) => [.. blocks[block][^1].Successors.Select(function.Graph!.NumberOf)];

    private int[] NormalSuccessors(int block) => [.. located.NormalSuccessors(block).Select(s => located.Graph.Successors[block][s])];
}
