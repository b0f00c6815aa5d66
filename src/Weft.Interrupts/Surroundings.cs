using Weft.Core.Flow;
using Weft.Llvm;

namespace Weft.Interrupts;

/// <summary>Whether blocks can be put on the ways into and out of a loop.</summary>
internal static class Surroundings
{
    /// <summary>Whether a register can be loaded before the loop, stored behind it, and exchanged around the calls in it.</summary>
    public static bool CanHold(Loop loop, FlowGraph graph, FunctionFacts facts) =>
        CanBeEntered(loop, graph) && Array.TrueForAll(loop.Blocks, b => CanBranchFrom(graph.Blocks[b].Terminator)) && facts.SyncCalls.TrueForAll(c => !loop.Contains(c.Block) || CanExchange(c.Call, graph));

    public static bool CanBePrepaid(Loop loop, CountedLoop counted, FlowGraph graph) =>
        CanBeEntered(loop, graph) && !IsPad(graph.Blocks[graph.Successors[counted.Latch][counted.ExitIndex]]);

    /// <summary>Whether a block only begins by unwinding.</summary>
    public static bool IsPad(BasicBlock block)
    {
        foreach (var instruction in block.Instructions)
            if (instruction.Opcode != Opcode.Phi)
                return instruction.Opcode is Opcode.LandingPad or Opcode.CatchPad or Opcode.CleanupPad or Opcode.CatchSwitch;
        return false;
    }

    private static bool CanBeEntered(Loop loop, FlowGraph graph) =>
        !IsPad(graph.Blocks[loop.Header]) && Array.TrueForAll(graph.Predecessors[loop.Header], p => CanBranchFrom(graph.Blocks[p].Terminator));

    private static bool CanBranchFrom(Instruction terminator) => terminator.Opcode is Opcode.Br or Opcode.Switch or Opcode.Invoke or Opcode.Unreachable or Opcode.Resume or Opcode.Ret;

    // An invoke's value is used behind it: the register is read again where only it leads.
    private static bool CanExchange(Instruction call, FlowGraph graph) =>
        call.Opcode == Opcode.Call && !call.IsMustTail || call.Opcode == Opcode.Invoke && graph.Predecessors[graph.NumberOf(call.Successor(0))].Length == 1;
}
