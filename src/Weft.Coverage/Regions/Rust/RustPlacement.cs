using System.Collections;
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
    private readonly FunctionRegions regions;
    private readonly CoverageGraph graph;
    private readonly LocatedFunction located;
    private readonly Sites sites;
    private readonly Dominators dominators;
    private readonly DeadEnds deadEnds;
    private readonly ILookup<Place, int> blocksAt;
    private readonly List<List<FlowBlock>> blocks;
    private readonly Count?[] counts;
    private readonly bool[] leaves;
    private readonly Dictionary<int, int> claimed = []; // by block of the IR: each is one coverage block's
    private readonly BitArray?[] follows, followsInCode;
    private ILookup<Place, int> sharers = Enumerable.Empty<int>().ToLookup(_ => default(Place));

    public RustPlacement(SourceFile source, int file, RustFunction function, FunctionRegions regions, CoverageGraph graph, LocatedFunction located, Sites sites)
    {
        (this.source, this.file, this.function, this.regions, this.graph, this.located, this.sites) = (source, file, function, regions, graph, located, sites);
        blocks = graph.Blocks;
        counts = new Count?[blocks.Count];
        leaves = Leaving();
        (follows, followsInCode) = (new BitArray?[blocks.Count], new BitArray?[located.Graph.Count]);
        dominators = new Dominators([.. Enumerable.Range(0, located.Graph.Count).Select(NormalSuccessors)]);
        deadEnds = new DeadEnds(located, sites);
        // Only unwinding leads to the others.
        blocksAt = located.Located.Where(l => located.Normal[l.Block] && !IsJump(l.Instruction)).Select(l => (l.Place, l.Block)).Distinct().ToLookup(l => l.Place, l => l.Block);
    }

    /// <summary>The count of each block.</summary>
    public Count[] Place()
    {
        for (var i = 0; i < counts.Length; i++)
            if (IsExit(i)) counts[i] = Returns();
            else if (LoopHead(i) is { } head) Claim(i, head);
        counts[0] = Entry();
        claimed[0] = 0;
        var rules = Rules();
        foreach (var rule in rules) Apply(rule, i => leaves[i]);
        var flow = new BlockFlow([.. Enumerable.Range(0, blocks.Count).Select(Successors)], counts);
        foreach (var rule in rules)
        {
            Apply(rule, _ => true);
            flow.Solve();
        }
        return [.. counts.Select(c => c ?? Count.Zero)];
    }

    /// <summary>What finds the block of the IR for a coverage block, the surest first.</summary>
    private Func<int, int?>[] Rules()
    {
        var places = blocks.Select(chain => chain.SelectMany(b => b.Spans.Concat(b.Macros.Select(m => m.Name))).Select(s => s.Low).Concat(chain.Where(b => b.CodeAt != null).Select(b => b.CodeAt!.Value)).Select(At).Distinct().ToArray()).ToArray();
        var starts = regions.Regions.ToLookup(r => r.Count.Factors.Keys.First(), r => new Place(file, r.StartLine, r.StartColumn));
        sharers = places.SelectMany((all, i) => all.Select(p => (Place: p, Block: i))).ToLookup(p => p.Place, p => p.Block);
        bool IsOwn(Place place) => sharers[place].Count() == 1;
        return
        [
            i => Only(starts[i].Where(IsOwn), i),
            i => Only(places[i].Where(IsOwn), i),
            i => InOrder(places[i], i),
            i => Any(starts[i].Where(IsOwn), i),
            i => Any(places[i].Where(IsOwn), i),
            i => Only(places[i], i),
            i => Any(starts[i], i),
            i => Any(places[i], i),
            i => places[i].SelectMany(p => blocksAt[p]).Where(b => !claimed.ContainsKey(b)).Select(b => (int?)b).FirstOrDefault(),
        ];
    }

    private void Apply(Func<int, int?> rule, Func<int, bool> to)
    {
        for (var i = 0; i < counts.Length; i++)
            if (counts[i] == null && to(i) && rule(i) is { } block) Claim(i, block);
    }

    private void Claim(int block, int found)
    {
        counts[block] = sites.Block(found);
        claimed[found] = block;
    }

    /// <summary>The one block with a loop's place that the loop comes back to.</summary>
    private int? LoopHead(int block)
    {
        if (blocks[block][0].LoopAt is not { } offset) return null;
        var heads = blocksAt[At(offset)].Where(b => located.Graph.Predecessors[b].Any(p => dominators.Dominates(b, p))).ToList();
        return heads is [var head] ? head : null;
    }

    /// <summary>Blocks that the function's end does not follow: what runs before them is counted as if they did not exist, so they cannot follow from it.</summary>
    private bool[] Leaving()
    {
        var leaving = new bool[blocks.Count];
        for (var i = blocks.Count - 1; i >= 0; i--) leaving[i] = !IsExit(i) && Successors(i).All(s => s > i && leaving[s]);
        return leaving;
    }

    // Its place is that of what is being jumped to, or of all that ends there.
    private static bool IsJump(Instruction instruction) => instruction.Opcode == Opcode.Br && instruction.SuccessorCount == 1;

    /// <summary>The function's first block, or in a coroutine the first case of the switch over its states, which stands where the body begins.</summary>
    private Count Entry() =>
        IsCoroutine && located.Graph.Blocks[0].Terminator is { Opcode: Opcode.Switch } states && located.PlaceOf(states) is { } place && (place == At(function.Body.Low) || place == At(function.Whole.Low)) ? sites.Edge(0, 1) : sites.Block(0);

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
    private int? Only(IEnumerable<Place> places, int coverageBlock)
    {
        foreach (var place in places)
        {
            var found = BlocksAt(place, coverageBlock);
            foreach (var block in found)
                if (found.TrueForAll(b => dominators.Dominates(block, b))) return block;
        }
        return null;
    }

    /// <summary>The block with a place that several have, if there are as many in the IR: both are in the order of the flow.</summary>
    private int? InOrder(IEnumerable<Place> places, int coverageBlock)
    {
        foreach (var place in places)
        {
            var found = BlocksAt(place, coverageBlock);
            var wanted = sharers[place].Where(i => counts[i] == null && leaves[i] == leaves[coverageBlock]).ToList();
            if (found.Count == wanted.Count) return found[wanted.IndexOf(coverageBlock)];
        }
        return null;
    }

    private int? Any(IEnumerable<Place> places, int coverageBlock) => places.SelectMany(p => BlocksAt(p, coverageBlock)).Select(b => (int?)b).FirstOrDefault();

    /// <summary>
    /// The blocks with a place that are nobody's yet: those that end the program if that is what happens there, and otherwise the
    /// others. A place that several share is no proof against the flow.
    /// </summary>
    private List<int> BlocksAt(Place place, int coverageBlock)
    {
        var free = blocksAt[place].Where(b => !claimed.ContainsKey(b) && (sharers[place].Count() == 1 || Fits(coverageBlock, b))).ToList();
        var found = free.Where(b => deadEnds.IsDead(b) == leaves[coverageBlock]).ToList();
        return found.Count > 0 ? found : free;
    }

    /// <summary>Whether what comes before and behind a coverage block does so in the code, too.</summary>
    private bool Fits(int coverageBlock, int block) => IsCoroutine || claimed.All(c =>
        (!Follows(coverageBlock, c.Value) || FollowsInCode(block, c.Key)) && (!Follows(c.Value, coverageBlock) || FollowsInCode(c.Key, block)));

    private bool Follows(int first, int second) => (follows[first] ??= Following(first, blocks.Count, Successors))[second];

    private bool FollowsInCode(int first, int second) => (followsInCode[first] ??= Following(first, located.Graph.Count, NormalSuccessors))[second];

    private static BitArray Following(int block, int count, Func<int, IReadOnlyList<int>> successors)
    {
        var following = new BitArray(count);
        var work = new Stack<int>(successors(block));
        while (work.TryPop(out var next))
        {
            if (following[next]) continue;
            following[next] = true;
            foreach (var behind in successors(next)) work.Push(behind);
        }
        return following;
    }

    private Place At(int offset)
    {
        var (line, column) = source.Position(offset);
        return new Place(file, line, column);
    }

    private IReadOnlyList<int> Successors(int block) => [.. blocks[block][^1].Successors.Select(graph.NumberOf)];

    private IReadOnlyList<int> NormalSuccessors(int block) => [.. located.NormalSuccessors(block).Select(s => located.Graph.Successors[block][s])];
}
