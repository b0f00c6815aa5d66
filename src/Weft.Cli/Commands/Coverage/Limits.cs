using System.CommandLine;
using System.Globalization;
using Weft.Core;
using Weft.Coverage.Export;
using Weft.Coverage.Model;

namespace Weft.Cli.Commands.Coverage;

/// <summary>The <c>--fail-*</c> options of a report, named as cargo-llvm-cov names them.</summary>
internal sealed class Limits
{
    private static readonly (string What, string Several, Func<CoverageSummary, Ratio> Value)[] Kinds =
    [
        ("function", "functions", s => s.Functions),
        ("line", "lines", s => s.Lines),
        ("region", "regions", s => s.Regions),
        ("branch", "branches", s => s.Branches),
    ];

    private readonly Option<double?>[] least = Array.ConvertAll(Kinds, k => Percent($"--fail-under-{k.Several}", $"Exit with 1 if less than MIN percent of {k.Several} are covered"));
    private readonly Option<double?> leastOfFile = Percent("--fail-under-file-lines", "Exit with 1 if less than MIN percent of the lines of any file are covered");
    private readonly Option<long?>[] most = Array.ConvertAll(Kinds, k => Number($"--fail-uncovered-{k.Several}", $"Exit with 1 if more than MAX {k.Several} are not covered"));

    public void AddTo(Command command)
    {
        foreach (var option in (Option[])[.. least, leastOfFile, .. most]) command.Add(option);
    }

    /// <summary>Says on stderr what does not hold.</summary>
    /// <param name="parsed">The limits.</param>
    /// <param name="table">Sums.</param>
    /// <param name="missingLines">How many lines nothing ran.</param>
    public ExitCode Check(ParseResult parsed, SummaryTable table, Func<long> missingLines)
    {
        var problems = Problems(parsed, table, missingLines).ToList();
        foreach (var problem in problems) Terminal.Error(problem);
        return problems.Count > 0 ? ExitCode.CheckFailed : ExitCode.Success;
    }

    private IEnumerable<string> Problems(ParseResult parsed, SummaryTable table, Func<long> missingLines)
    {
        for (var i = 0; i < Kinds.Length; i++)
        {
            var (what, several, value) = Kinds[i];
            var ratio = value(table.Total);
            if (parsed.GetValue(least[i]) is { } min && TooLow(ratio, min)) yield return ratio.Count == 0 ? $"there are no {several} ({least[i].Name})" : $"{what} coverage is {Counts.Percent(ratio)} ({ratio.Covered} of {ratio.Count}), less than {Shown(min)}% ({least[i].Name})";
            // A line of several functions counts for each in sums, and once in the list of missing lines.
            if (parsed.GetValue(most[i]) is { } max && (several == "lines" ? missingLines() : ratio.NotCovered) is var missing && missing > max) yield return $"{missing} {(missing == 1 ? $"{what} is" : $"{several} are")} not covered, more than {max} ({most[i].Name})";
        }
        if (parsed.GetValue(leastOfFile) is not { } least1) yield break;
        foreach (var (name, summary) in table.Rows)
            if (TooLow(summary.Lines, least1)) yield return $"{name}: line coverage is {Counts.Percent(summary.Lines)} ({summary.Lines.Covered} of {summary.Lines.Count}), less than {Shown(least1)}% ({leastOfFile.Name})";
    }

    private static bool TooLow(Ratio ratio, double min) => ratio.Covered * 100.0 < min * ratio.Count || (ratio.Count == 0 && min > 0);

    private static string Shown(double value) => value.ToString(CultureInfo.InvariantCulture);

    private static Option<double?> Percent(string name, string description)
    {
        var option = new Option<double?>(name) { HelpName = "MIN", Description = description };
        option.Validators.Add(result => { if (result.Tokens is [var token] && !(double.TryParse(token.Value, NumberStyles.Float, CultureInfo.InvariantCulture, out var value) && value is >= 0 and <= 100)) result.AddError($"{name}: '{token.Value}' is not a number from 0 to 100"); });
        return option;
    }

    private static Option<long?> Number(string name, string description)
    {
        var option = new Option<long?>(name) { HelpName = "MAX", Description = description };
        option.Validators.Add(result => { if (result.Tokens is [var token] && !(long.TryParse(token.Value, NumberStyles.None, CultureInfo.InvariantCulture, out var value) && value >= 0)) result.AddError($"{name}: '{token.Value}' is not a number"); });
        return option;
    }
}
