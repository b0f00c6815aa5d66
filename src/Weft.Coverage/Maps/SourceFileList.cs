using System.Text;

namespace Weft.Coverage.Maps;

/// <summary>The files of a compilation: from version 6 (stored as 5) on, the first is its working directory, which others may be relative to.</summary>
internal static class SourceFileList
{
    private const int WithDirectory = 5;

    /// <param name="blob">How many they are, and their names, compressed or not.</param>
    /// <param name="version">As stored.</param>
    public static string[] Read(ReadOnlySpan<byte> blob, int version)
    {
        const string what = "a list of files";
        var reader = new ByteReader(blob);
        var count = reader.Leb(what, int.MaxValue);
        if (count == 0) throw new DamageException($"{what} has none");
        var names = new ByteReader(reader.Compressible(what));
        if (count > names.Left) throw new DamageException($"{what} is cut short");
        var files = new string[count];
        for (var i = 0; i < count; i++)
        {
            var name = Encoding.UTF8.GetString(names.Take(names.Leb(what), what));
            files[i] = i == 0 || version < WithDirectory || name.StartsWith('/') ? name : Join(files[0], name);
        }
        return files;
    }

    /// <summary>A path without "." and ".."; as LLVM's remove_dots does it, a relative path keeps those it begins with.</summary>
    private static string Join(string directory, string name)
    {
        var isAbsolute = directory.StartsWith('/');
        var parts = new List<string>();
        foreach (var part in $"{directory}/{name}".Split('/', StringSplitOptions.RemoveEmptyEntries))
        {
            if (part == ".") continue;
            if (part != "..") parts.Add(part);
            else if (parts.Count > 0 && parts[^1] != "..") parts.RemoveAt(parts.Count - 1);
            else if (!isAbsolute) parts.Add(part);
        }
        return (isAbsolute ? "/" : "") + string.Join('/', parts);
    }
}
