using System.Text;
using System.Text.Json;
using Weft.Core;

namespace Weft.Toolchain.Cargo;

/// <summary>Adds up what the wrappers of one build measured.</summary>
internal static class TimingsReport
{
    /// <summary>Appends one line; a write of this size to a file opened for appending is not interleaved with others.</summary>
    public static void Append(string file, Timings timings, int hits)
    {
        var line = new TimingsLine(timings.Stages.ToDictionary(s => s.Key, s => s.Value.TotalMilliseconds), timings.InputBytes, timings.Modules, hits);
        using var stream = new FileStream(file, FileMode.Append, FileAccess.Write, FileShare.ReadWrite, bufferSize: 0);
        stream.Write(Encoding.UTF8.GetBytes(JsonSerializer.Serialize(line, PlanJson.Default.TimingsLine) + "\n"));
    }

    public static void Print(string file)
    {
        if (!File.Exists(file)) return;
        var lines = File.ReadLines(file).Select(l => JsonSerializer.Deserialize(l, PlanJson.Default.TimingsLine)!).ToList();
        AtomicFile.TryDelete(file);
        var total = lines.Sum(l => l.Stages.Values.Sum());
        Terminal.Status("Lowered", $"{lines.Sum(l => l.Modules)} modules, {lines.Sum(l => l.Bytes) / 1e6:F1} MB of bitcode, {total / 1000:F2} s of work, {lines.Sum(l => l.Hits)} from the cache");
        foreach (var stage in lines.SelectMany(l => l.Stages).GroupBy(s => s.Key).OrderByDescending(g => g.Sum(s => s.Value)))
            Terminal.Status("", $"{stage.Key,-12} {stage.Sum(s => s.Value) / 1000,8:F2} s {(total > 0 ? stage.Sum(s => s.Value) / total * 100 : 0),6:F1} %");
    }
}
