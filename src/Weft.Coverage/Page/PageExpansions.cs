using System.Text.Json;
using Weft.Core;
using Weft.Coverage.Model;

namespace Weft.Coverage.Page;

/// <summary>
/// What macros and includes became, each at its use: the lines of the definition with the counts of this use. Uses at one place,
/// in several instantiations, are added up.
/// </summary>
internal static class PageExpansions
{
    // More would not be read, and JSON has to end somewhere.
    private const int MostDepth = 24;

    public static void Write(Utf8JsonWriter json, PageSources sources, SourceText source, IEnumerable<Expansion> expansions) =>
        Write(json, sources, source, [.. expansions.Select(e => new Use(e.Function, e.Region))], depth: 0);

    private static void Write(Utf8JsonWriter json, PageSources sources, SourceText source, List<Use> uses, int depth)
    {
        json.WriteStartArray("expansions");
        foreach (var same in uses.GroupBy(u => (u.Region.Start, u.Region.End)).OrderBy(g => g.Key))
        {
            var first = same.First();
            var path = first.Function.Files[first.Region.ExpandedFile];
            var target = sources.Shared(path);
            json.WriteStartObject();
            json.WriteStartArray("at");
            PageWriter.Place(json, source, first.Region);
            json.WriteEndArray();
            json.WriteString("path", HtmlPage.Printable(path));
            var segments = new SegmentBuilder();
            foreach (var use in same)
                foreach (var region in use.Function.Regions)
                    if (region.File == use.Region.ExpandedFile) segments.Add(region);
            PageWriter.Segments(json, target, segments.Build());
            PageWriter.Branches(json, target, same.SelectMany(u => u.Function.Branches.Where(b => b.File == u.Region.ExpandedFile)));
            if (depth < MostDepth) Write(json, sources, target, [.. same.SelectMany(Inner)], depth + 1);
            json.WriteEndObject();
        }
        json.WriteEndArray();
    }

    private static IEnumerable<Use> Inner(Use use)
    {
        foreach (var region in use.Function.Regions)
            if (region.Kind == RegionKind.Expansion && region.File == use.Region.ExpandedFile) yield return new Use(use.Function, region);
    }

    private readonly record struct Use(FunctionCoverage Function, CountedRegion Region);
}
