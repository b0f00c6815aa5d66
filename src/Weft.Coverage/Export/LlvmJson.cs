using System.Globalization;
using System.Text.Encodings.Web;
using System.Text.Json;
using Weft.Coverage.Model;

namespace Weft.Coverage.Export;

/// <summary>What an export leaves out.</summary>
/// <param name="SummaryOnly">All but sums.</param>
/// <param name="SkipFunctions">What is told by function.</param>
/// <param name="SkipExpansions">What macros and includes became.</param>
/// <param name="Root">The folder that paths are relative to, in formats that have relative paths.</param>
public sealed record ExportOptions(bool SummaryOnly = false, bool SkipFunctions = false, bool SkipExpansions = false, string Root = "/");

/// <summary>
/// The JSON of <c>llvm-cov export -format=text</c>, version 3.1.0, which LLVM 22 writes: the same bytes. See
/// CoverageExporterJson.cpp; names of an object are sorted.
/// </summary>
public static class LlvmJson
{
    public const string Version = "3.1.0";

    /// <param name="output">Where to.</param>
    /// <param name="data">What ran.</param>
    /// <param name="files">Those of its files that are wanted, in order.</param>
    /// <param name="options">What to leave out.</param>
    public static void Write(Stream output, CoverageData data, IReadOnlyList<string> files, ExportOptions options)
    {
        using var json = new Utf8JsonWriter(output, Settings);
        json.WriteStartObject();
        json.WriteStartArray("data");
        json.WriteStartObject();
        var totals = WriteFiles(json, data, files, options);
        if (!options.SummaryOnly && !options.SkipFunctions) WriteFunctions(json, data);
        WriteSummary(json, "totals", totals);
        json.WriteEndObject();
        json.WriteEndArray();
        json.WriteString("type", "llvm.coverage.json.export");
        json.WriteString("version", Version);
        json.WriteEndObject();
    }

