using Weft.Core;

namespace Weft.Metering;

/// <summary>A report as people read it: with names as they write them, and with what calls say of functions.</summary>
public sealed class ReportView
{
    private readonly Lazy<CallForest> calls, stacks;

    public ReportView(MeteringReport report, Func<string, string> demangle)
    {
        Report = report;
        calls = new(() => CallForest.Of(report));
        stacks = new(() => CallForest.OfStacks(report));
        var figures = new (ulong Calls, ulong Inclusive)[report.Functions.Count];
        foreach (var context in Calls.Contexts)
        {
            if (context.Function < 0) continue;
            ref var figure = ref figures[context.Function];
            figure.Calls += context.Calls;
            if (context.IsOutermost) figure.Inclusive += context.Total;
        }
        // What found no context of its own is the function's all the same.
        Functions = [.. report.Functions.Select((f, i) => new FunctionFigures(i, demangle(f.Name), f, figures[i].Calls, Math.Max(figures[i].Inclusive, f.Units)))];
    }

    public MeteringReport Report { get; }

    /// <summary>In the report's order.</summary>
    public IReadOnlyList<FunctionFigures> Functions { get; }

    /// <summary>The most expensive first.</summary>
    public IEnumerable<FunctionFigures> Ranked => Functions.OrderByDescending(f => f.Self).ThenBy(f => f.Of.Name, StringComparer.Ordinal);

    public bool HasCalls => Report.Contexts.Count > 0;

    internal CallForest Calls => calls.Value;

    internal CallForest Stacks => HasCalls ? stacks.Value : throw new WeftException("the report does not say who called whom", "build with --metering-detail calls and run the program again");

    /// <summary>Lines with all that functions did there, the most expensive first.</summary>
    internal IEnumerable<(string File, int Line, ulong Units)> RankedLines =>
        Report.Lines.GroupBy(l => (l.File, l.Line)).Select(g => (g.Key.File, g.Key.Line, Units: g.Aggregate(0ul, (sum, l) => sum + l.Units)))
            .OrderByDescending(l => l.Units).ThenBy(l => l.File, StringComparer.Ordinal).ThenBy(l => l.Line);

    internal string Name(int function) => function switch
    {
        CallForest.Deeper => "(deeper)",
        CallForest.Unattributed => "(unattributed)",
        _ => Functions[function].Name,
    };
}

/// <summary>A function with what calls say of it.</summary>
/// <param name="Index">In the report.</param>
/// <param name="Name">As people write it.</param>
/// <param name="Of">The function.</param>
/// <param name="Calls">How often it was called; 0 where calls are not told apart.</param>
/// <param name="Inclusive">Work done in it and in what it called; recursion counts once.</param>
public sealed record FunctionFigures(int Index, string Name, MeteredFunction Of, ulong Calls, ulong Inclusive)
{
    public ulong Self => Of.Units;
}

/// <summary>Which parts of a report are wanted, and how many rows of each.</summary>
public sealed record ReportOptions(bool Threads, bool Functions, bool Lines, int Top);
