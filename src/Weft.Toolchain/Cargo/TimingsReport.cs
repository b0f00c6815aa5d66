using System.Diagnostics;
using System.Text.Json;
using Weft.Core;

namespace Weft.Toolchain.Cargo;

/// <summary>Adds up what the wrappers of one build measured.</summary>
internal static class TimingsReport
{
    /// <summary>Leaves what one wrapper measured in a file of its own.</summary>
    public static void Leave(string folder, Timings timings, int hits)
    {
        var line = new TimingsLine(timings.Stages, timings.InputBytes, timings.Modules, hits, Process.GetCurrentProcess().PeakWorkingSet64);
        AtomicFile.Write(Path.Combine(folder, $"{Environment.ProcessId}.json"), JsonSerializer.SerializeToUtf8Bytes(line, PlanJson.Default.TimingsLine));
    }

    public static void Print(string folder)
    {
        var lines = Directory.EnumerateFiles(folder, "*.json").Select(f => JsonSerializer.Deserialize(File.ReadAllBytes(f), PlanJson.Default.TimingsLine)!).ToList();
        Directory.Delete(folder, recursive: true);
        if (lines.Count == 0) return;
        var total = lines.Sum(l => l.Stages.Values.Sum());
        Terminal.Status("Lowered", $"{lines.Sum(l => l.Modules)} modules, {lines.Sum(l => l.Bytes) / 1e6:F1} MB of bitcode, {total / 1000:F2} s of work, {lines.Sum(l => l.Hits)} from the cache, {lines.Max(l => l.PeakMemory) / 1e6:F0} MB of memory in the largest process");
        foreach (var stage in lines.SelectMany(l => l.Stages).GroupBy(s => s.Key).OrderByDescending(g => g.Sum(s => s.Value)))
            Terminal.Status("", $"{stage.Key,-12} {stage.Sum(s => s.Value) / 1000,8:F2} s {(total > 0 ? stage.Sum(s => s.Value) / total * 100 : 0),6:F1} %");
    }
}