    private static JsonWriterOptions Settings => new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping, SkipValidation = true };

    /// <summary>Files are worked out several at a time, and written in order.</summary>
    private static CoverageSummary WriteFiles(Utf8JsonWriter json, CoverageData data, IReadOnlyList<string> files, ExportOptions options)
    {
        var totals = new CoverageSummary();
        json.WriteStartArray("files");
        foreach (var (text, summary) in files.AsParallel().AsOrdered().WithMergeOptions(ParallelMergeOptions.NotBuffered).Select(file => Render(data, file, options)))
        {
            json.WriteRawValue(text.WrittenSpan, skipInputValidation: true);
            json.Flush();
            totals += summary;
        }
        json.WriteEndArray();
        return totals;
    }

    private static (System.Buffers.ArrayBufferWriter<byte> Text, CoverageSummary Summary) Render(CoverageData data, string path, ExportOptions options)
    {
        var summary = data.Summary(path);
        var text = new System.Buffers.ArrayBufferWriter<byte>();
        using var json = new Utf8JsonWriter(text, Settings);
        json.WriteStartObject();
        if (!options.SummaryOnly)
        {
            var file = data.File(path);
            WriteBranches(json, file.Branches, withFolded: true);
            if (!options.SkipExpansions) WriteExpansions(json, file.Expansions);
            json.WriteString("filename", path);
            WriteDecisions(json, file.Decisions);
            WriteSegments(json, file.Segments);
        }
        else
        {
            json.WriteString("filename", path);
        }
        WriteSummary(json, "summary", summary);
        json.WriteEndObject();
        json.Flush();
        return (text, summary);
    }

    private static void WriteFunctions(Utf8JsonWriter json, CoverageData data)
    {
        json.WriteStartArray("functions");
        foreach (var function in data.Functions)
        {
            json.WriteStartObject();
            WriteBranches(json, function.Branches, withFolded: false);
            json.WriteNumber("count", Clamp(function.Count));
            WriteFilenames(json, function);
            WriteDecisions(json, function.Decisions);
            json.WriteString("name", function.Name);
            WriteRegions(json, "regions", function.Regions);
            json.WriteEndObject();
            if (json.BytesPending > 1 << 16) json.Flush();
        }
        json.WriteEndArray();
    }

    private static void WriteExpansions(Utf8JsonWriter json, IReadOnlyList<Expansion> expansions)
    {
        json.WriteStartArray("expansions");
        foreach (var expansion in expansions)
        {
            json.WriteStartObject();
            WriteBranches(json, FileBuilder.NestedBranches(expansion), withFolded: false);
            WriteFilenames(json, expansion.Function);
            json.WritePropertyName("source_region");
            WriteRegion(json, expansion.Region);
            WriteRegions(json, "target_regions", expansion.Function.Regions);
            json.WriteEndObject();
        }
        json.WriteEndArray();
    }

    private static void WriteFilenames(Utf8JsonWriter json, FunctionCoverage function)
    {
        json.WriteStartArray("filenames");
        foreach (var file in function.Files) json.WriteStringValue(file);
        json.WriteEndArray();
    }

    private static void WriteBranches(Utf8JsonWriter json, IReadOnlyList<CountedRegion> branches, bool withFolded)
    {
        json.WriteStartArray("branches");
        foreach (var branch in branches)
        {
            if (branch.IsFolded && !withFolded) continue;
            json.WriteStartArray();
            WritePlace(json, branch);
            json.WriteNumberValue(Clamp(branch.Count));
            json.WriteNumberValue(Clamp(branch.FalseCount));
            WriteKind(json, branch);
            json.WriteEndArray();
        }
        json.WriteEndArray();
    }

    private static void WriteRegions(Utf8JsonWriter json, string name, CountedRegion[] regions)
    {
        json.WriteStartArray(name);
        foreach (ref readonly var region in regions.AsSpan()) WriteRegion(json, region);
        json.WriteEndArray();
    }

    private static void WriteRegion(Utf8JsonWriter json, in CountedRegion region)
    {
        json.WriteStartArray();
        WritePlace(json, region);
        json.WriteNumberValue(Clamp(region.Count));
        WriteKind(json, region);
        json.WriteEndArray();
    }

    private static void WritePlace(Utf8JsonWriter json, in CountedRegion region)
    {
        json.WriteNumberValue(region.StartLine);
        json.WriteNumberValue(region.StartColumn);
        json.WriteNumberValue(region.EndLine);
        json.WriteNumberValue(Column(region.EndColumn));
    }

    private static void WriteKind(Utf8JsonWriter json, in CountedRegion region)
    {
        json.WriteNumberValue(region.File);
        json.WriteNumberValue(region.ExpandedFile);
        json.WriteNumberValue((int)region.Kind);
    }

    private static void WriteDecisions(Utf8JsonWriter json, IReadOnlyList<Decision> decisions)
    {
        json.WriteStartArray("mcdc_records");
        foreach (var decision in decisions)
        {
            json.WriteStartArray();
            WritePlace(json, decision.Region);
            json.WriteNumberValue(decision.TrueVectors);
            json.WriteNumberValue(decision.Vectors.Length - decision.TrueVectors);
            WriteKind(json, decision.Region);
            json.WriteStartArray();
            foreach (var condition in decision.Conditions) json.WriteBooleanValue(condition.Pair != null);
            json.WriteEndArray();
            WriteVectors(json, decision.Vectors);
            json.WriteEndArray();
        }
        json.WriteEndArray();
    }

    private static void WriteVectors(Utf8JsonWriter json, TestVector[] vectors)
    {
        json.WriteStartArray();
        foreach (var vector in vectors)
        {
            json.WriteStartObject();
            json.WriteStartArray("conditions");
            foreach (var value in vector.Values)
                if (value is { } known) json.WriteBooleanValue(known);
                else json.WriteNullValue();
            json.WriteEndArray();
            json.WriteBoolean("executed", true);
            json.WriteBoolean("result", vector.Result);
            json.WriteEndObject();
        }
        json.WriteEndArray();
    }

    private static void WriteSegments(Utf8JsonWriter json, IReadOnlyList<Segment> segments)
    {
        json.WriteStartArray("segments");
        foreach (var segment in segments)
        {
            json.WriteStartArray();
            json.WriteNumberValue(segment.Line);
            json.WriteNumberValue(Column(segment.Column));
            json.WriteNumberValue(Clamp(segment.Count));
            json.WriteBooleanValue(segment.HasCount);
            json.WriteBooleanValue(segment.IsRegionEntry);
            json.WriteBooleanValue(segment.IsGap);
            json.WriteEndArray();
        }
        json.WriteEndArray();
    }

    private static void WriteSummary(Utf8JsonWriter json, string name, CoverageSummary summary)
    {
        json.WriteStartObject(name);
        WriteRatio(json, "branches", summary.Branches, withNotCovered: true);
        WriteRatio(json, "functions", summary.Functions, withNotCovered: false);
        WriteRatio(json, "instantiations", summary.Instantiations, withNotCovered: false);
        WriteRatio(json, "lines", summary.Lines, withNotCovered: false);
        WriteRatio(json, "mcdc", summary.Mcdc, withNotCovered: true);
        WriteRatio(json, "regions", summary.Regions, withNotCovered: true);
        json.WriteEndObject();
    }

    private static void WriteRatio(Utf8JsonWriter json, string name, Ratio ratio, bool withNotCovered)
    {
        json.WriteStartObject(name);
        json.WriteNumber("count", ratio.Count);
        json.WriteNumber("covered", ratio.Covered);
        if (withNotCovered) json.WriteNumber("notcovered", ratio.NotCovered);
        // 17 digits, as LLVM prints them, where .NET would print as few as tell it from its neighbours.
        json.WritePropertyName("percent");
        json.WriteRawValue(ratio.Percent.ToString("G17", CultureInfo.InvariantCulture).Replace('E', 'e'), skipInputValidation: true);
        json.WriteEndObject();
    }

    private static long Clamp(ulong count) => (long)ulong.Min(count, long.MaxValue);

    /// <summary>LLVM's number for the end of a line.</summary>
    private static long Column(int column) => column == int.MaxValue ? uint.MaxValue : column;
}
