using Weft.Llvm;

namespace Weft.Core.Flow;

/// <summary>Functions so that, recursion apart, each comes after those it calls by name.</summary>
public static class CallOrder
{
    public static List<Function> CalleesFirst(IReadOnlyList<Function> functions)
    {
        var waiting = functions.Select(f => f.Handle).ToHashSet();
        var order = new List<Function>(functions.Count);
        var path = new Stack<(Function Function, List<Function> Callees, int Next)>();
        foreach (var function in functions)
        {
            if (!waiting.Remove(function.Handle)) continue;
            path.Push((function, Callees(function, waiting), 0));
            while (path.TryPop(out var at))
            {
                if (at.Next == at.Callees.Count)
                {
                    order.Add(at.Function);
                    continue;
                }
                path.Push((at.Function, at.Callees, at.Next + 1));
                var callee = at.Callees[at.Next];
                if (waiting.Remove(callee.Handle)) path.Push((callee, Callees(callee, waiting), 0));
            }
        }
        return order;
    }

    private static List<Function> Callees(Function function, HashSet<nint> waiting)
    {
        var callees = new List<Function>();
        foreach (var block in function.Blocks)
            foreach (var instruction in block.Instructions)
                if (instruction.IsCall && instruction.CalledValue is { Exists: true } callee && waiting.Contains(callee.Handle)) callees.Add(callee.AsFunction);
        return callees;
    }
}
