using Weft.Coverage.Model;
using Weft.Coverage.Sources;

namespace Weft.Coverage.Compare;

/// <summary>One of two things to compare.</summary>
/// <param name="Data">What ran.</param>
/// <param name="Files">Those of its files that are wanted.</param>
/// <param name="Sources">Those it was built from, if they are still there.</param>
public sealed record ComparedCoverage(CoverageData Data, IReadOnlyList<string> Files, SourceTexts Sources);

/// <summary>A file in both, or in one.</summary>
/// <param name="Old">Null if it is new.</param>
/// <param name="New">Null if it is gone.</param>
/// <param name="Before">Its lines.</param>
/// <param name="After">Its lines.</param>
/// <param name="Lost">Lines that ran and do not any more, numbered as they are now.</param>
/// <param name="Gained">Lines that did not run and now do.</param>
/// <param name="IsAligned">Whether it is known which line was which.</param>
public sealed record FileChange(string? Old, string? New, Ratio Before, Ratio After, LineSet Lost, LineSet Gained, bool IsAligned)
{
    public string Path => New ?? Old!;

    public bool IsChanged => !IsAligned || Before != After || Lost.Count > 0 || Gained.Count > 0;
}

/// <summary>A function in both.</summary>
/// <param name="File">Where it is.</param>
/// <param name="Name">Demangled.</param>
/// <param name="Before">Its regions.</param>
/// <param name="After">Its regions.</param>
public sealed record FunctionChange(string File, string Name, Ratio Before, Ratio After)
{
    public bool IsLoss => After.Percent < Before.Percent;
}

/// <summary>What two runs, or two sets of them, of the same or of different builds differ in.</summary>
public sealed record CoverageComparison(CoverageSummary Before, CoverageSummary After, IReadOnlyList<FileChange> Files, IReadOnlyList<FunctionChange> Functions)
{
    /// <summary>Lines or functions that ran do not any more; or a file ran less, of which it is not known which lines are which.</summary>
    public bool HasLoss => Functions.Any(f => f.Before.Covered > 0 && f.After.Covered == 0)
        || Files.Any(f => f.Lost.Count > 0 || (f is { IsAligned: false, Old: not null, New: not null } && f.After.Percent < f.Before.Percent));

    public static CoverageComparison Of(ComparedCoverage before, ComparedCoverage after)
    {
        var pairs = FilePairs.Of(before.Files, after.Files);
        var files = pairs.AsParallel().AsOrdered().Select(p => Compare(p.Old, p.New, before, after)).ToList();
        var functions = pairs.Where(p => p is { Old: not null, New: not null }).SelectMany(p => FunctionsOf(p.Old!, p.New!, before, after)).ToList();
        return new CoverageComparison(Total(before), Total(after), files, functions);
    }

    private static CoverageSummary Total(ComparedCoverage side) => side.Files.Aggregate(default(CoverageSummary), (sum, f) => sum + side.Data.Summary(f));

    private static FileChange Compare(string? old, string? young, ComparedCoverage before, ComparedCoverage after)
    {
        var none = LineSet.Of([]);
        var (oldSum, newSum) = (old == null ? default : before.Data.Summary(old).Lines, young == null ? default : after.Data.Summary(young).Lines);
        if (old == null || young == null) return new FileChange(old, young, oldSum, newSum, none, none, IsAligned: true);
        FileCoverage oldFile = before.Data.File(old), newFile = after.Data.File(young);
        if (Align(oldFile, newFile, before, after) is not { } align) return new FileChange(old, young, oldSum, newSum, none, none, IsAligned: false);
        var now = newFile.Lines.ToDictionary(l => l.Line, l => l.Count > 0);
        List<int> lost = [], gained = [];
        foreach (var line in oldFile.Lines)
        {
            if (align(line.Line) is not { } same || !now.TryGetValue(same, out var runs) || runs == line.Count > 0) continue;
            (runs ? gained : lost).Add(same);
        }
        return new FileChange(old, young, oldSum, newSum, LineSet.Of(lost), LineSet.Of(gained), IsAligned: true);
    }

    /// <summary>From old lines to new ones: the same where the code has the same shape, else by what the sources say, if there are two.</summary>
    private static Func<int, int?>? Align(FileCoverage old, FileCoverage young, ComparedCoverage before, ComparedCoverage after)
    {
        if (old.Path != young.Path && before.Sources.Find(old.Path) is { } oldText && after.Sources.Find(young.Path) is { } newText)
        {
            var pairs = LineAlignment.Of(oldText, newText);
            return line => pairs.TryGetValue(line, out var same) ? same : null;
        }
        return Shape(old).SequenceEqual(Shape(young)) ? line => line : null;
    }

    private static IEnumerable<int> Shape(FileCoverage file) => file.Lines.Select(l => l.Line);

    private static IEnumerable<FunctionChange> FunctionsOf(string old, string young, ComparedCoverage before, ComparedCoverage after)
    {
        var earlier = ByName(before.Data, old);
        foreach (var (name, now) in ByName(after.Data, young).OrderBy(f => f.Key, StringComparer.Ordinal))
            if (earlier.TryGetValue(name, out var then) && then.Percent != now.Percent) yield return new FunctionChange(young, name, then, now);
    }

    /// <summary>Names may be there several times, as closures of one function are.</summary>
    private static Dictionary<string, Ratio> ByName(CoverageData data, string file)
    {
        var functions = new Dictionary<string, Ratio>();
        foreach (var group in data.Groups(file))
            foreach (var function in group.Functions)
            {
                var name = data.Demangled(function);
                functions[name] = functions.GetValueOrDefault(name) + CoverageData.Summary(group with { Functions = [function] }).Regions;
            }
        return functions;
    }
}
