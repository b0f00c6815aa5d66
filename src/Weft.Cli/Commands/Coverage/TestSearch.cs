using System.Globalization;
using Weft.Core;
using Weft.Coverage.Diff;
using Weft.Coverage.PerTest;

namespace Weft.Cli.Commands.Coverage;

/// <summary>Finds tests by what people ask for.</summary>
/// <param name="reach">Who reaches what.</param>
/// <param name="name">A path as it is to be shown.</param>
internal sealed class TestSearch(TestReach reach, Func<string, string> name)
{
    private readonly List<int> all = [.. Enumerable.Range(0, reach.Map.Tests.Count)];

    public ChosenTests All() => Chosen(all, "");

    /// <exception cref="WeftException">There is no such function.</exception>
    public ChosenTests ByFunction(string function)
    {
        var found = reach.FunctionsNamed(function);
        if (found.Count == 0) throw WeftException.Usage($"no function of the map has the name '{function}'", reach.Names.Where(n => n.Contains(function)).Distinct().Order(StringComparer.Ordinal).Take(3).ToList() is { Count: > 0 } similar ? $"did you mean {string.Join(", ", similar)}?" : "names are as weft coverage report --show-instantiations prints them: module::function, or the end of that");
        return Chosen(all.Where(test => found.Any(f => reach.Reaches(test, f))), function);
    }

    public ChosenTests ByLine(string place)
    {
        var at = place.LastIndexOf(':');
        if (at <= 0 || !int.TryParse(place[(at + 1)..], NumberStyles.None, CultureInfo.InvariantCulture, out var line) || line == 0) throw WeftException.Usage($"--line: '{place}' is no place", "write FILE:LINE, such as src/lib.rs:12");
        var sources = Sources(place[..at]);
        if (!sources.Exists(s => reach.Code(s).Contains(line))) throw WeftException.Usage($"line {line} of '{name(sources[0].Path)}' has no code that was counted");
        return Chosen(all.Where(test => sources.Exists(s => reach.Lines(test, s, withTests: true).Contains(line))), $"{name(sources[0].Path)}:{line}", sources);
    }

    public ChosenTests ByFile(string path)
    {
        var sources = Sources(path);
        var functions = sources.SelectMany(reach.FunctionsIn).ToHashSet();
        return Chosen(all.Where(test => functions.Any(f => reach.Reaches(test, f))), name(sources[0].Path), sources);
    }

    public ChosenTests ByPatch(IReadOnlyList<FileChange> patch, string root)
    {
        var needs = PatchNeeds.Of(patch, root, reach, name);
        var chosen = Chosen(needs.Reasons.Keys.Order(), "");
        return chosen with { Needs = needs, Remarks = [.. needs.Remarks, .. needs.NewTests.Select(t => $"test function '{t}' is new, and in no map: run it too")] };
    }

    private List<TestedSource> Sources(string path)
    {
        var paths = reach.Sources.Select(s => s.Path).ToHashSet();
        var full = Path.GetFullPath(path);
        var ending = paths.Where(p => p == path || p.EndsWith("/" + path, StringComparison.Ordinal)).ToList();
        var found = paths.Contains(full) ? full : ending.Count == 1 ? ending[0] : null;
        if (found == null) throw WeftException.Usage(ending.Count > 1 ? $"several files of the map end in '{path}': {string.Join(", ", ending.Take(3))}" : $"no function of the map is from '{path}'", "name a source file that was counted; weft coverage report lists them");
        return reach.Sources.Where(s => s.Path == found).ToList();
    }

    private ChosenTests Chosen(IEnumerable<int> tests, string question, List<TestedSource>? sources = null) => new(reach, [.. tests], question, name)
    {
        Remarks = [.. (sources ?? []).Where(s => s.Blob.Length > 0 && File.Exists(s.Path) && GitBlob.Of(s.Path) != s.Blob).Select(s => $"source file '{name(s.Path)}' was changed since the tests ran: lines are those of then").Distinct()],
    };
}
