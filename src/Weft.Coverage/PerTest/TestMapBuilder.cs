using System.Security.Cryptography;
using System.Text;
using Weft.Coverage.Model;
using Key = (ulong NameHash, ulong StructuralHash, System.UInt128 Digest);

namespace Weft.Coverage.PerTest;

/// <summary>
/// Puts test maps together. Functions and images that several programs have in common are there once, and a test that ran again
/// takes the place of the earlier run. What comes out depends on what went in, not on the order.
/// </summary>
public sealed class TestMapBuilder
{
    private readonly List<Entry> functions = [];
    private readonly Dictionary<Key, int> functionIndex = [];
    private readonly List<TestedImage> images = [];
    private readonly Dictionary<string, int> imageIndex = [];
    private readonly SortedDictionary<(string Program, string Name), Test> tests = new(Comparer<(string Program, string Name)>.Create(Compare));

    /// <returns>Its index here.</returns>
    public int AddFunction(ulong nameHash, ulong structuralHash, FunctionCoverage shape, IReadOnlyList<TestedSource> sources)
    {
        Key key = (nameHash, structuralHash, Digest(shape, sources));
        if (functionIndex.TryGetValue(key, out var index)) return index;
        functionIndex.Add(key, functions.Count);
        functions.Add(new Entry(key, shape, sources));
        return functions.Count - 1;
    }

    /// <returns>The index of the pattern among those of the function.</returns>
    public int AddPattern(int function, byte[] bits)
    {
        var patterns = functions[function].Patterns;
        var known = patterns.FindIndex(p => p.AsSpan().SequenceEqual(bits));
        if (known >= 0) return known;
        patterns.Add(bits);
        return patterns.Count - 1;
    }

    /// <param name="path">Where it is.</param>
    /// <param name="buildId">May be empty.</param>
    /// <param name="own">Indexes of its functions.</param>
    /// <returns>Its index here.</returns>
    public int AddImage(string path, string buildId, IEnumerable<int> own)
    {
        int[] sorted = [.. own.Distinct().Order()];
        var key = $"{path}\n{buildId}\n{string.Join(' ', sorted)}";
        if (imageIndex.TryGetValue(key, out var index)) return index;
        imageIndex.Add(key, images.Count);
        images.Add(new TestedImage(path, buildId, sorted));
        return images.Count - 1;
    }

    /// <summary>Its indexes are those of this builder.</summary>
    public void AddTest(Test test)
    {
        var key = (test.Program, test.Name);
        // Each example of a crate's documentation is a program, and nobody says which.
        tests[key] = test.Kind == TestKind.Documentation && tests.TryGetValue(key, out var before) ? Together(before, test) : test;
    }

    private Test Together(Test a, Test b) => a with
    {
        Passed = a.Passed && b.Passed,
        Images = [.. a.Images.Union(b.Images).Order()],
        Reached = [.. a.Reached.Concat(b.Reached).GroupBy(r => r.Function).OrderBy(g => g.Key).Select(g => (g.Key, AddPattern(g.Key, Union(g.Key, g.Select(r => r.Pattern)))))],
    };

    private byte[] Union(int function, IEnumerable<int> patterns) =>
        patterns.Select(p => functions[function].Patterns[p]).Aggregate((a, b) => [.. a.Zip(b, (x, y) => (byte)(x | y))]);

    /// <summary>All of another map; its tests win.</summary>
    public void Add(TestMap map)
    {
        var newFunctions = map.Functions.Select(f => AddFunction(f.NameHash, f.StructuralHash, f.Shape, f.Sources)).ToArray();
        var newPatterns = map.Functions.Select((f, i) => f.Patterns.Select(p => AddPattern(newFunctions[i], p)).ToArray()).ToArray();
        var newImages = map.Images.Select(image => AddImage(image.Path, image.BuildId, image.Functions.Select(f => newFunctions[f]))).ToArray();
        foreach (var test in map.Tests)
            AddTest(test with
            {
                Images = [.. test.Images.Select(i => newImages[i])],
                Reached = [.. test.Reached.Select(r => (newFunctions[r.Function], newPatterns[r.Function][r.Pattern])).OrderBy(r => r.Item1)],
            });
    }

    /// <summary>Everything in an order of its own, without what no test refers to any more.</summary>
    public TestMap Build()
    {
        var keptImages = tests.Values.SelectMany(t => t.Images).Distinct().ToList();
        var order = keptImages.SelectMany(i => images[i].Functions).Distinct().OrderBy(f => functions[f].Key).ToArray();
        var newFunctions = Inverse(order);
        var patterns = UsedPatterns();
        var orderedImages = keptImages.Select(i => (Old: i, New: images[i] with { Functions = [.. images[i].Functions.Select(f => newFunctions[f]).Order()] }))
            .OrderBy(i => i.New.Path, StringComparer.Ordinal).ThenBy(i => i.New.BuildId, StringComparer.Ordinal).ThenBy(i => string.Join(' ', i.New.Functions), StringComparer.Ordinal).ToList();
        var newImages = Inverse(orderedImages.Select(i => i.Old));
        return new TestMap(
            [.. order.Select(f => functions[f].ToFunction(patterns.TryGetValue(f, out var used) ? used : []))],
            [.. orderedImages.Select(i => i.New)],
            [.. tests.Values.Select(t => t with
            {
                Images = [.. t.Images.Select(i => newImages[i]).Order()],
                Reached = [.. t.Reached.Select(r => (newFunctions[r.Function], patterns[r.Function].IndexOf(r.Pattern))).OrderBy(r => r.Item1)],
            })]);
    }

    /// <summary>By function, those of its patterns that tests refer to, in order.</summary>
    private Dictionary<int, List<int>> UsedPatterns() => tests.Values.SelectMany(t => t.Reached).Distinct().GroupBy(r => r.Function)
        .ToDictionary(g => g.Key, g => g.Select(r => r.Pattern).OrderBy(p => Convert.ToHexString(functions[g.Key].Patterns[p]), StringComparer.Ordinal).ToList());

    private static Dictionary<int, int> Inverse(IEnumerable<int> order) => order.Select((old, index) => (old, index)).ToDictionary(p => p.old, p => p.index);

    private static int Compare((string Program, string Name) a, (string Program, string Name) b) =>
        string.CompareOrdinal(a.Program, b.Program) is not 0 and var programs ? programs : string.CompareOrdinal(a.Name, b.Name);

    private static UInt128 Digest(FunctionCoverage shape, IReadOnlyList<TestedSource> sources)
    {
        using var bytes = new MemoryStream();
        using (var writer = new BinaryWriter(bytes, Encoding.UTF8, leaveOpen: true))
        {
            foreach (var source in sources)
            {
                writer.Write(source.Path);
                writer.Write(source.Blob);
            }
            TestMapFile.WriteShape(writer, shape);
        }
        return System.Buffers.Binary.BinaryPrimitives.ReadUInt128BigEndian(SHA256.HashData(bytes.GetBuffer().AsSpan(0, (int)bytes.Length)));
    }

    private sealed class Entry(Key key, FunctionCoverage shape, IReadOnlyList<TestedSource> sources)
    {
        public Key Key => key;

        public List<byte[]> Patterns { get; } = [];

        public TestedFunction ToFunction(List<int> patterns) => new(key.NameHash, key.StructuralHash, shape, sources, [.. patterns.Select(p => Patterns[p])]);
    }
}
