using Weft.Llvm;

namespace Weft.Coverage.Regions.Placement;

/// <summary>
/// Ways into code that ends the program or unwinds without anything to count in it: failed bounds checks and the like. They
/// are no flow, as unwinding is none, or every count behind a check would be one counter longer.
/// </summary>
internal sealed class DeadEnds
{
    private readonly LocatedFunction function;
    private readonly bool[] isDead, isWanted;
    private readonly HashSet<int> wantedTerminators;

    public DeadEnds(LocatedFunction function, Sites sites)
    {
        this.function = function;
        wantedTerminators = [.. sites.All.Where(s => s.Kind == SiteKind.Edge).Select(s => s.Block)];
        isDead = Spread(b => Terminator(b) == Opcode.Unreachable, all: true);
        var wanted = sites.All.Select(s => s.Block).ToHashSet();
        isWanted = Spread(wanted.Contains, all: false);
    }

    /// <summary>Whether all that follows a block is the end of the program.</summary>
    public bool IsDead(int block) => isDead[block];

    public bool IsCut(int block, int successor)
    {
        var target = function.Graph.Successors[block][successor];
        return isDead[target] && !isDead[block] && !isWanted[target] && !wantedTerminators.Contains(block);
    }

    private Opcode Terminator(int block) => function.Graph.Blocks[block].Terminator.Opcode;

    /// <summary>The blocks that begin with a property, and those that lead to any, or only, such blocks.</summary>
    private bool[] Spread(Func<int, bool> begins, bool all)
    {
        var graph = function.Graph;
        var has = new bool[graph.Count];
        var work = new Stack<int>(Enumerable.Range(0, graph.Count).Where(begins));
        while (work.TryPop(out var block))
        {
            if (has[block]) continue;
            has[block] = true;
            foreach (var before in graph.Predecessors[block])
            {
                var next = function.NormalSuccessors(before).Select(s => graph.Successors[before][s]);
                if (all ? next.All(b => has[b]) : next.Contains(block)) work.Push(before);
            }
        }
        return has;
    }
}
