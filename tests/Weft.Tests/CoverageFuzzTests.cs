using System.Diagnostics;
using Weft.Core;
using Weft.Coverage.Export;
using Weft.Coverage.Model;
using Weft.Coverage.Profiles;
using Xunit.Abstractions;

namespace Weft.Tests;

/// <summary>Whatever is in a file, reading it ends soon, with a result or a sentence.</summary>
public sealed class CoverageFuzzTests(ITestOutputHelper log) : IDisposable
{
    private const int Seed = 20261122;
    private static readonly TimeSpan Soon = TimeSpan.FromSeconds(5);

    private readonly Harness harness = new();

    public void Dispose() => harness.Dispose();

    [Needs("clang++-22", "llvm-profdata-22", "rustc")]
    public void Damaged_profiles()
    {
        var raw = File.ReadAllBytes(CoveragePrograms.Get("c 22").RawProfiles[0]);
        var text = new StringWriter();
        TextProfile.Write(ProfileFile.Read(CoveragePrograms.Get("c 22").Indexed), text);
        byte[][] wholes = [raw, [.. raw, .. raw], File.ReadAllBytes(CoveragePrograms.Get("c 22").Indexed), File.ReadAllBytes(CoveragePrograms.Get("rust").RawProfiles[0]), System.Text.Encoding.UTF8.GetBytes(text.ToString())];
        Fuzz(wholes, 1000, 0, path =>
        {
            var profile = ProfileFile.Read(path);
            using var output = new MemoryStream();
            IndexedProfileWriter.Write(profile, 13, output);
            ProfileListing.Write(profile, TextWriter.Null);
        });
    }

    [Needs("clang++-22", "llvm-profdata-22", "llvm-objcopy-22")]
    public void Damaged_maps()
    {
        // All but the map makes the file large, and damage rare where it matters.
        var wholes = new List<byte[]>();
        foreach (var name in (string[])["c 22", "c++ 22", "decisions 22"])
        {
            harness.Must("llvm-objcopy-22", "--only-section=__llvm_covmap", "--only-section=__llvm_covfun", "--only-section=__llvm_prf_names", CoveragePrograms.Get(name).Binaries[0], "map");
            wholes.Add(File.ReadAllBytes(harness.Path("map")));
            Assert.NotEmpty(CoverageData.Load([harness.Path("map")], new Profile()).Functions);
        }
        var profile = ProfileMerge.Merge([.. ((string[])["c 22", "c++ 22", "decisions 22"]).Select(n => CoveragePrograms.Get(n).Indexed)]).Profile;
        Fuzz(wholes, 900, 64, path =>
        {
            var data = CoverageData.Load([path], profile);
            Lcov.Write(TextWriter.Null, data, data.Files, new ExportOptions(SummaryOnly: true));
            LlvmJson.Write(Stream.Null, data, data.Files, new ExportOptions());
        });
    }

    [Needs("clang-22", "ar", "llvm-profdata-22")]
    public void Damaged_archives() => Fuzz([File.ReadAllBytes(CoveragePrograms.Archive())], 300, 0, path => CoverageData.Load([path], new Profile()));

    private void Fuzz(IReadOnlyList<byte[]> wholes, int rounds, int from, Action<string> read)
    {
        var (fine, refused) = (0, 0);
        log.WriteLine($"seed {Seed}");
        Parallel.For(0, rounds, new ParallelOptions { MaxDegreeOfParallelism = 2 }, round =>
        {
            var random = new Random(Seed + round);
            var path = harness.Path($"fuzz-{round}");
            File.WriteAllBytes(path, Damage(wholes[round % wholes.Count], from, random));
            var watch = Stopwatch.StartNew();
            var before = GC.GetAllocatedBytesForCurrentThread();
            try
            {
                read(path);
                Interlocked.Increment(ref fine);
            }
            catch (WeftException e)
            {
                Assert.NotNull(e.Help);
                Assert.Contains(path, e.Message, StringComparison.Ordinal);
                Interlocked.Increment(ref refused);
            }
            Assert.True(watch.Elapsed < Soon, $"round {round} took {watch.Elapsed}");
            Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 500L << 20);
            File.Delete(path);
        });
        log.WriteLine($"{fine} were read, {refused} refused");
        Assert.True(fine > 0 && refused > 0);
    }

    /// <summary>A cut, or some bytes that are others: bits, small numbers, and large ones where sizes are.</summary>
    private static byte[] Damage(byte[] whole, int from, Random random)
    {
        if (random.Next(8) == 0) return whole[..random.Next(whole.Length)];
        var damaged = (byte[])whole.Clone();
        for (var changes = random.Next(1, 5); changes > 0; changes--)
        {
            var at = random.Next(from, damaged.Length - 8);
            switch (random.Next(4))
            {
                case 0: damaged[at] ^= (byte)(1 << random.Next(8)); break;
                case 1: damaged[at] = (byte)random.Next(256); break;
                case 2: damaged.AsSpan(at, random.Next(1, 9)).Fill(0xFF); break;
                default: random.NextBytes(damaged.AsSpan(at, random.Next(1, 9))); break;
            }
        }
        return damaged;
    }
}
