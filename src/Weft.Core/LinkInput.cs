namespace Weft.Core;

/// <summary>An object or archive that goes into a link, in memory. Whoever reads a build again and again has the same instance as long as the file is the same.</summary>
/// <param name="path">What messages call it.</param>
/// <param name="content">Of the file, lowered.</param>
public sealed class LinkInput(string path, byte[] content)
{
    public string Path { get; } = path;

    public byte[] Content { get; } = content;

    public static LinkInput Read(string path) => new(path, AtomicFile.Read(path));
}
