namespace Weft.Core;

/// <summary>Files that are whole or absent: written beside their place, then renamed over it.</summary>
public static class AtomicFile
{
    public static void Write(string path, ReadOnlySpan<byte> content)
    {
        var temporary = $"{path}.weft-{Environment.ProcessId}-{Environment.CurrentManagedThreadId}";
        try
        {
            using (var file = new FileStream(temporary, FileMode.Create, FileAccess.Write, FileShare.None, bufferSize: 0)) file.Write(content);
            File.Move(temporary, path, overwrite: true);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            TryDelete(temporary);
            throw new WeftException($"cannot write '{path}': {e.Message}", "check free space and permissions of that folder; nothing was left half-written", ExitCode.Failure, e);
        }
    }

    public static byte[] Read(string path)
    {
        try
        {
            return File.ReadAllBytes(path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new WeftException($"cannot read '{path}': {e.Message}", null, ExitCode.Failure, e);
        }
    }

    public static void TryDelete(string path)
    {
        try { File.Delete(path); }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException) { /* best effort: a leftover temporary is never read */ }
    }
}
