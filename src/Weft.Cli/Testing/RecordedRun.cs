using Weft.Core;
using Weft.Coverage.PerTest;
using Weft.Toolchain.Cargo;

namespace Weft.Cli.Testing;

/// <summary>Tests that run now: a folder for the profiles of each, and what they come to.</summary>
internal sealed class RecordedRun : IDisposable
{
    private readonly string store;
    private readonly string scratch;
    private readonly TestRecorder recorder;
    private int folders;

    /// <param name="store">Where the map of tests is to be.</param>
    /// <param name="objects">Binaries that programs do not name in their profiles.</param>
    public RecordedRun(string store, IReadOnlyList<string>? objects = null)
    {
        this.store = store;
        scratch = Path.Combine(store, $"{ProfileFolder.Unfinished}{System.Environment.ProcessId}");
        recorder = new TestRecorder(objects ?? []);
        Environment["LLVM_PROFILE_FILE"] = null;
    }

    /// <summary>What is different for all tests; null takes away.</summary>
    public Dictionary<string, string?> Environment { get; } = [];

    public string NewFolder() => Path.Combine(scratch, $"{Interlocked.Increment(ref folders)}");

    /// <summary>Variables for a test whose profiles go to a folder.</summary>
    public Dictionary<string, string?> EnvironmentOf(string folder) => new(Environment) { [ProfileFolder.Variable] = folder };

    /// <summary>A test has run.</summary>
    public void Add(string program, string name, TestKind kind, bool passed, string folder)
    {
        List<string> profiles = Directory.Exists(folder) ? [.. Directory.EnumerateFiles(folder, "*.profraw", SearchOption.AllDirectories).Order(StringComparer.Ordinal)] : [];
        recorder.Add(program, name, kind, passed, profiles);
        foreach (var profile in profiles) AtomicFile.TryDelete(profile);
    }

    /// <summary>Puts all tests into the map; says what is not as it should be.</summary>
    public void Save()
    {
        foreach (var warning in recorder.Warnings.Distinct()) Terminal.Warning(warning);
        TestStore.Add(store, recorder);
    }

    public void Dispose()
    {
        recorder.Dispose();
        try { if (Directory.Exists(scratch)) Directory.Delete(scratch, recursive: true); }
        catch (IOException) { /* a process that a test left behind still writes there; the next run removes it */ }
    }
}
