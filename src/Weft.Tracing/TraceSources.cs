using Microsoft.Win32.SafeHandles;
using Weft.Core;

namespace Weft.Tracing;

/// <summary>Opens traces of every format there is.</summary>
public static class TraceSources
{
    private const string HowToRecord = "a program built --with tracing writes one: weft cc --with=tracing, or weft cargo run --with tracing";

    // A new format: one line here.
    private static readonly (Recogniser Recognises, Opener Open)[] Formats =
    [
        (TraceFile.Recognises, (handle, path, demangle, _) => TraceFile.Open(handle, path, demangle)),
        (XRayLog.Recognises, XRayLog.Open),
    ];

    private delegate bool Recogniser(ReadOnlySpan<byte> start);

    private delegate ITraceSource Opener(SafeFileHandle handle, string path, Func<string, string> demangle, string? program);

    /// <param name="path">A file.</param>
    /// <param name="demangle">For functions that the trace names by their symbols only.</param>
    /// <param name="program">The executable, for formats that do not hold the names of functions.</param>
    /// <exception cref="WeftException">There is none, it cannot be read, or it is not a trace.</exception>
    public static ITraceSource Open(string path, Func<string, string>? demangle = null, string? program = null)
    {
        var handle = OpenFile(path);
        try
        {
            return Recognise(handle, path, demangle ?? (symbol => symbol), program);
        }
        catch
        {
            handle.Dispose();
            throw;
        }
    }

    private static ITraceSource Recognise(SafeFileHandle handle, string path, Func<string, string> demangle, string? program)
    {
        Span<byte> start = stackalloc byte[32];
        start = start[..ReadStart(handle, start, path)];
        foreach (var format in Formats)
            if (format.Recognises(start)) return format.Open(handle, path, demangle, program);
        throw start.Length == 0
            ? new WeftException($"'{path}' is empty", "the program that was to write it has not begun, or found no room to; run it again")
            : new WeftException($"'{path}' is not a trace", HowToRecord);
    }

    private static SafeFileHandle OpenFile(string path)
    {
        if (Directory.Exists(path)) throw new WeftException($"'{path}' is a folder", "name a trace in it");
        try
        {
            return File.OpenHandle(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            throw new WeftException($"there is no trace '{path}'", HowToRecord, ExitCode.Failure, e);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ArgumentException or NotSupportedException)
        {
            throw new WeftException($"cannot read '{path}': {e.Message}", "check its permissions", ExitCode.Failure, e);
        }
    }

    private static int ReadStart(SafeFileHandle handle, Span<byte> start, string path)
    {
        try
        {
            RandomAccess.GetLength(handle);
            return RandomAccess.Read(handle, start, 0);
        }
        catch (Exception e) when (e is IOException or NotSupportedException)
        {
            throw new WeftException($"'{path}' is not a file whose parts can be read in any order", "save it to a file first", ExitCode.Failure, e);
        }
    }
}
