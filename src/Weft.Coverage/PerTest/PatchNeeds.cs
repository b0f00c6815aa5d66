using System.Text.RegularExpressions;
using Weft.Coverage.Diff;
using Weft.Coverage.Sources;

namespace Weft.Coverage.PerTest;

/// <summary>Which tests a patch needs, and why.</summary>
/// <param name="Reasons">By index of the test.</param>
/// <param name="NewTests">Names of test functions that the patch adds, which no map can know.</param>
/// <param name="Remarks">What the selection could not rest on lines for, each a sentence.</param>
/// <param name="Untested">Changed code that no test reaches: a path, and lines.</param>
public sealed record PatchNeeds(IReadOnlyDictionary<int, IReadOnlyList<string>> Reasons, IReadOnlyList<string> NewTests, IReadOnlyList<string> Remarks, IReadOnlyList<string> Untested)
{
    /// <param name="patch">What changes.</param>
    /// <param name="root">The folder that its paths are relative to.</param>
    /// <param name="reach">Who reaches what.</param>
    /// <param name="name">A path as it is to be shown.</param>
    public static PatchNeeds Of(IReadOnlyList<FileChange> patch, string root, TestReach reach, Func<string, string> name)
    {
        var search = new PatchSearch(root, reach, name);
        foreach (var change in patch) search.Add(change);
        return search.Needs();
    }
}

/// <summary>
/// Looks for tests, file by file. A map describes sources of one moment, and git's names for contents tell whether that is before
/// or after the patch: lines are counted on that side. Where it is neither, lines are no use, and the whole file counts.
/// </summary>
internal sealed partial class PatchSearch(string root, TestReach reach, Func<string, string> name)
{
    // What decides about all code, and is in no function.
    private static readonly HashSet<string> OfAll = ["Cargo.toml", "Cargo.lock", "build.rs", "config.toml", "rust-toolchain", "rust-toolchain.toml"];

    private readonly Dictionary<int, SortedSet<string>> reasons = [];
    private readonly SortedSet<string> newTests = new(StringComparer.Ordinal);
    private readonly List<string> remarks = [], outside = [];
    private readonly SortedSet<string> untested = new(StringComparer.Ordinal);
    private readonly List<TestedSource> sources = [.. reach.Sources];
    private readonly HashSet<string> known = [.. reach.Map.Tests.Select(t => t.Name[(t.Name.LastIndexOf(':') + 1)..])];

    public PatchNeeds Needs()
    {
        if (outside.Count > 0) remarks.Add($"{string.Join(", ", outside)}: no function of the map is from there, so tests that depend on it are not known");
        return new PatchNeeds(reasons.ToDictionary(r => r.Key, r => (IReadOnlyList<string>)[.. r.Value]), [.. newTests], remarks, [.. untested]);
    }

    public void Add(FileChange change)
    {
        foreach (var run in change.Runs) AddNewTests(run);
        var shown = name(Path.GetFullPath(Path.Combine(root, (change.NewPath ?? change.OldPath)!)));
        var paths = sources.Select(s => s.Path).ToHashSet();
        string?[] found = [Find(change.OldPath), Find(change.NewPath)];
        var versions = sources.Where(s => found.Contains(s.Path)).ToList();
        if (versions.Count == 0 && OfAll.Contains(Path.GetFileName(change.NewPath ?? change.OldPath!))) Need(Enumerable.Range(0, reach.Map.Tests.Count), $"{shown} is part of every build");
        else if (versions.Count == 0) outside.Add(shown);
        foreach (var version in versions) Add(change, version, shown);

        string? Find(string? path) => path == null ? null : PatchCoverage.Find(path, root, paths);
    }

    private void Add(FileChange change, TestedSource version, string shown)
    {
        var isOld = version.Blob.Length > 0 && change.OldBlob.Length >= 7 && version.Blob.StartsWith(change.OldBlob, StringComparison.Ordinal);
        var isNew = version.Blob.Length > 0 && change.NewPath != null && GitBlob.Of(Path.Combine(root, change.NewPath)) == version.Blob;
        if (!isOld && !isNew)
        {
            remarks.Add($"{shown}: the map is of another version of it; all tests that reach the file are taken");
            NeedFile(version, $"{shown} (of another version)");
            return;
        }
        var places = new Places(reach, version);
        foreach (var run in change.Runs) Add(run, isNew, version, places, shown);
    }

