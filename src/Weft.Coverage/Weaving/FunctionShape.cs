using Weft.Core.Flow;
using Weft.Llvm;

namespace Weft.Coverage.Weaving;

/// <summary>The blocks of a function, its loops and a guess of how often each block runs, as they are before marks are moved.</summary>
internal sealed record FunctionShape(Function Function, FlowGraph Graph, LoopForest Forest, BlockFrequencies Frequencies)
{
    public static FunctionShape Of(Function function, BranchWeights weights)
    {
        var graph = new FlowGraph(function, weights);
        var forest = new LoopForest(graph);
        return new(function, graph, forest, new BlockFrequencies(graph, forest));
    }

    /// <summary>How often an instruction is passed for each time that the function is entered.</summary>
    public double Frequency(Instruction at) => Frequencies.Of(Graph.NumberOf(at.Block));
}
