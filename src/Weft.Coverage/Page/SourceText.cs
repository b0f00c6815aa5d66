using System.Text;

namespace Weft.Coverage.Page;

/// <summary>Whether the text of a source file can be shown.</summary>
internal enum SourceState
{
    /// <summary>It is there, and no newer than the program.</summary>
    Known,

    /// <summary>It is there, but was written after the program was built.</summary>
    Changed,

    /// <summary>It cannot be read.</summary>
    Gone,
}

/// <summary>The text of a source file, and where the columns of a coverage map are in it: those count bytes, those of a page UTF-16.</summary>
internal sealed class SourceText
{
    // Nobody reads more than that, and browsers could not show it.
    private const long MostBytes = 64 << 20;

    private readonly byte[] bytes;
    private readonly int[] lineStarts; // empty if bytes and characters are the same

    private SourceText(SourceState state, byte[] bytes)
    {
        (State, this.bytes) = (state, bytes);
        lineStarts = Ascii.IsValid(bytes) ? [] : LineStarts(bytes);
    }

    public SourceState State { get; }

    /// <summary>Null if it is gone. What is no UTF-8 is U+FFFD.</summary>
    public string? Text => State == SourceState.Gone ? null : Encoding.UTF8.GetString(bytes);

    /// <param name="path">The file.</param>
    /// <param name="built">When the program was, if that is known.</param>
    public static SourceText Read(string path, DateTime? built)
    {
        try
        {
            var file = new FileInfo(path);
            // Nothing but plain files: to read a device or a pipe could take for ever.
            if (!file.Exists || file.Length > MostBytes || file.UnixFileMode == UnixFileMode.None) return new SourceText(SourceState.Gone, []);
            return new SourceText(file.LastWriteTimeUtc > built ? SourceState.Changed : SourceState.Known, File.ReadAllBytes(path));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or NotSupportedException)
        {
            return new SourceText(SourceState.Gone, []);
        }
    }

    /// <summary>A column as the page counts them, from 1.</summary>
    /// <param name="line">From 1.</param>
    /// <param name="column">From 1, in bytes.</param>
    public long Column(int line, int column)
    {
        if (column == int.MaxValue) return uint.MaxValue; // as LLVM writes the end of a line
        if (line < 1 || line > lineStarts.Length || column < 1) return column;
        var begin = lineStarts[line - 1];
        var end = line < lineStarts.Length ? lineStarts[line] : bytes.Length;
        var before = Math.Min(column - 1, end - begin);
        return Encoding.UTF8.GetCharCount(bytes, begin, before) + (column - 1 - before) + 1;
    }

    /// <summary>The same without a text, if columns do not need it.</summary>
    public SourceText ForColumns() => lineStarts.Length > 0 ? this : new SourceText(State, []);

    private static int[] LineStarts(byte[] bytes)
    {
        var starts = new List<int> { 0 };
        for (var i = 0; i < bytes.Length; i++)
            if (bytes[i] == '\n') starts.Add(i + 1);
        return [.. starts];
    }
}
