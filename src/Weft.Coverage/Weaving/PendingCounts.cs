using System.Globalization;
using System.Runtime.InteropServices;
using System.Text;
using Weft.Core.Flow;
using Weft.Llvm;

namespace Weft.Coverage.Weaving;

/// <summary>
/// Lets the counts of a counter gather in a local variable between two observers, where more than one of its marks lies on
/// the way from one to the next: a small function that was copied into its caller several times, or a loop that calls
/// something only now and then. Counters that grow alike share a local.
/// <code>
/// mark @c, 1                       %n = 1
/// ...                      ==>     ...
/// mark @c, 1                       %n += 1
/// call void @f()                   mark @c, %n ; %n = 0
///                                  call void @f()
/// </code>
/// </summary>
internal sealed class PendingCounts(Gathering gathering, FunctionShape shape)
{
    // Each takes a register on the way.
    private const int MostLocals = 2;

    private readonly Marks marks = gathering.Marks;
    private readonly Observers observers = gathering.Observers;
    private readonly Builder builder = gathering.Builder;
    private readonly LlvmType word = gathering.Word;
    private readonly Function function = shape.Function;
    private readonly FlowGraph graph = shape.Graph;

    /// <summary>What matters of a block, in order: a mark's counter, or 0 for an observer or a way out.</summary>
    private readonly record struct Step(Instruction At, nint Counter);

    /// <summary>Counters that grow alike: no observer sees one of them without the others, and one local does for all.</summary>
    /// <param name="Counters">Their addresses.</param>
    /// <param name="Blocks">Where they are counted.</param>
    private sealed record Group(List<nint> Counters, HashSet<int> Blocks);

    public void Run()
    {
        var steps = new List<Step>[graph.Count];
        for (var i = 0; i < steps.Length; i++) steps[i] = Steps(graph.Blocks[i]);
        var plans = new List<Plan>();
        foreach (var group in Groups(steps))
            if (Match(group, steps) is { Joined: > 0 } plan && IsWorthwhile(plan))
                plans.Add(plan);
        foreach (var plan in plans.OrderByDescending(p => p.Joined * p.Group.Counters.Count).Take(MostLocals)) Apply(plan, steps);
    }

    private IEnumerable<Group> Groups(List<Step>[] steps)
    {
        var places = new Dictionary<nint, (StringBuilder Marks, HashSet<int> Blocks)>();
        for (var i = 0; i < steps.Length; i++)
        {
            var observed = 0;
            foreach (var step in steps[i])
                if (step.Counter == 0) observed++;
                else
                {
                    ref var place = ref CollectionsMarshal.GetValueRefOrAddDefault(places, step.Counter, out var isKnown);
                    if (!isKnown) place = (new(), []);
                    place.Marks.Append(CultureInfo.InvariantCulture, $"{i}.{observed}+{marks.AmountOf(step.At, word).Handle} ");
                    place.Blocks.Add(i);
                }
        }
        return places.GroupBy(p => p.Value.Marks.ToString(), (_, alike) => new Group([.. alike.Select(p => p.Key)], alike.First().Value.Blocks));
    }

    // To add the count to memory and start again takes about as long as the additions that it stands for.
    private bool IsWorthwhile(Plan plan) => plan.Flushes.Sum(shape.Frequency) < plan.Marks.Sum(shape.Frequency);

    private List<Step> Steps(BasicBlock block)
    {
        var steps = new List<Step>();
        foreach (var instruction in block.Instructions)
            if (marks.Is(instruction) && !marks.IsSetting(instruction)) steps.Add(new(instruction, Marks.CounterOf(instruction).Handle));
            else if (observers.Is(instruction) || Observers.IsExit(instruction)) steps.Add(new(instruction, 0));
        return steps;
    }

    /// <param name="Group">The counters.</param>
    /// <param name="Marks">All of the first of them.</param>
    /// <param name="Flushes">Observers that they may be pending at.</param>
    /// <param name="Joined">How many marks another's count may reach.</param>
    private sealed record Plan(Group Group, List<Instruction> Marks, List<Instruction> Flushes, int Joined);

    private Plan Match(Group group, List<Step>[] steps)
    {
        var counter = group.Counters[0];
        var reached = Reached(counter, group.Blocks, steps);
        var plan = new Plan(group, [], [], 0);
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

    private void Apply(Plan plan, List<Step>[] steps)
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
        }
        foreach (var block in plan.Group.Blocks)
            foreach (var step in steps[block].Where(s => plan.Group.Counters.Contains(s.Counter)))
                step.At.Erase();
        builder.SetArtificialLocation(function);
        foreach (var flush in plan.Flushes)
        {
            builder.Before(flush);
            foreach (var counter in plan.Group.Counters) marks.Add(builder, new Value(counter), builder.Load(word, local));
            builder.Store(word.Const(0), local);
        }
    }
}
