using Weft.Core;
using Weft.Coverage.Maps;
using Weft.Coverage.Profiles;
using Weft.Coverage.Sources;

namespace Weft.Coverage.Model;

/// <summary>
/// What ran of the functions in some binaries: LLVM's CoverageMapping, with the same functions in the same order. All its methods
/// may be called by several threads at once.
/// </summary>
public sealed class CoverageData
{
    private readonly Dictionary<string, List<int>> functionsOf = [];
    private readonly Func<string, string> demangle;

    private CoverageData(IReadOnlyList<FunctionCoverage> functions, Func<string, string>? demangle)
    {
        this.demangle = demangle ?? (symbol => symbol);
        Functions = functions;
        for (var i = 0; i < functions.Count; i++)
            foreach (var file in functions[i].Files) AddTo(file, i);
        var files = functionsOf.Keys.ToArray();
        Array.Sort(files, Utf8.Compare);
        Files = files;
    }

    /// <summary>Every instantiation, by binary and in the order of its map.</summary>
    public IReadOnlyList<FunctionCoverage> Functions { get; }

    /// <summary>Every source file that has code of a function, sorted.</summary>
    public IReadOnlyList<string> Files { get; }

    /// <summary>Functions that are left out, since the profile is of another build.</summary>
    public IReadOnlyList<Mismatch> Mismatches { get; private init; } = [];

    /// <summary>Files that the binaries have several versions of: counts of their functions may not add up.</summary>
    public IReadOnlyList<VersionConflict> Conflicts { get; private init; } = [];

    /// <param name="binaries">Executables, libraries, objects and archives. Those without coverage do no harm, if one has some.</param>
    /// <param name="profile">What they counted. Functions it does not know did not run.</param>
    /// <param name="demangle">See <see cref="Demangled"/>.</param>
    /// <param name="paths">Where sources are now; files that come to one path are one file.</param>
    /// <exception cref="WeftException">A binary cannot be read or is damaged, or none was compiled for coverage.</exception>
    public static CoverageData Load(IReadOnlyList<string> binaries, Profile profile, Func<string, string>? demangle = null, PathEquivalence? paths = null)
    {
        var functions = new FunctionTable();
        var mismatches = new List<Mismatch>();
        var found = false;
        foreach (var binary in binaries)
        {
            using var map = CoverageMapFile.Read(binary);
            found |= map.Records.Count > 0;
            foreach (var (function, hash, mismatch) in Evaluate(binary, map, profile, paths ?? PathEquivalence.None))
            {
                if (mismatch != null) mismatches.Add(mismatch);
                if (function != null) functions.Add(function, hash, binary);
            }
        }
        if (!found) throw new WeftException($"no coverage map in {string.Join(", ", binaries.Select(b => $"'{b}'"))}", "name a program that was built for coverage, as it was before llvm-strip: sections __llvm_covmap and __llvm_covfun say what its counters mean");
        return new CoverageData(functions.Functions, demangle) { Mismatches = mismatches, Conflicts = functions.Conflicts };
    }

    /// <summary>The same with functions changed; those that <paramref name="change"/> makes null of are left out.</summary>
    public CoverageData Select(Func<FunctionCoverage, FunctionCoverage?> change) => new(Functions.Select(change).OfType<FunctionCoverage>().ToList(), demangle) { Mismatches = Mismatches, Conflicts = Conflicts };

    /// <summary>A function's name for people.</summary>
    public string Demangled(FunctionCoverage function) => demangle(function.Symbol);

    /// <summary>What ran of one of <see cref="Files"/>. Nothing is kept: it is worked out each time.</summary>
    public FileCoverage File(string path) => FileBuilder.Build(path, FunctionsOf(path));

    /// <summary>Functions that have code in a file, with macros and includes that they use.</summary>
    public IEnumerable<FunctionCoverage> FunctionsOf(string path)
    {
        if (!functionsOf.TryGetValue(path, out var indices)) yield break;
        foreach (var index in indices) yield return Functions[index];
    }

    /// <summary>Functions that are defined in a file, those of one place together, by place.</summary>
    public IReadOnlyList<InstantiationGroup> Groups(string path)
    {
        var groups = new SortedDictionary<ulong, List<FunctionCoverage>>();
        foreach (var function in FunctionsOf(path))
        {
            if (function.MainFile < 0 || function.Files[function.MainFile] != path) continue;
            var region = Array.FindIndex(function.Regions, r => r.File == function.MainFile);
            if (region < 0) continue;
            var place = function.Regions[region].Start;
            if (!groups.TryGetValue(place, out var group)) groups.Add(place, group = []);
            group.Add(function);
        }
        return [.. groups.Select(g => new InstantiationGroup((int)(g.Key >> 32), (int)g.Key, g.Value))];
    }

    /// <summary>Sums over the functions that are defined in a file.</summary>
    public CoverageSummary Summary(string path) => Summaries.Of(Groups(path));

    /// <summary>Of one function, with the best of its instantiations.</summary>
    public static CoverageSummary Summary(InstantiationGroup group) => Summaries.Of(group, new SegmentBuilder());

    private static (FunctionCoverage? Function, ulong Hash, Mismatch? Mismatch)[] Evaluate(string binary, CoverageMapFile map, Profile profile, PathEquivalence paths)
    {
        var evaluated = new (FunctionCoverage?, ulong, Mismatch?)[map.Records.Count];
        try
        {
            Parallel.For(0, evaluated.Length, i =>
            {
                var record = map.Records[i];
                var decoded = map.Decode(record);
                var function = FunctionEvaluator.Evaluate(record.Name, decoded, profile, out var isMismatch);
                if (function != null && paths != PathEquivalence.None) function = function with { Files = Array.ConvertAll(function.Files, paths.Find) };
                evaluated[i] = (function, record.StructuralHash, isMismatch ? new Mismatch(record.Name, record.StructuralHash, paths.Find(decoded.DefiningFile), binary) : null);
            });
        }
        catch (AggregateException e) when (e.InnerExceptions.OfType<WeftException>().FirstOrDefault() is { } inner)
        {
            throw new WeftException(inner.Message, inner.Help, inner.ExitCode, inner);
        }
        return evaluated;
    }

    private void AddTo(string file, int function)
    {
        if (!functionsOf.TryGetValue(file, out var functions)) functionsOf.Add(file, functions = []);
        if (functions.Count == 0 || functions[^1] != function) functions.Add(function);
    }
}

/// <summary>A function whose counts are for another shape of it.</summary>
/// <param name="Name">As in profiles.</param>
/// <param name="StructuralHash">The one its map has.</param>
/// <param name="File">Where it is defined.</param>
/// <param name="Binary">Which has it.</param>
public sealed record Mismatch(string Name, ulong StructuralHash, string File, string Binary)
{
    /// <inheritdoc cref="FunctionCoverage.Symbol"/>
    public string Symbol => FunctionCoverage.SymbolOf(Name);
}
