using System.Text;

namespace Weft.Metering;

/// <summary>The text of source files, as far as they are where they were compiled.</summary>
internal sealed class SourceLines
{
    // Nobody reads more than that.
    private const long MostBytes = 16 << 20;

    private readonly Dictionary<string, string[]> files = [];

    /// <summary>A line; null if it is not there.</summary>
    public string? this[string file, int line] => Of(file) is var lines && line >= 1 && line <= lines.Length ? lines[line - 1] : null;

    private string[] Of(string path)
    {
        if (!files.TryGetValue(path, out var lines)) files[path] = lines = Read(path);
        return lines;
    }

    private static string[] Read(string path)
    {
        try
        {
            var file = new FileInfo(path);
            // Nothing but plain files, which have a length: to read a device or a pipe could take for ever.
            return file.Exists && file.Length is > 0 and <= MostBytes ? File.ReadAllLines(path, Encoding.UTF8) : [];
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or NotSupportedException or ArgumentException)
        {
            return [];
        }
    }
}
