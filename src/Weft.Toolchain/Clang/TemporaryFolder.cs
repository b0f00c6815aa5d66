using System.Runtime.InteropServices;
using Weft.Core;

namespace Weft.Toolchain.Clang;

/// <summary>A folder of this process's own for what lies between the steps; gone at the end, also when the build is interrupted.</summary>
internal sealed class TemporaryFolder : IDisposable
{
    private readonly List<PosixSignalRegistration> registrations = [];
    private int files;

    public TemporaryFolder()
    {
        try
        {
            Path = Directory.CreateTempSubdirectory("weft-cc-").FullName;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new WeftException($"cannot create a temporary folder: {e.Message}", "check TMPDIR, and the free space there", ExitCode.Failure, e);
        }
        foreach (var signal in (PosixSignal[])[PosixSignal.SIGINT, PosixSignal.SIGTERM, PosixSignal.SIGHUP])
            registrations.Add(PosixSignalRegistration.Create(signal, _ => Delete())); // and then the signal ends the process as ever
    }

    public string Path { get; }

    /// <summary>A new name that ends in the given one: two inputs may be called the same.</summary>
    public string File(string name) => System.IO.Path.Combine(Path, $"{Interlocked.Increment(ref files)}-{name}");

    public bool Contains(string path) => path.StartsWith(Path + "/", StringComparison.Ordinal);

    public void Dispose()
    {
        foreach (var registration in registrations) registration.Dispose();
        Delete();
    }

    private void Delete()
    {
        try { Directory.Delete(Path, recursive: true); }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException) { /* best effort: nothing there is read again */ }
    }
}
