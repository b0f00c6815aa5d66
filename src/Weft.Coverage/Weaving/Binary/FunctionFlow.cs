using Weft.Core.Flow;
using Weft.Llvm;

namespace Weft.Coverage.Weaving.Binary;

/// <summary>Finds the places of a function by how often control comes there.</summary>
internal sealed class FunctionFlow
{
    private readonly FlowNumbers numbers;
    private readonly Dictionary<ulong, Site> byNumber = [];
    private readonly Dictionary<Site, BasicBlock> split = [];
    private Dictionary<ulong, (int Block, int Way)>? rests;
    private readonly LlvmType word;
    private ulong next;

    public FunctionFlow(LlvmContext context, Function function, BranchWeights weights, ulong seed)
    {
        word = context.Int(64);
        Function = function;
        Graph = new FlowGraph(function, weights);
        numbers = new FlowNumbers(Graph, seed);
        next = ~seed;
        foreach (var (site, number) in numbers.Sites()) byNumber.TryAdd(number, site);
    }

    public Function Function { get; }

    public FlowGraph Graph { get; }

    /// <summary>What a mark's counter grows by.</summary>
    public ulong NumberOf(Instruction mark, Marks marks)
    {
        var block = Graph.NumberOf(mark.Block);
        if (marks.HasFixedAmount(mark)) return numbers[block] * marks.AmountOf(mark, word).ZExtValue;
        // clang adds a condition, as a number, where it makes a select of c ? 1 : 2.
        var amount = FlowNumbers.Random(ref next);
        if (marks.IsCondition(mark)) byNumber.TryAdd(numbers[block] - amount, new Site(block, Idle: mark));
        return amount;
    }

    /// <summary>The place that is passed so often, or two that are together.</summary>
    public Site[]? Find(ulong number)
    {
        if (byNumber.TryGetValue(number, out var site)) return [site];
        foreach (var (other, one) in byNumber)
            if (byNumber.TryGetValue(number - other, out var rest))
                return [one, rest];
        return null;
    }

    /// <summary>
    /// The numbers of a block's ways out, before and behind one that is left out, which add up to the number. That is how often
    /// a case of a switch was not taken.
    /// </summary>
    public (ulong[] Before, ulong[] Behind)? FindRest(ulong number)
    {
        rests ??= Rests();
        if (!rests.TryGetValue(number, out var rest)) return null;
        ulong[] ways = [.. numbers.WaysOut(rest.Block)];
        return (ways[..rest.Way], ways[(rest.Way + 1)..]);
    }

    private Dictionary<ulong, (int Block, int Way)> Rests()
    {
        var found = new Dictionary<ulong, (int, int)>();
        for (var block = 0; block < Graph.Count; block++)
        {
            var i = 0;
            if (Graph.Successors[block].Length > 2)
                foreach (var way in numbers.WaysOut(block)) found.TryAdd(numbers[block] - way, (block, i++));
        }
        return found;
    }

    /// <summary>The block that is passed as often as the site; for an edge a new one.</summary>
    public BasicBlock BlockAt(Site site, FlowEditor editor)
    {
        if (!site.IsEdge) return Graph.Blocks[site.Block];
        if (!split.TryGetValue(site, out var block)) split.Add(site, block = editor.Split(Graph.Blocks[site.Block], Graph.Blocks[site.To]));
        return block;
    }
}
