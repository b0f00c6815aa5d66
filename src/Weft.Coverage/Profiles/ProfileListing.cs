namespace Weft.Coverage.Profiles;

/// <summary>A profile for people: the text of <c>llvm-profdata show --all-functions --counts</c>.</summary>
public static class ProfileListing
{
    public static void Write(Profile profile, TextWriter output)
    {
        if (profile.Functions.Count > 0) output.Write("Counters:\n");
        foreach (var function in profile.Functions) Write(function, profile, output);
        var summary = ProfileSummary.Of(profile.Functions);
        output.Write($"Instrumentation level: {Level(profile.Variants)}\n");
        output.Write($"Functions shown: {profile.Functions.Count}\nTotal functions: {summary.Functions}\n");
        output.Write($"Maximum function count: {summary.LargestEntry}\nMaximum internal block count: {summary.LargestInner}\n");
        output.Write($"Total number of blocks: {summary.Counters}\nTotal count: {summary.Total}\n");
    }

    private static void Write(FunctionCounts function, Profile profile, TextWriter output)
    {
        var isFrontEnd = !profile.Variants.HasFlag(ProfileVariants.IntermediateRepresentation);
        output.Write($"  {function.Name}:\n    Hash: 0x{function.StructuralHash:x16}\n    Counters: {function.Counts.Length}\n");
        if (isFrontEnd) output.Write($"    Function count: {function.Counts[0]}\n");
        output.Write($"    Block counts: [{string.Join(", ", isFrontEnd ? function.Counts[1..] : function.Counts)}]\n");
    }

    private static string Level(ProfileVariants variants)
    {
        var level = variants.HasFlag(ProfileVariants.IntermediateRepresentation) ? "IR" : "Front-end";
        return variants.HasFlag(ProfileVariants.EntryFirst) ? $"{level}  entry_first = 1" : level;
    }
}
