using System.Globalization;
using System.Text.Json;
using Weft.Core;
using Weft.Coverage.Model;

namespace Weft.Coverage.Page;

/// <summary>What is known of all files: sums, and the functions to search. Takes files in order and keeps only that.</summary>
internal sealed class PageIndex(PageFacts facts) : IDisposable
{
    private readonly List<(string Path, CoverageSummary Summary, SourceState State)> files = [];
    private readonly Packed names = new();
    private Utf8JsonWriter? functions;

    public CoverageSummary Totals { get; private set; }

    public IReadOnlyList<(string Path, CoverageSummary Summary, SourceState State)> Files => files;

    public void Add(PageFile file)
    {
        functions ??= Begin();
        foreach (var (name, line, count) in file.Functions)
        {
            functions.WriteStartArray();
            functions.WriteStringValue(name);
            functions.WriteNumberValue(files.Count);
            functions.WriteNumberValue(line);
            PageWriter.Count(functions, count);
            functions.WriteEndArray();
        }
        functions.Flush();
        files.Add((file.Path, file.Summary, file.State));
        Totals += file.Summary;
    }

    public void WriteFunctions(Stream output)
    {
        functions ??= Begin();
        functions.WriteEndArray();
        functions.Dispose();
        names.WriteTo(output);
    }

    public void WriteIndex(Stream output)
    {
        using var packed = new Packed();
        using (var json = PageWriter.Create(packed.Input))
        {
            var root = Root();
            json.WriteStartObject();
            json.WriteNumber("version", 1);
            json.WriteString("program", HtmlPage.Printable(facts.Program));
            json.WriteString("command", HtmlPage.Printable(facts.Command));
            json.WriteString("profile", HtmlPage.Printable(facts.Profile));
            json.WriteString("written", facts.Written.ToUniversalTime().ToString("yyyy-MM-dd'T'HH:mm:ss'Z'", CultureInfo.InvariantCulture));
            if (facts.Remarks.Count > 0)
            {
                json.WriteStartArray("remarks");
                foreach (var remark in facts.Remarks) json.WriteStringValue(HtmlPage.Printable(remark));
                json.WriteEndArray();
            }
            if (facts.Tests is { } tests)
            {
                json.WriteStartArray("tests");
                foreach (var test in tests.Names) json.WriteStringValue(HtmlPage.Printable(test));
                json.WriteEndArray();
            }
            json.WriteString("root", HtmlPage.Printable(root));
            json.WriteStartObject("totals");
            PageWriter.Summary(json, Totals);
            json.WriteEndObject();
            json.WriteStartArray("files");
            foreach (var (path, summary, state) in files) Write(json, path[root.Length..], summary, state);
            json.WriteEndArray();
            json.WriteEndObject();
        }
        packed.WriteTo(output);
    }

    public void Dispose()
    {
        functions?.Dispose();
        names.Dispose();
    }

    private static void Write(Utf8JsonWriter json, string path, CoverageSummary summary, SourceState state)
    {
        json.WriteStartObject();
        json.WriteString("path", HtmlPage.Printable(path));
        PageWriter.Summary(json, summary);
        if (state != SourceState.Known) json.WriteString("state", PageFile.Name(state));
        json.WriteEndObject();
    }

    /// <summary>The folder that all files are in.</summary>
    public string Root()
    {
        if (files.Count == 0) return "";
        var root = files[0].Path.AsSpan(0, files[0].Path.LastIndexOf('/') + 1);
        foreach (var (path, _, _) in files)
        {
            var common = root.CommonPrefixLength(path);
            root = root[..(root[..common].LastIndexOf('/') + 1)];
        }
        return root.ToString();
    }

    private Utf8JsonWriter Begin()
    {
        var json = PageWriter.Create(names.Input);
        json.WriteStartArray();
        return json;
    }
}
