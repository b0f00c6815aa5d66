using System.Text;
using System.Text.Json;
using Weft.Coverage.Export;
using Weft.Coverage.Sources;

namespace Weft.Coverage.Diff;

/// <summary>Writes what ran of a patch, for people and for programs.</summary>
/// <param name="patch">What ran.</param>
/// <param name="name">A path as it is to be shown.</param>
/// <param name="sources">For the text of lines.</param>
public sealed class PatchReports(PatchCoverage patch, Func<string, string> name, SourceTexts sources)
{
    private const int MostShown = 200;

    /// <summary>Lines with their text, and why they did not run.</summary>
    public void WriteText(TextWriter output)
    {
        foreach (var file in patch.Files.Where(f => f.Gaps.Count > 0))
        {
            output.Write($"{name(file.Path)}: {Counts.Percent(file.Lines)} of {file.Lines.Count} changed lines\n");
            foreach (var gap in file.Gaps)
            {
                output.Write($"  {Range(gap)}: {gap.Why}\n");
                for (var line = gap.Lines.First; line <= gap.Lines.Last; line++) output.Write($"    {line,5}|{(gap.IsPartial ? '~' : '-')}| {Text(file.Path, line)}\n");
            }
            output.Write('\n');
        }
        output.Write(Sentence() + "\n");
    }

    /// <summary>A comment for a pull request.</summary>
    public void WriteMarkdown(TextWriter output)
    {
        var text = new StringBuilder($"### Coverage of this change: {(patch.Total.Count == 0 ? "no code changed" : Counts.Percent(patch.Total))}\n\n");
        if (patch.Total.Count > 0) text.Append($"`{Markdown.Bar(patch.Total)}` {patch.Total.Covered:N0} of {patch.Total.Count:N0} changed lines\n\n| File | Changed lines | Covered | Missing |\n|:--|--:|--:|:--|\n");
        var left = 0;
        foreach (var file in patch.Files.OrderByDescending(f => f.Lines.NotCovered))
        {
            var missing = new LineSet(file.Gaps.Where(g => !g.IsPartial).Select(g => g.Lines));
            var row = $"| {Markdown.Escape(name(file.Path))} | {file.Lines.Count} | {Counts.Percent(file.Lines)} | {missing} |\n";
            if (text.Length + row.Length > Markdown.MostCharacters - MostShown) left++;
            else text.Append(row);
        }
        if (left > 0) text.Append($"\n{left:N0} files with the fewest missing lines are left out: a comment has {Markdown.MostCharacters:N0} characters at most.\n");
        output.Write(text);
    }

    /// <summary>Commands of GitHub's workflows, which put a remark to each range of lines.</summary>
    public void WriteGitHub(TextWriter output)
    {
        foreach (var file in patch.Files)
            foreach (var gap in file.Gaps.Where(g => !g.IsPartial))
                output.Write($"::warning file={Property(name(file.Path))},line={gap.Lines.First},endLine={gap.Lines.Last},title=Not covered::{Data($"{Range(gap)}: {gap.Why}")}\n");
        output.Write($"::notice title=Coverage of this change::{Data(Sentence())}\n");
    }

    public void WriteJson(Utf8JsonWriter json)
    {
        json.WriteNumber("lines", patch.Total.Count);
        json.WriteNumber("covered", patch.Total.Covered);
        json.WriteStartArray("files");
        foreach (var file in patch.Files)
        {
            json.WriteStartObject();
            json.WriteString("path", name(file.Path));
            json.WriteNumber("lines", file.Lines.Count);
            json.WriteNumber("covered", file.Lines.Covered);
            json.WriteStartArray("gaps");
            foreach (var gap in file.Gaps)
            {
                json.WriteStartObject();
                json.WriteNumber("line", gap.Lines.First);
                json.WriteNumber("endLine", gap.Lines.Last);
                json.WriteString("why", gap.Why);
                json.WriteBoolean("partial", gap.IsPartial);
                json.WriteEndObject();
            }
            json.WriteEndArray();
            json.WriteEndObject();
        }
        json.WriteEndArray();
        json.WriteStartArray("outsideCoverage");
        foreach (var path in patch.Unknown) json.WriteStringValue(path);
        json.WriteEndArray();
    }

    private string Sentence()
    {
        var outside = patch.Unknown.Count == 0 ? "" : $"; {patch.Unknown.Count} changed {(patch.Unknown.Count == 1 ? "file is" : "files are")} outside coverage";
        return patch.Total.Count == 0 ? $"No changed line has code{outside}." : $"{Counts.Percent(patch.Total)} of {patch.Total.Count} changed lines with code are covered{outside}.";
    }

    private static string Range(PatchGap gap) => gap.Lines.First == gap.Lines.Last ? $"line {gap.Lines.First}" : $"lines {gap.Lines.First}-{gap.Lines.Last}";

    /// <summary>Nobody reads lines of megabytes, which programs write.</summary>
    private string Text(string path, int line)
    {
        var text = sources.Find(path)?.Line(line) ?? "";
        return SourcePaths.Printable(text.Length <= MostShown ? text : text[..MostShown] + "...");
    }

    private static string Data(string text) => text.Replace("%", "%25").Replace("\r", "%0D").Replace("\n", "%0A");

    private static string Property(string text) => Data(text).Replace(":", "%3A").Replace(",", "%2C");
}
