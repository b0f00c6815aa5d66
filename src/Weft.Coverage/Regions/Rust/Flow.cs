namespace Weft.Coverage.Regions.Rust;

/// <summary>A stretch of source: offsets of the first byte and of the one behind the last.</summary>
internal readonly record struct Span(int Low, int High)
{
    public bool IsEmpty => Low == High;

    public bool Contains(Span other) => Low <= other.Low && other.High <= High;

    public bool TouchesOrOverlaps(Span other) => Low <= other.High && other.Low <= High;

    public bool Overlaps(Span other) => Low < other.High && other.Low < High;

    public Span To(Span other) => new(Math.Min(Low, other.Low), Math.Max(High, other.High));
}

/// <summary>A block of the flow that rustc would build: the spans of what it executes, and where it goes.</summary>
internal sealed class FlowBlock
{
    public List<Span> Spans { get; } = [];

    /// <summary>In the order of rustc's terminators.</summary>
    public List<FlowBlock> Successors { get; } = [];

    /// <summary>Where the code of a loop's head stands that leaves no span.</summary>
    public int? LoopAt { get; set; }

    /// <summary>Where other code of it stands that leaves no span.</summary>
    public int? CodeAt { get; set; }

    /// <summary>Spans of code that a macro made, by the macro's invocation.</summary>
    public List<MacroCall> Macros { get; } = [];
}

/// <summary>An invocation of a macro, which has one span however many blocks its code takes.</summary>
internal sealed record MacroCall(Span Name);

/// <summary>
/// Blocks joined where one always follows the other (rustc's basic coverage blocks), numbered in reverse post-order, in
/// which a block comes behind all that dominate it.
/// </summary>
internal sealed class CoverageGraph
{
    private readonly Dictionary<FlowBlock, int> numbers = [];

    public CoverageGraph(FlowBlock entry)
    {
        var order = PostOrder(entry);
        order.Reverse();
        var predecessors = new Dictionary<FlowBlock, int> { [entry] = 1 };
        foreach (var block in order)
            foreach (var successor in block.Successors)
                predecessors[successor] = predecessors.GetValueOrDefault(successor) + 1;
        foreach (var block in order)
        {
            if (numbers.ContainsKey(block)) continue;
            var chain = new List<FlowBlock>();
            for (var at = block; ; at = at.Successors[0])
            {
                numbers[at] = Blocks.Count;
                chain.Add(at);
                if (at.Successors.Count != 1 || predecessors[at.Successors[0]] != 1) break;
            }
            Blocks.Add(chain);
        }
    }

    /// <summary>The joined blocks, in reverse post-order.</summary>
    public List<List<FlowBlock>> Blocks { get; } = [];

    public int NumberOf(FlowBlock block) => numbers[block];

    private static List<FlowBlock> PostOrder(FlowBlock entry)
    {
        var order = new List<FlowBlock>();
        var seen = new HashSet<FlowBlock> { entry };
        var path = new Stack<(FlowBlock Block, int Next)>([(entry, 0)]);
        while (path.TryPop(out var at))
        {
            if (at.Next == at.Block.Successors.Count)
            {
                order.Add(at.Block);
                continue;
            }
            path.Push((at.Block, at.Next + 1));
            if (seen.Add(at.Block.Successors[at.Next])) path.Push((at.Block.Successors[at.Next], 0));
        }
        return order;
    }
}
