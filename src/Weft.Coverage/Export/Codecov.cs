using System.Text.Json;
using Weft.Coverage.Model;

namespace Weft.Coverage.Export;

/// <summary>
/// Codecov's custom coverage format, as cargo-llvm-cov writes it: for each line how many of the regions on it ran, as
/// <c>"ran/all"</c>, where regions of one place in several instantiations are one.
/// </summary>
public static class Codecov
{
    public static void Write(Stream output, CoverageData data, IReadOnlyList<string> files, ExportOptions options)
    {
        using var json = new Utf8JsonWriter(output, new JsonWriterOptions { Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping });
        json.WriteStartObject();
        json.WriteStartObject("coverage");
        foreach (var (path, lines) in files.AsParallel().AsOrdered().WithMergeOptions(ParallelMergeOptions.NotBuffered).Select(path => (path, Lines(data, path))))
        {
            json.WriteStartObject(path);
            foreach (var (line, ratio) in lines) json.WriteString($"{line}", $"{ratio.Covered}/{ratio.Count}");
            json.WriteEndObject();
        }
        json.WriteEndObject();
        json.WriteEndObject();
    }

    private static SortedDictionary<int, Ratio> Lines(CoverageData data, string path)
    {
        var hasRun = new Dictionary<(ulong Start, ulong End), bool>();
        foreach (var function in data.FunctionsOf(path))
            foreach (ref readonly var region in function.Regions.AsSpan())
            {
                if (region.Kind is not (RegionKind.Code or RegionKind.Expansion) || function.Files[region.File] != path) continue;
                hasRun[(region.Start, region.End)] = region.Count > 0 || hasRun.GetValueOrDefault((region.Start, region.End));
            }
        var withCode = data.File(path).Lines.Select(l => l.Line).ToHashSet();
        var lines = new SortedDictionary<int, Ratio>();
        foreach (var ((start, end), ran) in hasRun)
            for (var line = (int)(start >> 32); line <= (int)(end >> 32); line++)
                if (withCode.Contains(line)) lines[line] = lines.GetValueOrDefault(line) + new Ratio(1, ran ? 1 : 0);
        return lines;
    }
}
