namespace Weft.Tracing;

/// <summary>Threads side by side.</summary>
public static class Timeline
{
    /// <summary>What threads have, in the order of time. A thread is opened when its time comes, so that memory is spent on those that run at once.</summary>
    /// <param name="filter">Whose threads.</param>
    /// <param name="read">What a thread has, in the order of time and nothing before its first event.</param>
    /// <param name="time">Of one of these.</param>
    public static IEnumerable<T> Merge<T>(CallFilter filter, Func<TraceThread, IEnumerable<T>> read, Func<T, long> time)
    {
        var waiting = new Queue<(TraceThread Thread, long Start)>(filter.Threads.Select(t => (t, Start(filter.Source, t))).OrderBy(t => t.Item2));
        var running = new PriorityQueue<IEnumerator<T>, (long Time, int Thread)>();
        while (true)
        {
            while (waiting.TryPeek(out var next) && (!running.TryPeek(out _, out var first) || next.Start <= first.Time))
            {
                waiting.Dequeue();
                var begun = read(next.Thread).GetEnumerator();
                if (begun.MoveNext()) running.Enqueue(begun, (time(begun.Current), next.Thread.Index));
            }
            if (!running.TryDequeue(out var thread, out var key)) yield break;
            var until = Math.Min(waiting.TryPeek(out var later) ? later.Start : long.MaxValue, running.TryPeek(out _, out var other) ? other.Time : long.MaxValue);
            var goesOn = true;
            while (goesOn)
            {
                yield return thread.Current;
                goesOn = thread.MoveNext();
                if (goesOn && time(thread.Current) >= until) break;
            }
            if (goesOn) running.Enqueue(thread, key with { Time = time(thread.Current) });
            else thread.Dispose();
        }
    }

    private static long Start(ITraceSource source, TraceThread thread)
    {
        foreach (var read in source.Read(thread)) return read.Time;
        return 0;
    }
}
