namespace Weft.Core;

/// <summary>Files that are whole or absent: written beside their place, then renamed over it.</summary>
public static class AtomicFile
{
    /// <summary>Writes what is in memory: see the other overload.</summary>
    public static void Write(string path, byte[] content) => Write(path, stream => stream.Write(content));

    /// <summary>For what does not fit in memory. Devices and the like, which nothing should be renamed over, are written to directly.</summary>
    /// <param name="path">The file.</param>
    /// <param name="write">Gets a stream without a buffer. What it throws leaves no file behind; an <see cref="IOException"/> is taken for one of writing.</param>
    public static void Write(string path, Action<Stream> write)
    {
        var isDevice = Path.GetFullPath(path).StartsWith("/dev/", StringComparison.Ordinal);
        var destination = isDevice ? path : Temporary(path);
        var whole = false;
        try
        {
            using (var file = new FileStream(destination, isDevice ? FileMode.Open : FileMode.Create, FileAccess.Write, FileShare.Read, bufferSize: 0)) write(file);
            if (!isDevice) File.Move(destination, path, overwrite: true);
            whole = true;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw Failed(path, e);
        }
        finally
        {
            if (!whole && !isDevice) TryDelete(destination);
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

    private static string Temporary(string path) => $"{path}.weft-{Environment.ProcessId}-{Environment.CurrentManagedThreadId}";

    private static WeftException Failed(string path, Exception e) =>
        new($"cannot write '{path}': {e.Message}", "check free space and permissions of that folder; nothing was left half-written", ExitCode.Failure, e);
}
