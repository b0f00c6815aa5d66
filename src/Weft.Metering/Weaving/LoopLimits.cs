using Weft.Core.Flow;
using Weft.Llvm;

namespace Weft.Metering.Weaving;

/// <summary>A loop that looks for the limit once, before it begins.</summary>
/// <param name="Counted">How often it will go round.</param>
/// <param name="Before">The block that it is entered from.</param>
/// <param name="Units">The least that a round costs.</param>
internal readonly record struct LimitedLoop(CountedLoop Counted, int Before, ulong Units);

/// <summary>
/// Which loops have to look for the limit themselves: those that can go round without passing a check. A loop that is known to go round
/// so and so often looks once, before it begins, whether the least that it will do is more than is left; others look each time.
/// </summary>
internal sealed class LoopLimits
{
    /// <summary>Loops that do no more than this need not look: what is around them does.</summary>
    private const ulong ShortLoop = 1 << 16;

    private readonly FunctionFlow flow;
    private readonly bool[] checks;

    public LoopLimits(FunctionFlow flow, ChargePlan plan, Module module)
    {
        this.flow = flow;
        checks = [.. Enumerable.Range(0, flow.Graph.Count).Select(plan.Checks)];
        Forest = new LoopForest(flow.Graph);
        foreach (var loop in Enumerable.Reverse(Forest.All)) // inner ones first: they look for those around them
            if (GoesRound(loop) && !Array.Exists(loop.Blocks, b => Upgrade(b, loop, plan)))
                Limit(loop, CountedLoop.Match(loop, flow.Graph, module));
    }

    public LoopForest Forest { get; }

    /// <summary>Blocks in which a loop begins that looks each time round.</summary>
    public HashSet<int> Headers { get; } = [];

    /// <summary>The loops of those blocks.</summary>
    public List<Loop> Uncounted { get; } = [];

    /// <summary>Loops that look once.</summary>
    public List<LimitedLoop> Counted { get; } = [];

    private void Limit(Loop loop, CountedLoop? counted)
    {
        var units = LeastUnits(loop);
        if (Array.TrueForAll(loop.Blocks, b => flow.Steps[b].TrueForAll(s => s.Units == 0))) return; // no work that could be limited
        if (units == 0 || counted == null || !HasOneExit(loop, counted) || Before(loop) is not { } before)
        {
            Headers.UnionWith(loop.Headers);
            Uncounted.Add(loop);
            foreach (var header in loop.Headers) checks[header] = true;
        }
        else if (counted.ConstantTrips is 0 or > ShortLoop)
        {
            Counted.Add(new(counted, before, units));
            checks[before] = true;
        }
    }

    /// <summary>Whether a block can look for the whole loop where it charges.</summary>
    private bool Upgrade(int block, Loop loop, ChargePlan plan)
    {
        if (checks[block]) return false;
        checks[block] = true;
        return checks[block] = !GoesRound(loop) && plan.Upgrade(block);
    }

    private bool GoesRound(Loop loop) => loop.GoesRound(flow.Graph, b => checks[b]);

    private int? Before(Loop loop)
    {
        var outside = flow.Graph.Predecessors[loop.Header].Where(p => !loop.Contains(p)).ToList();
        return outside is [var before] && flow.Graph.Successors[before].Length == 1 ? before : null;
    }

    private bool HasOneExit(Loop loop, CountedLoop counted) =>
        Array.TrueForAll(loop.Blocks, b => b == counted.Latch || Array.TrueForAll(flow.Graph.Successors[b], loop.Contains));

    /// <summary>What a round costs at the least.</summary>
    private ulong LeastUnits(Loop loop)
    {
        var least = new Dictionary<int, ulong>();
        var round = ulong.MaxValue;
        foreach (var header in loop.Headers) least[header] = 0;
        foreach (var block in flow.Graph.Order)
        {
            if (!loop.Contains(block) || !least.TryGetValue(block, out var units)) continue;
            foreach (var step in flow.Steps[block]) units += step.Units;
            foreach (var next in flow.Graph.Successors[block])
                if (Array.IndexOf(loop.Headers, next) >= 0) round = Math.Min(round, units);
                else if (loop.Contains(next)) least[next] = Math.Min(units, least.GetValueOrDefault(next, ulong.MaxValue));
        }
        return round == ulong.MaxValue ? 1 : Math.Min(round, 1 << 20);
    }
}
