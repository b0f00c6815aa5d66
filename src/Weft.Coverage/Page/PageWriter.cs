using System.Globalization;
using System.Text.Encodings.Web;
using System.Text.Json;
using Weft.Coverage.Model;

namespace Weft.Coverage.Page;

/// <summary>Shapes that all data of a page are made of; docs/coverage-page.md describes them.</summary>
internal static class PageWriter
{
    // What JavaScript's numbers can tell apart; larger ones are text.
    private const ulong MostExact = (1UL << 53) - 1;

    // Base64 keeps all of it apart from HTML.
    public static Utf8JsonWriter Create(Stream output) => new(output, new JsonWriterOptions { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping, SkipValidation = true });

    public static void Count(Utf8JsonWriter json, ulong count)
    {
        if (count <= MostExact) json.WriteNumberValue(count);
        else json.WriteStringValue(count.ToString(CultureInfo.InvariantCulture));
    }

    public static void Ratio(Utf8JsonWriter json, string name, Ratio ratio)
    {
        json.WriteStartArray(name);
        json.WriteNumberValue(ratio.Covered);
        json.WriteNumberValue(ratio.Count);
        json.WriteEndArray();
    }

    public static void Summary(Utf8JsonWriter json, CoverageSummary summary)
    {
        Ratio(json, "lines", summary.Lines);
        Ratio(json, "functions", summary.Functions);
        Ratio(json, "instantiations", summary.Instantiations);
        Ratio(json, "regions", summary.Regions);
        Ratio(json, "branches", summary.Branches);
        Ratio(json, "mcdc", summary.Mcdc);
    }

    public static void Place(Utf8JsonWriter json, SourceText source, in CountedRegion region)
    {
        json.WriteNumberValue(region.StartLine);
        json.WriteNumberValue(source.Column(region.StartLine, region.StartColumn));
        json.WriteNumberValue(region.EndLine);
        json.WriteNumberValue(source.Column(region.EndLine, region.EndColumn));
    }

    public static void Segments(Utf8JsonWriter json, SourceText source, IReadOnlyList<Segment> segments)
    {
        json.WriteStartArray("segments");
        foreach (var segment in segments)
        {
            json.WriteStartArray();
            json.WriteNumberValue(segment.Line);
            json.WriteNumberValue(source.Column(segment.Line, segment.Column));
            Count(json, segment.Count);
            json.WriteNumberValue((segment.HasCount ? 1 : 0) + (segment.IsRegionEntry ? 2 : 0) + (segment.IsGap ? 4 : 0));
            json.WriteEndArray();
        }
        json.WriteEndArray();
    }

    /// <summary>Those of one place, in several instantiations, are added up.</summary>
    public static void Branches(Utf8JsonWriter json, SourceText source, IEnumerable<CountedRegion> branches)
    {
        json.WriteStartArray("branches");
        foreach (var same in branches.GroupBy(b => (b.Start, b.End)).OrderBy(g => g.Key))
        {
            var first = same.First();
            var (whenTrue, whenFalse) = (0UL, 0UL);
            var (neverTrue, neverFalse) = (true, true);
            foreach (var branch in same)
            {
                (whenTrue, whenFalse) = (whenTrue + branch.Count, whenFalse + branch.FalseCount);
                (neverTrue, neverFalse) = (neverTrue && branch.IsNeverTrue, neverFalse && branch.IsNeverFalse);
            }
            json.WriteStartArray();
            Place(json, source, first);
            Count(json, whenTrue);
            Count(json, whenFalse);
            json.WriteNumberValue((neverTrue ? 1 : 0) + (neverFalse ? 2 : 0));
            json.WriteEndArray();
        }
        json.WriteEndArray();
    }
}