    private void Add(PatchedRun run, bool isNew, TestedSource version, Places places, string shown)
    {
        var (first, text) = isNew ? (run.NewLine, run.New) : (run.OldLine, run.Old);
        var lines = Enumerable.Range(first, text.Count).ToList();
        var code = lines.Where(places.Code.Contains).ToList();
        var where = $"{shown}:{LineSet.Of(lines.Count > 0 ? lines : [first])}";
        var bare = lines.Where(l => !places.Code.Contains(l) && !IsInert(text[l - first]) && places.Around(l, 1).Count == 0).ToList();
        if (code.Count > 0) NeedLines(version, code, where);
        else if (bare.Count == 0 && places.Around(first, lines.Count) is { Count: > 0 } functions) NeedFunctions(functions, $"{where} (the function around)");
        else if (lines.Count == 0 && !run.Old.Concat(run.New).All(IsInert)) bare = [first];
        // Attributes belong to the function below.
        var below = bare.ToLookup(l => places.Around(text.Count == 0 ? 0 : NextCode(text, first, l), 1) is { Count: > 0 } owner ? owner[0] : -1);
        NeedFunctions([.. below.Select(g => g.Key).Where(f => f >= 0)], where);
        if (!below.Contains(-1)) return;
        var outsideFunctions = $"{shown}:{LineSet.Of(below[-1])}";
        remarks.Add($"{outsideFunctions} is in no function; all tests that reach the file are taken");
        NeedFile(version, $"{outsideFunctions} (in no function)");
    }

    /// <summary>From an attribute on, the line of what it is about; other lines are about themselves.</summary>
    private static int NextCode(IReadOnlyList<string> text, int first, int line)
    {
        var at = line - first;
        while (at < text.Count && (text[at].AsSpan().TrimStart() is var t) && (t.StartsWith("#[") || IsInert(text[at]))) at++;
        return first + at;
    }

    private void NeedLines(TestedSource version, List<int> lines, string reason)
    {
        var missing = lines.ToHashSet();
        foreach (var test in TestsOf(version))
        {
            var reached = reach.Lines(test, version, withTests: true);
            if (!lines.Exists(reached.Contains)) continue;
            missing.ExceptWith(reached);
            Need([test], reason);
        }
        if (missing.Count > 0) untested.Add($"{name(version.Path)}:{LineSet.Of(missing.Order())}");
    }

    private void NeedFunctions(List<int> functions, string reason) => Need(Enumerable.Range(0, reach.Map.Tests.Count).Where(test => functions.Exists(f => reach.Reaches(test, f))), reason);

    private void NeedFile(TestedSource version, string reason) => Need(TestsOf(version), reason);

    private IEnumerable<int> TestsOf(TestedSource version)
    {
        var functions = reach.FunctionsIn(version).ToList();
        return Enumerable.Range(0, reach.Map.Tests.Count).Where(test => functions.Exists(f => reach.Reaches(test, f)));
    }

    private void Need(IEnumerable<int> tests, string reason)
    {
        foreach (var test in tests)
        {
            if (!reasons.TryGetValue(test, out var own)) reasons.Add(test, own = new SortedSet<string>(StringComparer.Ordinal));
            own.Add(reason);
        }
    }

    private void AddNewTests(PatchedRun run)
    {
        for (var i = 0; i < run.New.Count; i++)
        {
            if (!TestAttribute().IsMatch(run.New[i])) continue;
            var function = run.New.Skip(i).Select(l => FunctionName().Match(l)).FirstOrDefault(m => m.Success);
            if (function != null && !known.Contains(function.Groups["name"].Value)) newTests.Add(function.Groups["name"].Value);
        }
    }

    /// <summary>Comments, but not those whose examples are tests; and what only closes.</summary>
    private static bool IsInert(string line) => line.AsSpan().Trim() is var text
        && (text.Trim("{}();,").IsEmpty || (text.StartsWith("//") && !text.StartsWith("///") && !text.StartsWith("//!")));

    [GeneratedRegex(@"^\s*#\[([\w:]+::)?(test|rstest|test_case|quickcheck|wasm_bindgen_test)\b", RegexOptions.ExplicitCapture)]
    private static partial Regex TestAttribute();

    [GeneratedRegex(@"\bfn\s+(?<name>\w+)", RegexOptions.ExplicitCapture)]
    private static partial Regex FunctionName();

    /// <summary>Where in a source functions are.</summary>
    private sealed class Places(TestReach reach, TestedSource source)
    {
        private readonly List<(int First, int Last, int Function)> extents = [.. reach.FunctionsIn(source)
            .SelectMany(f => GapReasons.Extents([reach.Map.Functions[f].Shape], source.Path).Select(e => (e.First, e.Last, f)))];

        public IReadOnlySet<int> Code { get; } = reach.Code(source);

        /// <summary>The innermost functions, in all instantiations, around lines; or, without lines, around the place before <paramref name="first"/>.</summary>
        public List<int> Around(int first, int count)
        {
            var (from, to) = count > 0 ? (first, first + count - 1) : (first - 1, first);
            var around = extents.Where(e => e.First <= from && to <= e.Last).ToList();
            return [.. around.Where(e => e.First == around.Max(a => a.First)).Select(e => e.Function)];
        }
    }
}
