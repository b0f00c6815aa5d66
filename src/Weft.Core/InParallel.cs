using System.Runtime.ExceptionServices;

namespace Weft.Core;

/// <summary>The same done to many things, on all processors.</summary>
public static class InParallel
{
    /// <summary>Results in the order of the things; if several fail, the first of those in that order is told.</summary>
    public static TResult[] Map<T, TResult>(IReadOnlyList<T> things, Func<T, TResult> map)
    {
        if (things.Count < 2) return [.. things.Select(map)]; // starting the thread pool costs more
        var results = new TResult[things.Count];
        var failures = new ExceptionDispatchInfo?[things.Count];
        Parallel.For(0, things.Count, i =>
        {
            try
            {
                results[i] = map(things[i]);
            }
            catch (WeftException e)
            {
                failures[i] = ExceptionDispatchInfo.Capture(e);
            }
        });
        Array.Find(failures, f => f != null)?.Throw();
        return results;
    }
}
