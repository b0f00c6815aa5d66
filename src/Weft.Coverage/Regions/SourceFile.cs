namespace Weft.Coverage.Regions;

/// <summary>A file of source text, with its lines.</summary>
/// <param name="path">As the compiler names it.</param>
/// <param name="text">Its bytes.</param>
/// <param name="isSystem">Whether the compiler counts it among the system's headers, which have no coverage.</param>
public sealed class SourceFile(string path, byte[] text, bool isSystem = false)
{
    private readonly List<int> lineStarts = LineStarts(text);

    public string Path { get; } = path;

    public byte[] Text { get; } = text;

    public bool IsSystem { get; } = isSystem;

    public int LineCount => lineStarts.Count;

    /// <summary>Line and column of an offset; both begin at 1, columns count bytes.</summary>
    public (int Line, int Column) Position(int offset)
    {
        var index = lineStarts.BinarySearch(offset);
        if (index < 0) index = ~index - 1;
        return (index + 1, offset - lineStarts[index] + 1);
    }

    /// <summary>Offset of the first byte of a line, which begins at 1.</summary>
    public int LineStart(int line) => lineStarts[line - 1];

    private static List<int> LineStarts(byte[] text)
    {
        var starts = new List<int> { 0 };
        for (var i = 0; i < text.Length; i++)
            if (text[i] == '\n')
                starts.Add(i + 1);
        return starts;
    }
}
