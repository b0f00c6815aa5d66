using System.Text.Json;
using Weft.Core;
using Weft.Coverage.Model;

namespace Weft.Coverage.Page;

/// <summary>The functions of a file, each with its instantiations.</summary>
internal sealed class PageFunctions(CoverageData data, string path, SourceText source)
{
    private readonly List<FunctionEntry> entries = [];

    /// <summary>What the page can search for.</summary>
    public IReadOnlyList<FunctionEntry> Entries => entries;

    public void Write(Utf8JsonWriter json)
    {
        json.WriteStartArray("functions");
        foreach (var group in data.Groups(path)) Write(json, group);
        json.WriteEndArray();
    }

    private void Write(Utf8JsonWriter json, InstantiationGroup group)
    {
        var names = group.Functions.Select(f => HtmlPage.Printable(data.Demangled(f))).ToList();
        var name = GenericName.Of(names);
        var count = 0UL;
        foreach (var function in group.Functions) count += function.Count;
        entries.Add(new FunctionEntry(name, group.Line, count));

        json.WriteStartObject();
        json.WriteString("name", name);
        json.WriteStartArray("at");
        PageWriter.Place(json, source, Extent(group));
        json.WriteEndArray();
        PageWriter.Summary(json, CoverageData.Summary(group));
        json.WriteStartArray("instances");
        for (var i = 0; i < names.Count; i++) Write(json, group, names[i], group.Functions[i]);
        json.WriteEndArray();
        json.WriteEndObject();
    }

    private void Write(Utf8JsonWriter json, InstantiationGroup group, string name, FunctionCoverage function)
    {
        json.WriteStartObject();
        json.WriteString("name", name);
        json.WriteString("symbol", HtmlPage.Printable(function.Name));
        json.WritePropertyName("count");
        PageWriter.Count(json, function.Count);
        if (function.IsUnused) json.WriteBoolean("unused", value: true);
        if (group.Functions.Count > 1) // else it has what the file has there
        {
            PageWriter.Summary(json, CoverageData.Summary(new InstantiationGroup(group.Line, group.Column, [function])));
            var segments = new SegmentBuilder();
            foreach (var region in function.Regions)
                if (region.File == function.MainFile) segments.Add(region);
            PageWriter.Segments(json, source, segments.Build());
            PageWriter.Branches(json, source, function.Branches.Where(b => b.File == function.MainFile));
        }
        json.WriteEndObject();
    }

    /// <summary>From the first of its code to the last.</summary>
    private static CountedRegion Extent(InstantiationGroup group)
    {
        var (start, end) = (ulong.MaxValue, 0UL);
        foreach (var function in group.Functions)
        {
            foreach (var region in function.Regions)
            {
                if (region.File != function.MainFile) continue;
                (start, end) = (ulong.Min(start, region.Start), ulong.Max(end, region.End));
            }
        }
        return new CountedRegion(start, end, 0, 0, 0, 0, RegionKind.Code, IsNeverTrue: false, IsNeverFalse: false);
    }
}

/// <summary>A function as the search knows it.</summary>
internal readonly record struct FunctionEntry(string Name, int Line, ulong Count);
