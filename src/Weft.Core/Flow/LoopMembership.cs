using Weft.Llvm;

namespace Weft.Core.Flow;

/// <summary>The innermost loop around each block, kept up to date while blocks are added.</summary>
public sealed class LoopMembership
{
    private readonly Dictionary<nint, Loop?> loops = [];

    public LoopMembership(FlowGraph graph, LoopForest forest)
    {
        for (var i = 0; i < graph.Count; i++) loops[graph.Blocks[i].Handle] = forest.Of(i);
    }

    public void Add(BasicBlock block, Loop? loop) => loops[block.Handle] = loop;

    public bool IsIn(BasicBlock block, Loop loop)
    {
        for (var l = loops.GetValueOrDefault(block.Handle); l != null; l = l.Parent)
            if (l == loop) return true;
        return false;
    }

    /// <summary>The innermost of a loop and those around it that a block is in.</summary>
    public Loop? Common(Loop? loop, BasicBlock block)
    {
        while (loop != null && !IsIn(block, loop)) loop = loop.Parent;
        return loop;
    }
}
