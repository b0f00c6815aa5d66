using System.Collections.Concurrent;
using Weft.Coverage.Sources;

namespace Weft.Coverage.Page;

/// <summary>Source files. Those that macros are from are asked for again and again, so they are kept.</summary>
internal sealed class PageSources(DateTime? built, PathEquivalence paths)
{
    private readonly ConcurrentDictionary<string, SourceText> kept = new(StringComparer.Ordinal);

    // A source that is not where it was built has a time of its own.
    public SourceText Read(string path) => SourceText.Read(path, paths.HasMoved(path) ? null : built);

    public SourceText Shared(string path) => kept.GetOrAdd(path, p => Read(p).ForColumns());
}
