namespace Weft.Tracing;

/// <summary>Who called whom: calls that were reached the same way are one branch.</summary>
public sealed class CallTree
{
    /// <summary>A gigabyte would be spent on recursion that never takes the same way twice.</summary>
    private const int MostBranches = 1 << 20;

    private readonly List<Branch> branches = [new Branch(0, -1)];
    private readonly Dictionary<(int Parent, int Function), int> children = [];

    /// <summary>Branch 0 is the root and no call; a branch comes after the one it grows from.</summary>
    public IReadOnlyList<Branch> Branches => branches;

    /// <summary>Calls that found no room: their time is their callers' own.</summary>
    public long Folded { get; private set; }

    /// <summary>Of whole threads.</summary>
    public static CallTree Of(CallFilter filter) => Of(filter, _ => true);

    /// <summary>Of the outermost calls of some functions.</summary>
    public static CallTree Of(CallFilter filter, Predicate<int> isRoot) => Of(filter.Threads, filter.Calls, isRoot);

    /// <summary>Of calls from anywhere.</summary>
    public static CallTree Of(IEnumerable<TraceThread> threads, Func<TraceThread, IEnumerable<CallEvent>> calls, Predicate<int> isRoot)
    {
        var tree = new CallTree();
        var open = new Stack<(int Branch, long Callees)>();
        foreach (var thread in threads)
            foreach (var call in calls(thread))
                if (call.Kind == CallKind.Begin && (open.Count > 0 || isRoot(call.Id))) open.Push((tree.Begin(open.Count > 0 ? open.Peek().Branch : 0, call.Id), 0));
                else if (call.Kind == CallKind.End && open.Count > 0) tree.End(open, call.Time - call.Start);
        return tree;
    }

    /// <summary>The other way round: the branches of a function are those that called it, of all its calls.</summary>
    public static CallTree CallersOf(CallFilter filter, Predicate<int> isRoot)
    {
        var tree = new CallTree();
        var open = new List<(int Function, int Branch, long Callees)>();
        foreach (var thread in filter.Threads)
        {
            foreach (var call in filter.Calls(thread))
            {
                if (call.Kind == CallKind.Begin)
                {
                    open.Add((call.Id, -1, 0));
                    if (isRoot(call.Id)) open[^1] = (call.Id, tree.BeginCallers(open), 0);
                }
                else if (call.Kind == CallKind.End) tree.EndCallers(open, call.Time - call.Start);
            }
        }
        return tree;
    }

    /// <summary>The branch that grows from another, or -1 if there is no room.</summary>
    private int Grow(int parent, int function)
    {
        if (parent < 0) return -1;
        var last = branches[parent].LastUsed; // mostly the same as before
        if (last > 0 && branches[last].Function == function) return last;
        if (!children.TryGetValue((parent, function), out var branch))
        {
            if (branches.Count == MostBranches) return -1;
            children[(parent, function)] = branch = branches.Count;
            branches.Add(new Branch(function, parent));
        }
        branches[parent].LastUsed = branch;
        return branch;
    }

    private int Begin(int parent, int function)
    {
        var branch = Grow(parent, function);
        if (branch < 0) Folded++;
        else branches[branch].Calls++;
        return branch;
    }

    private void End(Stack<(int Branch, long Callees)> open, long duration)
    {
        var (branch, callees) = open.Pop();
        if (branch < 0) return;
        branches[branch].Total += duration;
        branches[branch].Self += duration - callees;
        if (open.TryPop(out var caller)) open.Push(caller with { Callees = caller.Callees + duration });
    }

    private int BeginCallers(List<(int Function, int Branch, long Callees)> open)
    {
        const int furthest = 64;
        var branch = 0;
        for (var i = open.Count - 1; i >= Math.Max(0, open.Count - furthest); i--)
        {
            var next = Grow(branch, open[i].Function);
            if (next < 0) break;
            branch = next;
            branches[branch].Calls++;
            branches[branch].Active++;
        }
        return branch;
    }

    private void EndCallers(List<(int Function, int Branch, long Callees)> open, long duration)
    {
        var (_, branch, callees) = open[^1];
        open.RemoveAt(open.Count - 1);
        if (open.Count > 0) open[^1] = open[^1] with { Callees = open[^1].Callees + duration };
        for (; branch > 0; branch = branches[branch].Parent)
        {
            branches[branch].Self += duration - callees;
            if (--branches[branch].Active == 0) branches[branch].Total += duration; // else it is part of one that is under way
        }
    }

    /// <summary>Calls that were reached the same way.</summary>
    public sealed class Branch(int function, int parent)
    {
        public int Function => function;

        /// <summary>The branch it grows from; -1 of the root.</summary>
        public int Parent => parent;

        public long Calls { get; internal set; }

        public long Total { get; internal set; }

        public long Self { get; internal set; }

        internal int LastUsed { get; set; }

        internal int Active { get; set; }
    }
}
