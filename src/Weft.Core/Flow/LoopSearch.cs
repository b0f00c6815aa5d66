using Weft.Llvm;

namespace Weft.Core.Flow;

/// <summary>Whether a function has a loop at all: what a graph and a forest of loops cost is saved where no more is asked.</summary>
public static class LoopSearch
{
    /// <summary>Depth-first: an edge to a block that is still being visited closes a loop.</summary>
    public static bool HasLoop(Function function)
    {
        var finished = new Dictionary<nint, bool>();
        var path = new Stack<(BasicBlock Block, int Next)>();
        path.Push((function.Entry, 0));
        finished[function.Entry.Handle] = false;
        while (path.TryPop(out var step))
        {
            var terminator = step.Block.Terminator;
            if (step.Next >= terminator.SuccessorCount)
            {
                finished[step.Block.Handle] = true;
                continue;
            }
            path.Push((step.Block, step.Next + 1));
            var successor = terminator.Successor(step.Next);
            if (!finished.TryGetValue(successor.Handle, out var done)) path.Push((successor, 0));
            else if (!done) return true;
            finished.TryAdd(successor.Handle, false);
        }
        return false;
    }
}
