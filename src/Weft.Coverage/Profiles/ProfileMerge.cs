using Weft.Core;

namespace Weft.Coverage.Profiles;

/// <summary>What became of many profiles.</summary>
/// <param name="Profile">The sum of those that could be read.</param>
/// <param name="Read">How many those are.</param>
/// <param name="Skipped">What is wrong with the others, each a sentence that names the file.</param>
/// <param name="Warnings">What of files that were read does not fit together, each a sentence.</param>
public sealed record MergeResult(Profile Profile, int Read, IReadOnlyList<string> Skipped, IReadOnlyList<string> Warnings);

/// <summary>
/// Sums of profiles, as <c>llvm-profdata merge</c> makes them, but a file that is damaged costs what is in it, not all: programs
/// that are killed leave such files.
/// </summary>
public static class ProfileMerge
{
    private static readonly (MergeProblems Problem, string What)[] Sentences =
    [
        (MergeProblems.CounterMismatch, "there are other numbers of counters than in files before it: left out counts"),
        (MergeProblems.BitmapMismatch, "there are other sizes of MC/DC bitmaps than in files before it: left out those"),
        (MergeProblems.Overflow, "counts are too large to add up: those"),
    ];

    /// <summary>Reads several files at a time; what is added is the same as one by one, in this order.</summary>
    /// <param name="paths">The files.</param>
    /// <param name="failOnDamage">Throw for the first file that cannot be read.</param>
    /// <exception cref="WeftException">See <paramref name="failOnDamage"/>.</exception>
    public static MergeResult Merge(IReadOnlyList<string> paths, bool failOnDamage = false)
    {
        var names = new ProfileNames.Cache();
        var merged = new Profile();
        List<string> skipped = [], warnings = [];
        var read = 0;
        foreach (var (path, profile, error) in paths.AsParallel().AsOrdered().WithMergeOptions(ParallelMergeOptions.NotBuffered).Select(path => TryRead(path, names)))
        {
            var problem = error ?? WhyNot(path, profile!, merged, read);
            if (problem == null) Add(path, profile!, merged, read++, warnings);
            else if (failOnDamage) throw problem;
            else skipped.Add(problem.Message);
        }
        return new MergeResult(merged, read, skipped, warnings);
    }

    private static (string Path, Profile? Profile, WeftException? Error) TryRead(string path, ProfileNames.Cache names)
    {
        try { return (path, ProfileFile.Read(path, names), null); }
        catch (WeftException e) { return (path, null, e); }
    }

    private static WeftException? WhyNot(string path, Profile profile, Profile merged, int read)
    {
        const ProfileVariants exclusive = ProfileVariants.IntermediateRepresentation | ProfileVariants.EntryOnly;
        if (read == 0) return null;
        if ((profile.Variants & exclusive) != (merged.Variants & exclusive)) return new WeftException($"cannot add profile '{path}': its counters are of another kind than those before it", "merge profiles of one kind of instrumentation");
        return profile.BitmapsByCondition == merged.BitmapsByCondition || !HasBitmaps(profile) || !HasBitmaps(merged)
            ? null
            : new WeftException($"cannot add profile '{path}': LLVM 18 laid out MC/DC bitmaps in another way than those before it have", "merge profiles of one version of LLVM");
    }

    private static bool HasBitmaps(Profile profile) => profile.Functions.Any(f => f.Bitmap.Length > 0);

    /// <summary>Adds what one file has to what <paramref name="read"/> files had; its records become those of the sum.</summary>
    internal static void Add(string path, Profile profile, Profile merged, int read, List<string> warnings)
    {
        if (merged.BitmapsByCondition != profile.BitmapsByCondition && !HasBitmaps(merged)) merged.BitmapsByCondition = profile.BitmapsByCondition;
        merged.Variants |= profile.Variants;
        foreach (var id in profile.BinaryIds) merged.AddBinaryId(id);
        var problems = new Dictionary<MergeProblems, (int Count, string Example)>();
        foreach (var function in profile.Functions)
        {
            function.Next = null;
            var found = merged.Add(function);
            foreach (var (problem, _) in Sentences)
                if (found.HasFlag(problem)) problems[problem] = problems.TryGetValue(problem, out var before) ? (before.Count + 1, before.Example) : (1, function.Name);
        }
        foreach (var (problem, what) in Sentences)
            if (problems.TryGetValue(problem, out var told)) warnings.Add($"'{path}': {what} of {(told.Count == 1 ? "function" : $"{told.Count} functions, the first is")} '{told.Example}'");
    }
}
