using System.Diagnostics;

namespace Weft.Core;

/// <summary>How long each stage took and how much went through; one instance per lowering, added up for <c>--weft-timings</c>.</summary>
public sealed class Timings
{
    private readonly Dictionary<string, TimeSpan> stages = [];

    public IReadOnlyDictionary<string, TimeSpan> Stages => stages;

    public long InputBytes { get; private set; }

    public int Modules { get; private set; }

    public void CountInput(long bytes)
    {
        lock (stages) { InputBytes += bytes; Modules++; }
    }

    public Measurement Measure(string stage) => new(this, stage, Stopwatch.GetTimestamp());

    public void Add(string stage, TimeSpan time)
    {
        lock (stages) stages[stage] = stages.GetValueOrDefault(stage) + time;
    }

    public readonly struct Measurement(Timings owner, string stage, long start) : IDisposable
    {
        public void Dispose() => owner.Add(stage, Stopwatch.GetElapsedTime(start));
    }
}
