using Weft.Llvm;

namespace Weft.Core.Flow;

/// <summary>
/// A guess how often each block runs when its function does: loops go round eight times, and branches go each way as often,
/// unless the optimiser knows better or a way ends in a block that does not come back.
/// </summary>
public sealed class BlockFrequencies
{
    private const double Rounds = 8, Unlikely = 1e-3;

    private readonly FlowGraph graph;
    private readonly LoopForest forest;
    private readonly double[] frequencies;
    private readonly Dictionary<Loop, double> entries = [];
    private readonly Dictionary<Loop, int> exits = [];

    public BlockFrequencies(FlowGraph graph, LoopForest forest)
    {
        this.graph = graph;
        this.forest = forest;
        frequencies = new double[graph.Count];
        foreach (var loop in forest.All) exits[loop] = loop.Blocks.Sum(b => graph.Successors[b].Count(s => !loop.Contains(s)));
        var order = graph.Order;
        var place = new int[graph.Count];
        for (var i = 0; i < order.Count; i++) place[order[i]] = i;
        frequencies[0] = 1;
        foreach (var block in order)
        {
            if (forest.Of(block) is { } loop && loop.Header == block)
            {
                entries[loop] = frequencies[block];
                frequencies[block] *= Rounds;
            }
            Spread(block, next => place[next] > place[block]);
        }
    }

    /// <summary>Of a block, for one run of the function.</summary>
    public double Of(int block) => frequencies[block];

    /// <summary>How often a loop is entered.</summary>
    public double Entries(Loop loop) => entries.GetValueOrDefault(loop);

    // Ways out of a loop share what came in; the others share what runs.
    private void Spread(int block, Func<int, bool> isAhead)
    {
        var successors = graph.Successors[block];
        var shares = new double[successors.Length];
        for (var k = 0; k < shares.Length; k++)
            if (!Left(block, successors[k], out _)) shares[k] = Share(block, k);
        var all = shares.Sum();
        for (var k = 0; k < shares.Length; k++)
            if (isAhead(successors[k]))
                frequencies[successors[k]] += Left(block, successors[k], out var left) ? Entries(left) / exits[left] : frequencies[block] * shares[k] / all;
    }

    private double Share(int block, int successor)
    {
        if (graph.Blocks[graph.Successors[block][successor]].Terminator.Opcode == Opcode.Unreachable) return Unlikely;
        return graph.Weights[block] is { } weights && weights.Aggregate(0ul, (sum, w) => sum + w) is var sum and not 0 ? Math.Max((double)weights[successor] / sum, Unlikely) : 1.0 / graph.Successors[block].Length;
    }

    /// <summary>The outermost loop that an edge leaves.</summary>
    private bool Left(int from, int to, out Loop left)
    {
        left = null!;
        for (var loop = forest.Of(from); loop != null && !loop.Contains(to); loop = loop.Parent) left = loop;
        return left != null;
    }
}
