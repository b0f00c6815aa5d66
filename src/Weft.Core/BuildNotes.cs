namespace Weft.Core;

/// <summary>
/// What instruments explain of the code they wove, for a person. It goes to stderr; below cargo, where rustc keeps what a link
/// says to itself, into a folder that <c>weft cargo</c> names and prints when cargo is done.
/// </summary>
public static class BuildNotes
{
    /// <summary>The environment variable with the folder's path. Whoever writes first makes the folder.</summary>
    public const string FolderVariable = "__WEFT_NOTES";

    private static readonly Lock Gate = new();

    public static string NewFolderName() => Path.Combine(Path.GetTempPath(), $"weft-notes-{Guid.NewGuid():N}");

    public static void Write(string text)
    {
        var folder = Environment.GetEnvironmentVariable(FolderVariable);
        lock (Gate)
        {
            if (string.IsNullOrEmpty(folder))
            {
                Console.Error.Write(text);
                return;
            }
            Directory.CreateDirectory(folder);
            File.AppendAllText(Path.Combine(folder, $"{Environment.ProcessId}.txt"), text);
        }
    }

    /// <summary>Prints and removes what was written, if anything was.</summary>
    public static void Print(string folder)
    {
        if (!Directory.Exists(folder)) return;
        foreach (var file in new DirectoryInfo(folder).GetFiles().OrderBy(f => f.LastWriteTimeUtc)) Console.Error.Write(File.ReadAllText(file.FullName));
        Directory.Delete(folder, recursive: true);
    }
}
