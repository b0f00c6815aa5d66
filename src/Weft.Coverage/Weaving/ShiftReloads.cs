using Weft.Core.Flow;
using Weft.Llvm;

namespace Weft.Coverage.Weaving;

/// <summary>
/// Where a function must find out again how far its thread's counters are: right behind each call that a mark may follow with no
/// other call between. Behind a call that is seldom made, that is better than before a mark that is always passed.
/// </summary>
internal sealed class ShiftReloads(FlowGraph graph, Marks marks)
{
    private readonly Observers observers = new(marks);

    /// <summary>The instructions to do it before.</summary>
    public List<Instruction> Find()
    {
        var wanted = WantedAtStart();
        var found = new List<Instruction>();
        var behindTerminators = new HashSet<int>();
        for (var block = 0; block < graph.Count; block++)
        {
            if (observers.Is(graph.Blocks[block].Terminator)) behindTerminators.UnionWith(graph.Successors[block].Where(s => wanted[s]));
            var call = default(Instruction);
            foreach (var instruction in graph.Blocks[block].Instructions)
                if (observers.Is(instruction)) call = instruction;
                else if (call.Exists && IsAddition(instruction))
                {
                    found.Add(call.Next);
                    call = default;
                }
            if (call.Exists && call != graph.Blocks[block].Terminator && Array.Exists(graph.Successors[block], s => wanted[s])) found.Add(call.Next);
        }
        found.AddRange(behindTerminators.Select(b => graph.Blocks[b].FirstInsertion));
        return found;
    }

    /// <summary>The blocks from whose start a mark can be reached without a call.</summary>
    private bool[] WantedAtStart()
    {
        var wanted = new bool[graph.Count];
        var isClosed = new bool[graph.Count];
        var work = new Stack<int>();
        for (var block = 0; block < graph.Count; block++)
            foreach (var instruction in graph.Blocks[block].Instructions)
                if (observers.Is(instruction) || IsAddition(instruction))
                {
                    isClosed[block] = true;
                    if (!IsAddition(instruction)) break;
                    wanted[block] = true;
                    work.Push(block);
                    break;
                }
        while (work.TryPop(out var block))
            foreach (var before in graph.Predecessors[block])
                if (!wanted[before] && !isClosed[before])
                {
                    wanted[before] = true;
                    work.Push(before);
                }
        return wanted;
    }

    private bool IsAddition(Instruction instruction) => marks.Is(instruction) && !marks.IsSetting(instruction);
}
