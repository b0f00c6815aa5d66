using System.Diagnostics;

namespace Weft.Core;

/// <summary>How long each stage took and how much went through; one instance per lowering, added up for <c>--weft-timings</c>.</summary>
public sealed class Timings
{
    // Stopwatch ticks, not TimeSpan: dictionaries of longs are compiled ahead of time, and this runs in every wrapper.
    private readonly Dictionary<string, long> ticks = [];

    /// <summary>Milliseconds by stage.</summary>
    public IReadOnlyDictionary<string, double> Stages => ticks.ToDictionary(s => s.Key, s => Stopwatch.GetElapsedTime(0, s.Value).TotalMilliseconds);

    public long InputBytes { get; private set; }

    public int Modules { get; private set; }

    public void CountInput(long bytes)
    {
        lock (ticks) { InputBytes += bytes; Modules++; }
    }

    public Measurement Measure(string stage) => new(this, stage, Stopwatch.GetTimestamp());

    /// <summary>Adds what another instance measured.</summary>
    public void Add(Timings other)
    {
        foreach (var (stage, time) in other.ticks) Add(stage, time);
    }

    private void Add(string stage, long time)
    {
        lock (ticks)
        {
            ticks.TryGetValue(stage, out var before);
            ticks[stage] = before + time;
        }
    }

    public readonly struct Measurement(Timings owner, string stage, long start) : IDisposable
    {
        public void Dispose() => owner.Add(stage, Stopwatch.GetTimestamp() - start);
    }
}
