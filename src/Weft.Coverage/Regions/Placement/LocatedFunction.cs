using Weft.Core.Flow;
using Weft.Llvm;

namespace Weft.Coverage.Regions.Placement;

/// <summary>An instruction with the place in the source that it comes from.</summary>
internal readonly record struct LocatedInstruction(Instruction Instruction, int Block, Place Place);

/// <summary>A function of the IR as the front end wrote it: its flow, and where in the source its instructions come from.</summary>
internal sealed class LocatedFunction
{
    private readonly ModuleFiles files;

    public LocatedFunction(Function function, ModuleFiles files, BranchWeights weights)
    {
        this.files = files;
        Function = function;
        Graph = new FlowGraph(function, weights);
        Normal = ReachedWithoutUnwinding();
        for (var block = 0; block < Graph.Count; block++)
            foreach (var instruction in Graph.Blocks[block].Instructions)
                if (PlaceOf(instruction) is { } place)
                    Located.Add(new(instruction, block, place));
    }

    public Function Function { get; }

    public FlowGraph Graph { get; }

    /// <summary>The instructions that have a place, in the order of the blocks, which is the one they were made in.</summary>
    public List<LocatedInstruction> Located { get; } = [];

    /// <summary>Whether control comes to a block in other ways than unwinding.</summary>
    public bool[] Normal { get; }

    /// <summary>Where an instruction of the function's own source stands; what was inlined stands where it was called.</summary>
    public Place? PlaceOf(Instruction instruction)
    {
        if (instruction.DebugLocation is not (var handle and not 0)) return null;
        var location = new DebugLocation(handle).Outermost;
        return location is { Line: > 0, File: { } file } ? new Place(files[file], location.Line, location.Column) : null;
    }

    /// <summary>The successors that a block goes to when nothing is thrown, by the terminator's numbers.</summary>
    public IEnumerable<int> NormalSuccessors(int block)
    {
        const int unwindOfInvoke = 1;
        var isInvoke = Graph.Blocks[block].Terminator.Opcode == Opcode.Invoke;
        for (var i = 0; i < Graph.Successors[block].Length; i++)
            if (!isInvoke || i != unwindOfInvoke)
                yield return i;
    }

    private bool[] ReachedWithoutUnwinding()
    {
        var reached = new bool[Graph.Count];
        var work = new Stack<int>([0]);
        while (work.TryPop(out var block))
        {
            if (reached[block]) continue;
            reached[block] = true;
            foreach (var successor in NormalSuccessors(block)) work.Push(Graph.Successors[block][successor]);
        }
        return reached;
    }
}
