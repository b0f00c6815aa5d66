using Weft.Core;

namespace Weft.Metering;

/// <summary>What two runs differ in. As counts depend on the program and its input alone, every difference is one of these.</summary>
public sealed class MeteringComparison
{
    private MeteringComparison(ComparedFunction total, IReadOnlyList<ComparedFunction> functions, bool hasFunctions, bool hasCalls) =>
        (Total, Functions, HasFunctions, HasCalls) = (total, functions, hasFunctions, hasCalls);

    public ComparedFunction Total { get; }

    /// <summary>The largest change first.</summary>
    public IReadOnlyList<ComparedFunction> Functions { get; }

    /// <summary>Whether both runs told functions apart.</summary>
    public bool HasFunctions { get; }

    /// <summary>Whether both runs told calls apart.</summary>
    public bool HasCalls { get; }

    /// <exception cref="WeftException">What they counted is not the same.</exception>
    public static MeteringComparison Of(MeteringReport old, MeteringReport young, Func<string, string> demangle)
    {
        if (old.Costs != young.Costs)
            throw new WeftException($"the reports count different units: '{Printable(old.Costs)}' and '{Printable(young.Costs)}'", "build both programs with the same --metering-costs");
        var hasFunctions = old.HasFunctions && young.HasFunctions;
        var functions = new Dictionary<string, ComparedFunction>(StringComparer.Ordinal);
        if (hasFunctions)
        {
            foreach (var f in new ReportView(old, demangle).Functions) functions[f.Name] = Row(f.Name).AddOld(f);
            foreach (var f in new ReportView(young, demangle).Functions) functions[f.Name] = Row(f.Name).AddNew(f);
        }
        var total = new ComparedFunction("", new(old.Total, young.Total), default);
        var ranked = functions.Values.OrderByDescending(f => Math.Abs(f.Units.Change)).ThenByDescending(f => Math.Abs(f.Calls.Change)).ThenBy(f => f.Name, StringComparer.Ordinal).ToList();
        return new(total, ranked, hasFunctions, old.Contexts.Count > 0 && young.Contexts.Count > 0);

        // Symbols and modules are of one build, names stay.
        ComparedFunction Row(string name) => functions.GetValueOrDefault(name) ?? new(name, default, default);
    }

    private static string Printable(string text) => HtmlPage.Printable(text);
}

/// <summary>A figure of two runs.</summary>
public readonly record struct Difference(ulong Old, ulong New)
{
    public decimal Change => (decimal)New - Old;

    /// <summary>Of the old figure; null if that is 0.</summary>
    public decimal? Percent => Old == 0 ? null : decimal.Round(Change * 100 / Old, 4);

    public bool GrewByMoreThan(decimal percent) => New > Old && Change * 100 > percent * Old;
}

/// <summary>A function in two runs.</summary>
/// <param name="Name">As people write it.</param>
/// <param name="Units">Without what it calls.</param>
/// <param name="Calls">How often it was called.</param>
public sealed record ComparedFunction(string Name, Difference Units, Difference Calls)
{
    private bool isOld, isYoung;

    public bool IsNew => !isOld;

    public bool IsGone => !isYoung;

    public bool HasChanged => Units.Change != 0 || Calls.Change != 0;

    internal ComparedFunction AddOld(FunctionFigures f) => this with { isOld = true, Units = Units with { Old = Units.Old + f.Self }, Calls = Calls with { Old = Calls.Old + f.Calls } };

    internal ComparedFunction AddNew(FunctionFigures f) => this with { isYoung = true, Units = Units with { New = Units.New + f.Self }, Calls = Calls with { New = Calls.New + f.Calls } };
}
