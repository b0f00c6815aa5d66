using System.Runtime.InteropServices;
using Weft.Core;

namespace Weft.Metering;

/// <summary>Who called whom, with what each context costs together with those below it. Callers come before what they call.</summary>
internal sealed class CallForest
{
    /// <summary>In place of a function's index.</summary>
    public const int Deeper = -1, Unattributed = -2;

    private readonly List<Context> contexts = [];

    private CallForest() { }

    /// <param name="Function">Its index, or what stands for one.</param>
    /// <param name="Parent">Less than 0 for the outermost.</param>
    /// <param name="Line">Of the call; 0 if nobody knows.</param>
    /// <param name="Depth">0 for the outermost.</param>
    internal record struct Context(int Function, int Parent, int Line, int Depth)
    {
        public ulong Calls { get; set; }

        public ulong Self { get; set; }

        public ulong Total { get; set; }

        /// <summary>Whether none of its callers is the same function: the totals of these add up to the function's, recursive or not.</summary>
        public bool IsOutermost { get; set; }
    }

    public IReadOnlyList<Context> Contexts => contexts;

    /// <summary>As the program has them: calls from several lines are several.</summary>
    public static CallForest Of(MeteringReport report)
    {
        var forest = new CallForest();
        foreach (var context in report.Contexts)
            forest.contexts.Add(new(context.Function, context.Parent, context.Line, context.Depth) { Calls = context.Calls, Self = context.Units });
        return forest.Summed();
    }

    /// <summary>The same wherever calls come from, with what has no context, so that all adds up to the report's total.</summary>
    public static CallForest OfStacks(MeteringReport report)
    {
        var forest = new CallForest();
        var nodes = new StackNodes(int.MaxValue - 1);
        var at = new int[report.Contexts.Count];
        for (var i = 0; i < at.Length; i++)
        {
            var context = report.Contexts[i];
            var caller = context.Parent < 0 ? 0 : at[context.Parent];
            at[i] = nodes.Enter(caller, context.Function);
            if (at[i] > forest.contexts.Count) forest.contexts.Add(new(context.Function, caller - 1, 0, context.Depth));
            ref var merged = ref CollectionsMarshal.AsSpan(forest.contexts)[at[i] - 1];
            merged.Calls += context.Calls;
            merged.Self += context.Units;
        }
        var known = report.Contexts.Aggregate(0ul, (sum, c) => sum + c.Units);
        if (known < report.Total) forest.contexts.Add(new(Unattributed, -1, 0, 0) { Self = report.Total - known });
        return forest.Summed();
    }

    /// <summary>Every context after its caller and before its caller's next one.</summary>
    public IEnumerable<Context> Walk(Func<int, string> name)
    {
        var children = contexts.Index().ToLookup(c => c.Item.Parent, c => c.Index);
        var waiting = new Stack<int>();
        Push(-1);
        while (waiting.TryPop(out var index))
        {
            yield return contexts[index];
            Push(index);
        }

        void Push(int parent)
        {
            foreach (var child in children[parent].OrderByDescending(c => name(contexts[c].Function), StringComparer.Ordinal)) waiting.Push(child);
        }
    }

    private CallForest Summed()
    {
        var all = CollectionsMarshal.AsSpan(contexts);
        for (var i = all.Length - 1; i >= 0; i--)
        {
            all[i].Total += all[i].Self;
            if (all[i].Parent >= 0) all[all[i].Parent].Total += all[i].Total;
        }
        FindOutermost(all);
        return this;
    }

    // Down and up again along a list of children, with how often each function is open.
    private static void FindOutermost(Span<Context> all)
    {
        var (child, next) = (new int[all.Length + 1], new int[all.Length]);
        Array.Fill(child, -1);
        for (var i = all.Length - 1; i >= 0; i--) (next[i], child[all[i].Parent + 1]) = (child[all[i].Parent + 1], i);
        var open = new Dictionary<int, int>();
        for (var i = child[0]; i >= 0;)
        {
            ref var count = ref CollectionsMarshal.GetValueRefOrAddDefault(open, all[i].Function, out _);
            all[i].IsOutermost = count++ == 0;
            if (child[i + 1] >= 0)
            {
                i = child[i + 1];
                continue;
            }
            for (; i >= 0; i = all[i].Parent)
            {
                open[all[i].Function]--;
                if (next[i] < 0) continue;
                i = next[i];
                break;
            }
        }
    }
}
