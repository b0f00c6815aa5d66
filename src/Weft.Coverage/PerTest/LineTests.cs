namespace Weft.Coverage.PerTest;

/// <summary>Which tests reach the lines of a file. May be used by several threads at once.</summary>
/// <param name="reach">Who reaches what.</param>
public sealed class LineTests(TestReach reach)
{
    private readonly ILookup<string, TestedSource> sources = reach.Sources.ToLookup(s => s.Path);

    /// <summary>Of all tests, by index, with their programs.</summary>
    public IReadOnlyList<string> Names { get; } = [.. reach.Map.Tests.Select(t => $"{t.ProgramLabel} {t.Name}".TrimStart())];

    /// <summary>Indexes of tests by line; nothing if the file is another than when they ran.</summary>
    public IReadOnlyDictionary<int, List<int>> Of(string path)
    {
        var lines = new SortedDictionary<int, List<int>>();
        if (HasChanged(path)) return lines;
        for (var test = 0; test < Names.Count; test++)
            foreach (var line in sources[path].SelectMany(source => reach.Lines(test, source, withTests: true)).Distinct())
            {
                if (!lines.TryGetValue(line, out var tests)) lines.Add(line, tests = []);
                tests.Add(test);
            }
        return lines;
    }

    /// <summary>Whether tests ran with another version of a file than the one that is there.</summary>
    public bool HasChanged(string path) => sources[path].Any() && File.Exists(path) && GitBlob.Of(path) is var now && sources[path].Any(s => s.Blob.Length > 0 && s.Blob != now);
}
