namespace Weft.Coverage.Model;

/// <summary>
/// The functions of several binaries, as LLVM's CoverageMapping has them: one that is in several binaries, with the same files, is
/// there once. If all have the same counters, its counts are those of all in the profile already; if other counters are for the
/// same regions, as for another processor or with other options, counts are added up here. Functions of one name and file that
/// differ in regions are noted, and the first stays.
/// </summary>
internal sealed class FunctionTable
{
    private readonly List<FunctionCoverage> functions = [];
    private readonly Dictionary<(string Name, string File), Entry> entries = [];
    private readonly Dictionary<string, (string First, string Second, HashSet<string> Functions)> conflicts = [];

    public IReadOnlyList<FunctionCoverage> Functions => functions;

    /// <summary>Where binaries were built from several versions of a file.</summary>
    public IReadOnlyList<VersionConflict> Conflicts => [.. conflicts.Select(c => new VersionConflict(c.Key, c.Value.First, c.Value.Second, [.. c.Value.Functions]))];

    /// <param name="function">What ran of it.</param>
    /// <param name="hash">Of its shape: which counters it has.</param>
    /// <param name="binary">Where it is from.</param>
    public void Add(FunctionCoverage function, ulong hash, string binary)
    {
        var place = (function.Name, function.DefiningFile);
        var first = entries.GetValueOrDefault(place);
        for (var known = first; known != null; known = known.Next)
        {
            if (!functions[known.Index].Files.AsSpan().SequenceEqual(function.Files)) continue;
            Combine(known, function, hash, binary);
            return;
        }
        if (first != null) Note(first, function, binary);
        entries[place] = new Entry(functions.Count, binary, hash) { Next = first };
        functions.Add(function);
    }

    private void Combine(Entry known, FunctionCoverage function, ulong hash, string binary)
    {
        var before = functions[known.Index];
        if (function.IsUnused) return;
        if (before.IsUnused) (functions[known.Index], known.Binary, known.Hashes) = (function, binary, [hash]);
        else if (!HasSameShape(before, function)) Note(known, function, binary);
        else if (known.Hashes.Contains(hash)) return;
        else if (before.Decisions.Length + function.Decisions.Length > 0) Note(known, function, binary); // vectors cannot be added up
        else (functions[known.Index], known.Hashes) = (Sum(before, function), [.. known.Hashes, hash]);
    }

    /// <summary>Code that nothing uses has no regions in it, and in one binary macros may have other meanings from file to file.</summary>
    private void Note(Entry known, FunctionCoverage function, string binary)
    {
        if (known.Binary == binary || function.IsUnused || functions[known.Index].IsUnused) return;
        if (!conflicts.TryGetValue(function.DefiningFile, out var conflict)) conflicts.Add(function.DefiningFile, conflict = (known.Binary, binary, []));
        conflict.Functions.Add(function.Symbol);
    }

    private static bool HasSameShape(FunctionCoverage a, FunctionCoverage b) =>
        a.Regions.Select(Place).SequenceEqual(b.Regions.Select(Place)) && a.Branches.Select(Place).SequenceEqual(b.Branches.Select(Place));

    private static (ulong, ulong, int, int, RegionKind) Place(CountedRegion region) => (region.Start, region.End, region.File, region.ExpandedFile, region.Kind);

    private static FunctionCoverage Sum(FunctionCoverage a, FunctionCoverage b) => a with
    {
        Count = a.Count + b.Count,
        Regions = [.. a.Regions.Zip(b.Regions, Sum)],
        Branches = [.. a.Branches.Zip(b.Branches, Sum)],
    };

    private static CountedRegion Sum(CountedRegion a, CountedRegion b) => a with
    {
        Count = a.Count + b.Count,
        FalseCount = a.FalseCount + b.FalseCount,
        IsNeverTrue = a.IsNeverTrue && b.IsNeverTrue,
        IsNeverFalse = a.IsNeverFalse && b.IsNeverFalse,
    };

    /// <summary>A function, and those of the same name and file before it, which have other macros.</summary>
    private sealed class Entry(int index, string binary, ulong hash)
    {
        public int Index => index;

        public string Binary { get; set; } = binary;

        /// <summary>Of the counters that are in its counts.</summary>
        public ulong[] Hashes { get; set; } = [hash];

        public Entry? Next { get; init; }
    }
}

/// <summary>A source file of which two binaries have different versions.</summary>
/// <param name="File">Its path.</param>
/// <param name="First">A binary whose functions count.</param>
/// <param name="Second">A binary that has others.</param>
/// <param name="Functions">Symbols of those that differ.</param>
public sealed record VersionConflict(string File, string First, string Second, IReadOnlyList<string> Functions);
