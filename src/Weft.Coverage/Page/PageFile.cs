using System.Text.Json;
using Weft.Core;
using Weft.Coverage.Model;
using Weft.Coverage.PerTest;

namespace Weft.Coverage.Page;

/// <summary>A source file on its way into the page: its data, compressed, and what the rest of the page says of it.</summary>
internal sealed record PageFile(string Path, CoverageSummary Summary, SourceState State, IReadOnlyList<FunctionEntry> Functions, Packed Data)
{
    public static PageFile Of(CoverageData data, string path, PageSources sources, LineTests? tests)
    {
        var file = data.File(path);
        var source = sources.Read(path);
        var functions = new PageFunctions(data, path, source);
        var packed = new Packed();
        using (var json = PageWriter.Create(packed.Input))
        {
            json.WriteStartObject();
            json.WriteString("path", HtmlPage.Printable(path));
            json.WriteString("state", Name(source.State));
            json.WriteString("source", source.Text);
            WriteLines(json, file);
            PageWriter.Segments(json, source, file.Segments);
            PageWriter.Branches(json, source, file.Branches);
            functions.Write(json);
            WriteDecisions(json, data, path, source);
            if (tests != null) WriteTests(json, tests.Of(path));
            PageExpansions.Write(json, sources, source, file.Expansions);
            json.WriteEndObject();
        }
        return new PageFile(path, data.Summary(path), source.State, functions.Entries, packed);
    }

    public static string Name(SourceState state) => state switch
    {
        SourceState.Known => "known",
        SourceState.Changed => "changed",
        _ => "gone",
    };

    private static void WriteLines(Utf8JsonWriter json, FileCoverage file)
    {
        json.WriteStartArray("lines");
        foreach (var line in file.Lines)
        {
            json.WriteStartArray();
            json.WriteNumberValue(line.Line);
            PageWriter.Count(json, line.Count);
            json.WriteEndArray();
        }
        json.WriteEndArray();
    }

    /// <summary>Neighbours mostly have the same tests: sets are there once.</summary>
    private static void WriteTests(Utf8JsonWriter json, IReadOnlyDictionary<int, List<int>> tests)
    {
        var sets = new Dictionary<string, int>();
        json.WriteStartArray("tests");
        foreach (var (line, reaching) in tests)
        {
            var set = string.Join(',', reaching);
            if (!sets.TryGetValue(set, out var index)) sets.Add(set, index = sets.Count);
            json.WriteStartArray();
            json.WriteNumberValue(line);
            json.WriteNumberValue(index);
            json.WriteEndArray();
        }
        json.WriteEndArray();
        json.WriteStartArray("testSets");
        foreach (var set in sets.OrderBy(s => s.Value)) json.WriteRawValue($"[{set.Key}]");
        json.WriteEndArray();
    }

    private static void WriteDecisions(Utf8JsonWriter json, CoverageData data, string path, SourceText source)
    {
        json.WriteStartArray("decisions");
        foreach (var function in data.FunctionsOf(path))
            foreach (var decision in function.Decisions)
                if (function.Files[decision.Region.File] == path) Write(json, data.Demangled(function), decision, source);
        json.WriteEndArray();
    }

    private static void Write(Utf8JsonWriter json, string function, Decision decision, SourceText source)
    {
        json.WriteStartObject();
        json.WriteStartArray("at");
        PageWriter.Place(json, source, decision.Region);
        json.WriteEndArray();
        json.WriteString("function", HtmlPage.Printable(function));
        json.WriteStartArray("conditions");
        foreach (var condition in decision.Conditions)
        {
            json.WriteStartObject();
            json.WriteNumber("line", condition.Line);
            json.WriteNumber("column", source.Column(condition.Line, condition.Column));
            if (condition.IsFolded) json.WriteBoolean("constant", value: true);
            if (condition.Pair is { } pair)
            {
                json.WriteStartArray("pair");
                json.WriteNumberValue(pair.False);
                json.WriteNumberValue(pair.True);
                json.WriteEndArray();
            }
            json.WriteEndObject();
        }
        json.WriteEndArray();
        json.WriteStartArray("vectors");
        foreach (var vector in decision.Vectors) json.WriteStringValue(string.Concat(vector.Values.Select(Letter)) + "=" + Letter(vector.Result));
        json.WriteEndArray();
        json.WriteEndObject();
    }

    private static char Letter(bool? value) => value switch
    {
        true => 'T',
        false => 'F',
        null => '-',
    };
}
