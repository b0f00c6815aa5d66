using Weft.Coverage.Maps;
using Weft.Coverage.Model;
using Weft.Coverage.Profiles;

namespace Weft.Coverage.PerTest;

/// <summary>
/// Makes of each test's profiles what it reached. Regions are worked out here, while the program is at hand: many counts are
/// differences of counters, so that which counters are zero would not tell.
/// </summary>
/// <param name="objects">Binaries that may run and do not name themselves in profiles.</param>
public sealed class TestRecorder(IReadOnlyList<string> objects) : IDisposable
{
    private readonly TestMapBuilder builder = new();
    private readonly Dictionary<string, Image> images = [];
    private readonly Dictionary<string, string> blobs = [];
    private readonly List<string> warnings = [];
    private int read;

    /// <summary>The sum of all tests.</summary>
    public Profile Sum { get; } = new();

    /// <summary>What is not as it should be, each a sentence.</summary>
    public IReadOnlyList<string> Warnings => warnings;

    /// <summary>The tests so far.</summary>
    public TestMap Map => builder.Build();

    /// <param name="program">See <see cref="Test"/>.</param>
    /// <param name="name">See <see cref="Test"/>.</param>
    /// <param name="kind">See <see cref="Test"/>.</param>
    /// <param name="passed">See <see cref="Test"/>.</param>
    /// <param name="profiles">What it and the programs it started wrote.</param>
    /// <exception cref="Core.WeftException">A binary that ran is damaged.</exception>
    public void Add(string program, string name, TestKind kind, bool passed, IReadOnlyList<string> profiles)
    {
        var merged = ProfileMerge.Merge(profiles);
        warnings.AddRange([.. merged.Skipped, .. merged.Warnings]);
        var ran = Images(merged.Profile);
        var reached = new SortedDictionary<int, int>();
        foreach (var counted in merged.Profile.Functions.Where(f => Array.Exists(f.Counts, c => c > 0)))
            foreach (var image in ran)
                if (image.Evaluate(counted, merged.Profile) is var (index, function)) reached[index] = builder.AddPattern(index, RegionBits.Of(function));
        builder.AddTest(new Test(program, name, kind, passed, [.. ran.Select(i => i.Index).Order()], [.. reached.Select(r => (r.Key, r.Value))]));
        ProfileMerge.Add(name, merged.Profile, Sum, read++, warnings);
    }

    public void Dispose()
    {
        foreach (var image in images.Values) image.Dispose();
    }

    private List<Image> Images(Profile profile)
    {
        var counted = CountedBinaries.Of(profile);
        foreach (var path in counted.Rebuilt.Concat(counted.Gone))
            warnings.Add($"'{path}' is not the program that ran any more: what tests reach of it is not known");
        return counted.Usable.Concat(objects.Select(Path.GetFullPath)).Distinct().Select(Load).ToList();
    }

    private Image Load(string path)
    {
        if (images.TryGetValue(path, out var image)) return image;
        image = new Image(path);
        try { image.AddTo(builder, SourceOf); }
        catch
        {
            image.Dispose();
            throw;
        }
        images.Add(path, image);
        return image;
    }

    private TestedSource SourceOf(string path, DateTime built)
    {
        if (!blobs.TryGetValue(path, out var blob)) blobs.Add(path, blob = GitBlob.Of(path, built));
        return new TestedSource(path, blob);
    }

    /// <summary>A binary that ran.</summary>
    private sealed class Image(string path) : IDisposable
    {
        private readonly CoverageMapFile file = CoverageMapFile.Read(path);
        private readonly Dictionary<(ulong, ulong), (MapRecord Record, int Index)> functions = [];

        /// <summary>Its number in the map.</summary>
        public int Index { get; private set; }

        public void AddTo(TestMapBuilder builder, Func<string, DateTime, TestedSource> source)
        {
            var (nothing, built) = (new Profile(), File.GetLastWriteTimeUtc(path));
            foreach (var record in file.Records)
            {
                if (FunctionEvaluator.Evaluate(record.Name, file.Decode(record), nothing, out _) is not { } shape) continue;
                var index = builder.AddFunction(record.NameHash, record.StructuralHash, shape, Array.ConvertAll(shape.Files, f => source(f, built)));
                functions.TryAdd((record.NameHash, record.StructuralHash), (record, index));
            }
            Index = builder.AddImage(path, BuildId.Read(path) is { } id ? Convert.ToHexStringLower(id) : "", functions.Values.Select(f => f.Index));
        }

        public (int Index, FunctionCoverage Function)? Evaluate(FunctionCounts counted, Profile profile) =>
            functions.TryGetValue((counted.NameHash, counted.StructuralHash), out var known) && FunctionEvaluator.Evaluate(known.Record.Name, file.Decode(known.Record), profile, out _) is { } function
                ? (known.Index, function)
                : null;

        public void Dispose() => file.Dispose();
    }
}
