using System.CommandLine;
using System.Globalization;
using Weft.Core;
using Weft.Tracing;

namespace Weft.Cli.Commands.Tracing;

/// <summary><c>weft tracing graph</c>: who called whom, how often and for how long.</summary>
internal static class GraphCommand
{
    /// <summary>Recursion further down is shown with its depth in figures: a line has to end somewhere.</summary>
    private const int Indented = 48;

    public static Command Create()
    {
        var file = TraceFiles.Argument();
        var function = new Argument<string?>("FUNCTION") { Description = "A GLOB of functions to show with those they call and those that call them [default: the whole program]", Arity = ArgumentArity.ZeroOrOne };
        var program = TraceFiles.Program();
        var filters = new FilterArguments();
        var command = new Command("graph", "Print who called whom, as a tree of the program or of a function's callers and callees.") { file, function, program };
        filters.AddTo(command);
        command.SetAction(parsed =>
        {
            var (trace, pattern) = Split(parsed.GetValue(file), parsed.GetValue(function));
            TraceFiles.Read(trace, filters.Of(parsed), filter => pattern == null ? Whole(filter) : Of(filter, pattern), parsed.GetValue(program));
        });
        return command;
    }

    // One word alone is a trace if there is such a file.
    private static (string? File, string? Function) Split(string? first, string? second) =>
        first == null || second != null || Path.Exists(first) || first.EndsWith(".weft-trace", StringComparison.Ordinal) ? (first, second) : (null, first);

    private static bool Whole(CallFilter filter)
    {
        var tree = CallTree.Of(filter);
        StandardOutput.Text(output => Write(output, filter.Source, tree));
        Tell(tree);
        return tree.Branches.Count > 1;
    }

    private static bool Of(CallFilter filter, string pattern)
    {
        var wanted = new IdTable<bool?>();
        bool IsWanted(int id) => wanted[id] ??= FunctionNames.Matches(pattern, filter.Source.Function(id));
        var (callers, callees) = (CallTree.CallersOf(filter, IsWanted), CallTree.Of(filter, IsWanted));
        if (callees.Branches.Count == 1) throw new WeftException(CallFilter.NoFunction(filter.Source, pattern), "weft tracing functions lists those in the trace");
        StandardOutput.Text(output =>
        {
            output.Write("What it calls:\n");
            Write(output, filter.Source, callees);
            output.Write("\nWhat calls it (figures are of its calls):\n");
            Write(output, filter.Source, callers);
        });
        Tell(callees);
        return true;
    }

    private static void Tell(CallTree tree)
    {
        if (tree.Folded > 0) Terminal.Warning($"the tree has more branches than memory should be spent on; {tree.Folded} calls count as their callers' own (--depth N makes it smaller)");
    }

    private static void Write(TextWriter output, ITraceSource source, CallTree tree)
    {
        var children = tree.Branches.Skip(1).Select((branch, i) => (Branch: branch, Index: i + 1)).GroupBy(b => b.Branch.Parent)
            .ToDictionary(g => g.Key, g => g.OrderByDescending(b => b.Branch.Total).ThenByDescending(b => b.Branch.Calls).ToList());
        output.Write($"{"total",10}  {"self",10}  {"calls",12}  function\n");
        var waiting = new Stack<(int Index, int Depth, string Lead, bool IsLast)>(); // recursion may be deeper than our own stack
        Push(0, -1, "");
        while (waiting.TryPop(out var next))
        {
            var branch = tree.Branches[next.Index];
            var joint = next.Depth == 0 ? "" : next.IsLast ? "└─ " : "├─ ";
            var lead = next.Depth > Indented ? $"({next.Depth}) " : next.Lead + joint;
            output.Write($"{Durations.Format(branch.Total),10}  {Durations.Format(branch.Self),10}  {branch.Calls.ToString("N0", CultureInfo.InvariantCulture),12}  {lead}{source.Function(branch.Function).Name}\n");
            Push(next.Index, next.Depth, next.Depth == 0 || next.Depth >= Indented ? next.Lead : next.Lead + (next.IsLast ? "   " : "│  "));
        }

        void Push(int parent, int depth, string lead)
        {
            if (!children.TryGetValue(parent, out var of)) return;
            for (var i = of.Count - 1; i >= 0; i--) waiting.Push((of[i].Index, depth + 1, lead, i == of.Count - 1));
        }
    }
}
