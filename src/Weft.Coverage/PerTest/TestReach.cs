using System.Text.RegularExpressions;
using Weft.Coverage.Model;

namespace Weft.Coverage.PerTest;

/// <summary>
/// Answers who reaches what. A line is reached by a test if the test's own profile would give it a count: all functions of the
/// programs that ran for it are taken together, as reports take them.
/// </summary>
public sealed partial class TestReach
{
    private readonly TestMap map;
    private readonly string[] names;
    private readonly Dictionary<string, ILookup<TestedSource, int>> bySource = [];
    private readonly Dictionary<string, int[]> lines = [];
    private readonly Dictionary<int, int>[] reached;

    /// <param name="map">What tests reach.</param>
    /// <param name="demangle">For names of functions.</param>
    public TestReach(TestMap map, Func<string, string> demangle)
    {
        this.map = map;
        names = [.. map.Functions.Select(f => CrateNumber().Replace(demangle(f.Shape.Symbol), ""))];
        reached = [.. map.Tests.Select(t => t.Reached.ToDictionary(r => r.Function, r => r.Pattern))];
        var tests = map.Tests.Where(t => t.Kind == TestKind.Single).Select(t => t.Name).ToHashSet();
        IsTestCode = [.. names.Select(name => tests.Contains(WithinCrate(name)))];
    }

    public TestMap Map => map;

    /// <summary>By function, whether it is a test itself.</summary>
    public IReadOnlyList<bool> IsTestCode { get; }

    /// <summary>Names of functions for people.</summary>
    public IReadOnlyList<string> Names => names;

    /// <summary>All sources, each as often as it has versions.</summary>
    public IEnumerable<TestedSource> Sources => map.Functions.SelectMany(f => f.Sources).Distinct();

    /// <summary>Sources that a test reaches.</summary>
    public IEnumerable<TestedSource> SourcesOf(int test) => map.Tests[test].Reached.SelectMany(r => map.Functions[r.Function].Sources).Distinct();

    /// <summary>Whether a test ran anything of a function.</summary>
    public bool Reaches(int test, int function) =>
        reached[test].TryGetValue(function, out var pattern) && map.Functions[function].Patterns[pattern].AsSpan().ContainsAnyExcept((byte)0);

    /// <summary>Indexes of functions by their name: the whole, or from the beginning of a part of its path on.</summary>
    public IReadOnlyList<int> FunctionsNamed(string name) => [.. Enumerable.Range(0, names.Length).Where(i => IsNamed(names[i], name) || map.Functions[i].Shape.Symbol == name)];

    /// <summary>Functions that have code in a source.</summary>
    public IEnumerable<int> FunctionsIn(TestedSource source) => BySource([.. Enumerable.Range(0, map.Images.Count)])[source];

    /// <summary>Lines of a source that have code.</summary>
    public IReadOnlySet<int> Code(TestedSource source) =>
        FileBuilder.Build(source.Path, FunctionsIn(source).Select(f => map.Functions[f].Shape)).Lines.Select(l => l.Line).ToHashSet();

    /// <summary>Lines of a source that a test reaches.</summary>
    /// <param name="test">Its index.</param>
    /// <param name="source">One of <see cref="SourcesOf"/>.</param>
    /// <param name="withTests">Whether lines of tests themselves count.</param>
    public IReadOnlyList<int> Lines(int test, TestedSource source, bool withTests)
    {
        var own = reached[test];
        var taken = BySource(map.Tests[test].Images)[source].Where(f => withTests || !IsTestCode[f]).ToList();
        var key = $"{source}{withTests}{string.Join(' ', taken.Select(f => own.TryGetValue(f, out var p) ? $"{f}.{p}" : $"{f}"))}";
        lock (lines)
            if (lines.TryGetValue(key, out var known)) return known;
        var file = FileBuilder.Build(source.Path, taken.Select(f => own.TryGetValue(f, out var p) ? map.Functions[f].Reached(p) : map.Functions[f].Shape));
        int[] found = [.. file.Lines.Where(l => l.Count > 0).Select(l => l.Line)];
        lock (lines) return lines[key] = found;
    }

    /// <summary>Functions of some binaries by source.</summary>
    private ILookup<TestedSource, int> BySource(IReadOnlyList<int> images)
    {
        var key = string.Join(' ', images);
        lock (bySource)
            return bySource.TryGetValue(key, out var known) ? known : bySource[key] = images.SelectMany(i => map.Images[i].Functions).Distinct().Order()
                .SelectMany(f => map.Functions[f].Sources.Distinct().Select(s => (Source: s, Function: f))).ToLookup(p => p.Source, p => p.Function);
    }

    private static bool IsNamed(string function, string name)
    {
        var plain = Parameters().Replace(function, "");
        return function == name || plain == name || plain.EndsWith("::" + name, StringComparison.Ordinal);
    }

    /// <summary><c>crate::tests::works::{closure#0}</c> as the harness knows it: <c>tests::works</c>.</summary>
    private static string WithinCrate(string name)
    {
        var path = name.IndexOf("::", StringComparison.Ordinal) is var at and >= 0 ? name[(at + 2)..] : name;
        return path.IndexOf("::{", StringComparison.Ordinal) is var inner and >= 0 ? path[..inner] : path;
    }

    /// <summary>What tells crates of one name apart.</summary>
    [GeneratedRegex(@"\[[0-9a-f]+\]", RegexOptions.ExplicitCapture)]
    private static partial Regex CrateNumber();

    /// <summary>Of C++.</summary>
    [GeneratedRegex(@"\(.*\)( const)?$", RegexOptions.ExplicitCapture)]
    private static partial Regex Parameters();
}
