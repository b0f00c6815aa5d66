using System.Collections.Concurrent;

namespace Weft.Coverage.Page;

/// <summary>Source files. Those that macros are from are asked for again and again, so they are kept.</summary>
internal sealed class PageSources(DateTime? built)
{
    private readonly ConcurrentDictionary<string, SourceText> kept = new(StringComparer.Ordinal);

    public SourceText Read(string path) => SourceText.Read(path, built);

    public SourceText Shared(string path) => kept.GetOrAdd(path, p => SourceText.Read(p, built).ForColumns());
}
