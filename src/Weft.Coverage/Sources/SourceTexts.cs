using System.Collections.Concurrent;

namespace Weft.Coverage.Sources;

/// <summary>Source files, each read once. May be used by several threads at once.</summary>
public sealed class SourceTexts
{
    private readonly ConcurrentDictionary<string, SourceText?> texts = [];

    /// <summary>Null if there is no such file, or it cannot be read.</summary>
    public SourceText? Find(string path) => texts.GetOrAdd(path, Read);

    private static SourceText? Read(string path)
    {
        try { return File.Exists(path) ? new SourceText(File.ReadAllBytes(path), File.GetLastWriteTimeUtc(path)) : null; }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException) { return null; }
    }
}
