using Weft.Core.Flow;
using Weft.Llvm;

namespace Weft.Metering.Weaving;

/// <summary>What matters of a block, in order.</summary>
/// <param name="At">The mark, or what looks.</param>
/// <param name="Units">Of a mark, if they are known, or what a call leaves to be charged.</param>
/// <param name="Look">Of what looks, as marks do whose units are not known.</param>
/// <param name="Point">Of a point where the limit is looked at.</param>
/// <param name="Left">Of a return: what callers charge.</param>
internal readonly record struct Step(Instruction At, ulong Units, Look Look, LimitPoint? Point = null, ulong Left = 0)
{
    public bool IsExit => At.Opcode is Opcode.Ret or Opcode.Resume or Opcode.CleanupRet;
}

/// <summary>A function's marks and observers, block by block.</summary>
internal sealed class FunctionFlow
{
    public FunctionFlow(Function function, BranchWeights weights, WorkMarks marks, Observers observers, LimitPoints? points)
    {
        Function = function;
        Graph = new FlowGraph(function, weights);
        Steps = new List<Step>[Graph.Count];
        var exit = function.IsOnlyCalled && observers.IsKnown(function) || points != null ? Look.Woven : Look.Outside;
        for (var i = 0; i < Graph.Count; i++) Steps[i] = Walk(Graph.Blocks[i], marks, observers, points, exit);
        IsQuiet = Array.TrueForAll(Steps, block => block.TrueForAll(IsQuietStep));
    }

    public Function Function { get; }

    public FlowGraph Graph { get; }

    public List<Step>[] Steps { get; }

    /// <summary>Whether a call may become a jump.</summary>
    public bool HasTailCalls => Array.Exists(Steps, block => block.Exists(s => IsTail(s.At)));

    /// <summary>Whether an exception goes that way. Nothing is pending there: what throws looks, or is a limit, beyond which nothing counts.</summary>
    public bool Unwinds(int from, int to) => Graph.Blocks[from].Terminator is { Opcode: Opcode.Invoke } invoke && invoke.Successor(1) == Graph.Blocks[to];

    /// <summary>Whether nothing in the function looks, but for calls of itself. A point does: what callers have pending must be in memory there.</summary>
    public bool IsQuiet { get; }

    private bool IsQuietStep(Step step) =>
        step.IsExit ? step.At.Opcode == Opcode.Ret : step.Point == null && step.Look is Look.None or Look.Quiet || IsRecursion(step);

    /// <summary>Whether a call may become a jump, so that nothing can be done behind it.</summary>
    public static bool IsTail(Instruction call) => call.MayBeTail && call.Next.Opcode == Opcode.Ret;

    /// <summary>Whether a step calls the function itself.</summary>
    public bool IsRecursion(Step step) => step.Look == Look.Recursive && step.At.CalledValue == Function.AsValue;

    private static List<Step> Walk(BasicBlock block, WorkMarks marks, Observers observers, LimitPoints? points, Look exit)
    {
        var steps = new List<Step>();
        foreach (var instruction in block.Instructions)
            if (marks.Is(instruction)) steps.Add(new(instruction, WorkMarks.UnitsOf(instruction), WorkMarks.IsLinear(instruction) ? Look.Charge : Look.None));
            else if (points?.KindOf(instruction) is { } point) steps.Add(new(instruction, 0, point == LimitPoint.Call ? Look.Outside : Look.None, point));
            else if (observers.Of(instruction) is var look and not Look.None)
            {
                if (IsTail(instruction)) (look, exit) = (look == Look.Quiet ? Look.Woven : look, Look.Woven);
                steps.Add(new(instruction, instruction.IsCall ? observers.ResidueOf(instruction.CalledValue) : 0, look));
            }
            else if (instruction.Opcode is Opcode.Ret) steps.Add(new(instruction, 0, exit, Left: observers.ResidueOf(block.Parent.AsValue)));
            else if (instruction.Opcode is Opcode.Resume or Opcode.CleanupRet) steps.Add(new(instruction, 0, exit));
        return steps;
    }
}
