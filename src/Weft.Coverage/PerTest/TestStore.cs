using Weft.Core;
using Weft.Coverage.Profiles;

namespace Weft.Coverage.PerTest;

/// <summary>
/// The files of per-test coverage in a folder of profiles: the map, and the sum of all tests as an ordinary profile. Programs that
/// end at the same time add to it one after the other.
/// </summary>
public static class TestStore
{
    public const string MapName = "tests.weftmap", ProfileName = "tests.profdata";

    private const string LockName = "tests.lock";
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(5);

    /// <summary>Adds tests; those that are there already are replaced, and their counts added.</summary>
    /// <exception cref="WeftException">What is there cannot be read, or nothing can be written.</exception>
    public static void Add(string folder, TestRecorder recorded)
    {
        Directory.CreateDirectory(folder);
        using var exclusive = Lock(Path.Combine(folder, LockName));
        var (map, profile) = (Path.Combine(folder, MapName), Path.Combine(folder, ProfileName));
        var builder = new TestMapBuilder();
        if (File.Exists(map)) builder.Add(TestMapFile.Read(map));
        builder.Add(recorded.Map);
        var sum = ProfileMerge.Merge(File.Exists(profile) ? [profile] : []);
        ProfileMerge.Add(profile, recorded.Sum, sum.Profile, sum.Read, []);
        AtomicFile.Write(profile, stream => IndexedProfileWriter.Write(sum.Profile, IndexedProfileWriter.OldestVersion, stream));
        AtomicFile.Write(map, TestMapFile.Encode(builder.Build()));
    }

    private static FileStream Lock(string path)
    {
        for (var until = DateTime.UtcNow + Patience; ;)
        {
            try { return new FileStream(path, FileMode.OpenOrCreate, FileAccess.Write, FileShare.None, bufferSize: 0, FileOptions.DeleteOnClose); }
            catch (IOException e) when (e is not (DirectoryNotFoundException or PathTooLongException))
            {
                if (DateTime.UtcNow > until) throw new WeftException($"cannot add to the test map: '{path}' is held by another process, or cannot be written: {e.Message}", "remove it if no tests are running", ExitCode.Failure, e);
                Thread.Sleep(50);
            }
        }
    }
}
