namespace Weft.Coverage.Export;

/// <summary>Paths of sources as reports show them.</summary>
public static class SourcePaths
{
    /// <summary>The folder that most reports' paths are relative to: the working directory if it has some of the files, else the one that has all.</summary>
    public static string Root(IReadOnlyList<string> files, string workingDirectory)
    {
        if (files.Any(f => IsWithin(workingDirectory, f))) return workingDirectory;
        var root = files.Count > 0 ? Path.GetDirectoryName(files[0]) ?? "/" : "/";
        foreach (var file in files)
            while (root.Length > 1 && !IsWithin(root, file)) root = Path.GetDirectoryName(root) ?? "/";
        return root.Length > 0 ? root : "/";
    }

    /// <summary>A path below <paramref name="root"/> without it; others as they are.</summary>
    public static string Relative(string root, string file) => root != "/" && IsWithin(root, file) ? file[(root.TrimEnd('/').Length + 1)..] : file;

    /// <summary>Text without what would end lines or is not allowed in XML.</summary>
    public static string Printable(string text) => text.AsSpan().IndexOfAnyInRange('\0', '\x1f') < 0 ? text : string.Concat(text.Select(c => c < ' ' ? '?' : c));

    private static bool IsWithin(string folder, string file) => file.StartsWith(folder.TrimEnd('/') + "/", StringComparison.Ordinal);
}
