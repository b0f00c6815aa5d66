using System.Runtime.InteropServices;
using Weft.Core.Flow;
using Weft.Llvm;

namespace Weft.Coverage.Weaving;

/// <summary>
/// Lets the counts of a counter gather in a local variable between two observers, where more than one of its marks lies on
/// the way from one to the next: a small function that was copied into its caller several times, or a loop that calls
/// something only now and then.
/// <code>
/// mark @c, 1                       %n = 1
/// ...                      ==>     ...
/// mark @c, 1                       %n += 1
/// call void @f()                   mark @c, %n ; %n = 0
///                                  call void @f()
/// </code>
/// </summary>
internal sealed class PendingCounts(Marks marks, Observers observers, Builder builder, LlvmType word, Function function, FlowGraph graph, BlockFrequencies frequencies)
{
    // Each takes a register on the way.
    private const int MostCounters = 8;
    private const double FlushCost = 2;

    /// <summary>What matters of a block, in order: a mark's counter, or 0 for an observer or a way out.</summary>
    private readonly record struct Step(Instruction At, nint Counter);

    public void Run()
    {
        var steps = new List<Step>[graph.Count];
        var marked = new Dictionary<nint, HashSet<int>>();
        for (var i = 0; i < steps.Length; i++)
        {
            steps[i] = Steps(graph.Blocks[i]);
            foreach (var step in steps[i])
                if (step.Counter != 0)
                    (CollectionsMarshal.GetValueRefOrAddDefault(marked, step.Counter, out _) ??= []).Add(i);
        }
        var plans = new List<Plan>();
        foreach (var (counter, blocks) in marked)
            if (Match(counter, blocks, steps) is { Joined: > 0 } plan && IsWorthwhile(plan))
                plans.Add(plan);
        foreach (var plan in plans.OrderByDescending(p => p.Joined).Take(MostCounters)) Apply(plan);
    }

    // To add the count to memory and start again are two instructions, and on the way it takes a register.
    private bool IsWorthwhile(Plan plan) => FlushCost * Frequency(plan.Flushes) < Frequency(plan.Marks);

    private double Frequency(List<Instruction> at) => at.Sum(i => frequencies.Of(graph.NumberOf(i.Block)));

    private List<Step> Steps(BasicBlock block)
    {
        var steps = new List<Step>();
        foreach (var instruction in block.Instructions)
            if (marks.Is(instruction) && !marks.IsSetting(instruction)) steps.Add(new(instruction, Marks.CounterOf(instruction).Handle));
            else if (observers.Is(instruction) || Observers.IsExit(instruction)) steps.Add(new(instruction, 0));
        return steps;
    }

    /// <param name="Counter">Its address.</param>
    /// <param name="Marks">All of the counter.</param>
    /// <param name="Flushes">Observers that it may be pending at.</param>
    /// <param name="Joined">How many marks another's count may reach.</param>
    private sealed record Plan(nint Counter, List<Instruction> Marks, List<Instruction> Flushes, int Joined);

    private Plan Match(nint counter, HashSet<int> blocks, List<Step>[] steps)
    {
        var reached = Reached(counter, blocks, steps);
        var plan = new Plan(counter, [], [], 0);
        var joined = 0;
        for (var i = 0; i < steps.Length; i++)
        {
            var pending = reached[i];
            foreach (var step in steps[i])
            {
                if (step.Counter == counter)
                {
                    plan.Marks.Add(step.At);
                    if (pending) joined++;
                    pending = true;
                }
                else if (step.Counter == 0)
                {
                    if (pending) plan.Flushes.Add(step.At);
                    pending = false;
                }
            }
        }
        return plan with { Joined = joined };
    }

    /// <summary>The blocks that a count can come to before anybody looked.</summary>
    private bool[] Reached(nint counter, HashSet<int> blocks, List<Step>[] steps)
    {
        var reached = new bool[graph.Count];
        var work = new Stack<int>();
        foreach (var block in blocks)
            if (steps[block].FindLast(s => s.Counter == counter || s.Counter == 0).Counter == counter)
                Leave(block);
        while (work.TryPop(out var block))
            if (steps[block].TrueForAll(s => s.Counter != 0))
                Leave(block);
        return reached;

        void Leave(int block)
        {
            foreach (var next in graph.Successors[block])
            {
                if (reached[next]) continue;
                reached[next] = true;
                work.Push(next);
            }
        }
    }

    private void Apply(Plan plan)
    {
        builder.Before(function.Entry.First);
        builder.SetArtificialLocation(function);
        var local = builder.Alloca(word);
        builder.Before(AfterAllocas.In(function.Entry));
        builder.Store(word.Const(0), local);
        foreach (var mark in plan.Marks)
        {
            builder.Before(mark);
            builder.SetLocation(mark.DebugLocation);
            builder.Store(builder.Add(builder.Load(word, local), marks.AmountOf(mark, word)), local);
            mark.Erase();
        }
        builder.SetArtificialLocation(function);
        foreach (var flush in plan.Flushes)
        {
            builder.Before(flush);
            marks.Add(builder, new Value(plan.Counter), builder.Load(word, local));
            builder.Store(word.Const(0), local);
        }
    }
}
