using Weft.Llvm;

namespace Weft.Core.Flow;

/// <summary>A function's blocks by number, in the function's order: the entry is 0.</summary>
public sealed class FlowGraph
{
    private readonly Dictionary<nint, int> numbers = [];

    public FlowGraph(Function function, BranchWeights weights)
    {
        var blocks = new List<BasicBlock>();
        foreach (var block in function.Blocks)
        {
            numbers[block.Handle] = blocks.Count;
            blocks.Add(block);
        }
        Blocks = [.. blocks];
        Successors = new int[Blocks.Length][];
        Weights = new ulong[]?[Blocks.Length];
        var predecessors = new List<int>[Blocks.Length];
        for (var i = 0; i < Blocks.Length; i++) predecessors[i] = [];
        for (var i = 0; i < Blocks.Length; i++)
        {
            var terminator = Blocks[i].Terminator;
            Successors[i] = new int[terminator.SuccessorCount];
            for (var k = 0; k < Successors[i].Length; k++)
            {
                var target = numbers[terminator.Successor(k).Handle];
                Successors[i][k] = target;
                if (!predecessors[target].Contains(i)) predecessors[target].Add(i);
            }
            Weights[i] = weights.Of(terminator);
        }
        Predecessors = [.. predecessors.Select(p => p.ToArray())];
    }

    public BasicBlock[] Blocks { get; }

    /// <summary>As the terminator has them: a switch may name one block several times.</summary>
    public int[][] Successors { get; }

    /// <summary>Each block once.</summary>
    public int[][] Predecessors { get; }

    /// <summary>Of the successors, where the optimiser knows.</summary>
    public ulong[]?[] Weights { get; }

    public int Count => Blocks.Length;

    /// <summary>The blocks that control can come to in reverse postorder: each behind those that lead to it, but for edges back.</summary>
    public List<int> Order
    {
        get
        {
            var order = new List<int>();
            var seen = new bool[Count];
            var work = new Stack<(int Block, int Next)>();
            work.Push((0, 0));
            seen[0] = true;
            while (work.TryPop(out var item))
            {
                var (block, next) = item;
                if (next == Successors[block].Length)
                {
                    order.Add(block);
                    continue;
                }
                work.Push((block, next + 1));
                if (Successors[block][next] is var successor && seen[successor]) continue;
                seen[successor] = true;
                work.Push((successor, 0));
            }
            order.Reverse();
            return order;
        }
    }

    public int NumberOf(BasicBlock block) => numbers[block.Handle];

    /// <summary>Null for a block that was added later.</summary>
    public int? Find(BasicBlock block) => numbers.TryGetValue(block.Handle, out var number) ? number : null;
}
