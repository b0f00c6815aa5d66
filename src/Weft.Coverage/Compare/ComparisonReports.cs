using System.Globalization;
using System.Text.Json;
using Weft.Coverage.Export;
using Weft.Coverage.Model;

namespace Weft.Coverage.Compare;

/// <summary>Writes what two runs differ in.</summary>
/// <param name="comparison">The differences.</param>
/// <param name="name">A path as it is to be shown.</param>
public sealed class ComparisonReports(CoverageComparison comparison, Func<string, string> name)
{
    private static readonly (string Name, Func<CoverageSummary, Ratio> Value)[] Kinds =
        [("regions", s => s.Regions), ("functions", s => s.Functions), ("lines", s => s.Lines), ("branches", s => s.Branches)];

    public void WriteText(TextWriter output)
    {
        foreach (var (kind, value) in Kinds)
            if (value(comparison.Before).Count > 0 || value(comparison.After).Count > 0) output.Write($"{kind,-10}{Change(value(comparison.Before), value(comparison.After))}\n");
        WriteFiles(output);
        WriteFunctions(output, "\nFunctions that ran less:\n", f => f.IsLoss);
        WriteFunctions(output, "\nFunctions that ran more:\n", f => !f.IsLoss);
        if (comparison.Files.All(f => !f.IsChanged) && comparison.Functions.Count == 0) output.Write("\nNothing differs.\n");
    }

    public void WriteJson(Utf8JsonWriter json)
    {
        json.WriteStartObject("totals");
        foreach (var (kind, value) in Kinds)
        {
            json.WriteStartObject(kind);
            WriteRatios(json, value(comparison.Before), value(comparison.After));
            json.WriteEndObject();
        }
        json.WriteEndObject();
        json.WriteStartArray("files");
        foreach (var file in comparison.Files.Where(f => f.IsChanged)) WriteFile(json, file);
        json.WriteEndArray();
        json.WriteStartArray("functions");
        foreach (var function in comparison.Functions)
        {
            json.WriteStartObject();
            json.WriteString("name", function.Name);
            json.WriteString("path", name(function.File));
            WriteRatios(json, function.Before, function.After);
            json.WriteEndObject();
        }
        json.WriteEndArray();
    }

    private void WriteFiles(TextWriter output)
    {
        var title = "\nFiles:\n";
        foreach (var file in comparison.Files.Where(f => f.IsChanged))
        {
            var note = file.Old == null ? "  (new)" : file.New == null ? "  (gone)" : file.IsAligned ? "" : "  (lines not compared: it changed, and its old source is not there)";
            output.Write($"{title}  {name(file.Path)}: {Change(file.Before, file.After)}{note}\n");
            if (file.Lost.Count > 0) output.Write($"    no longer covered: {file.Lost}\n");
            if (file.Gained.Count > 0) output.Write($"    now covered: {file.Gained}\n");
            title = "";
        }
    }

    private void WriteFunctions(TextWriter output, string title, Func<FunctionChange, bool> which)
    {
        foreach (var function in comparison.Functions.Where(which))
        {
            output.Write($"{title}  {name(function.File)}: {function.Name}: {Change(function.Before, function.After)} of regions\n");
            title = "";
        }
    }

    private static void WriteFile(Utf8JsonWriter json, FileChange file)
    {
        json.WriteStartObject();
        json.WriteString("old", file.Old);
        json.WriteString("new", file.New);
        WriteRatios(json, file.Before, file.After);
        json.WriteBoolean("linesCompared", file.IsAligned);
        json.WriteString("lost", file.Lost.ToString());
        json.WriteString("gained", file.Gained.ToString());
        json.WriteEndObject();
    }

    private static void WriteRatios(Utf8JsonWriter json, Ratio before, Ratio after)
    {
        foreach (var (title, ratio) in ((string, Ratio)[])[("before", before), ("after", after)])
        {
            json.WriteStartObject(title);
            json.WriteNumber("count", ratio.Count);
            json.WriteNumber("covered", ratio.Covered);
            json.WriteEndObject();
        }
    }

    private static string Change(Ratio before, Ratio after)
    {
        var difference = after.Percent - before.Percent;
        var shown = before.Count == 0 || after.Count == 0 ? "" : $" ({difference.ToString("+0.00;-0.00;0.00", CultureInfo.InvariantCulture)})";
        return $"{Counts.Percent(before)} -> {Counts.Percent(after)}{shown}";
    }
}
