using Weft.Core;
using Weft.Coverage.Profiles;

namespace Weft.Tests;

/// <summary>Profiles read, added up and written, against llvm-profdata.</summary>
public sealed class CoverageProfileTests : IDisposable
{
    private readonly Harness harness = new();

    public void Dispose() => harness.Dispose();

    [TheoryNeeds("clang++-22", "llvm-profdata-22")]
    [InlineData("c 22")]
    [InlineData("single byte 22")]
    [InlineData("decisions 22")]
    [InlineData("library 22")]
    public void A_merged_profile_of_version_13_is_what_llvm_profdata_22_writes(string sample) => AssertMerged(CoveragePrograms.Get(sample), "22", 13);

    [TheoryNeeds("clang++-19", "llvm-profdata-19")]
    [InlineData("c 19")]
    [InlineData("c++ 19")]
    public void A_merged_profile_of_version_12_is_what_llvm_profdata_19_writes(string sample) => AssertMerged(CoveragePrograms.Get(sample), "19", 12);

    /// <summary>Hashes of rustc have a bit that LLVM takes for a mark, and leaves such functions out of the summary.</summary>
    [Needs("rustc", "llvm-profdata-22")]
    public void A_merged_profile_of_rustc_is_what_llvm_profdata_writes() => AssertMerged(CoveragePrograms.Get("rust"), "22", 13);

    [Needs("clang++-22", "llvm-profdata-22")]
    public void Profiles_as_text_are_those_of_llvm_profdata_and_are_read_back()
    {
        foreach (var name in (string[])["c 22", "single byte 22"])
        {
            var sample = CoveragePrograms.Get(name);
            harness.Must("llvm-profdata-22", "merge", "-text", sample.Indexed, "-o", "theirs");
            var ours = Text(ProfileFile.Read(sample.Indexed));
            Assert.Equal(File.ReadAllText(harness.Path("theirs")), ours);
            Assert.Equal(ours, Text(ProfileFile.Read(harness.Path("theirs"))));
        }
    }

    [Needs("clang-22", "llvm-profdata-22")]
    public void Listings_are_those_of_llvm_profdata()
    {
        var sample = CoveragePrograms.Get("c 22");
        foreach (var file in (string[])[sample.Indexed, sample.RawProfiles[0]])
        {
            var ours = new StringWriter();
            ProfileListing.Write(ProfileFile.Read(file), ours);
            Assert.Equal(harness.Must("llvm-profdata-22", "show", "--all-functions", "--counts", file).Output, ours.ToString());
        }
    }

    [Needs("llvm-profdata-22")]
    public void Sums_stop_at_the_largest_count_and_records_that_do_not_fit_are_left_out()
    {
        // LLVM gives a function without a bitmap that of the function before it: those with one come last.
        harness.Write("a", "g\n9\n1\n4\n\nf\n1\n2\n18446744073709551610\n7\n$1\n0x5\n");
        harness.Write("b", "g\n9\n2\n4\n5\n\ng\n0xA\n1\n3\n\nh\n1\n1\n1\n\nf\n1\n2\n10\n8\n$1\n0x2\n");
        var result = ProfileMerge.Merge([harness.Path("a"), harness.Path("b")]);
        Assert.Equal((2, 2), (result.Read, result.Warnings.Count));
        Assert.Contains(result.Warnings, w => w.Contains("too large", StringComparison.Ordinal) && w.Contains("'f'", StringComparison.Ordinal));
        Assert.Contains(result.Warnings, w => w.Contains("other numbers of counters", StringComparison.Ordinal));
        harness.Must("llvm-profdata-22", "merge", "-text", "-num-threads=1", "a", "b", "-o", "theirs");
        Assert.Equal(File.ReadAllText(harness.Path("theirs")), Text(result.Profile));
        Assert.Equal([18446744073709551613UL, 15UL], result.Profile.Find(ProfileNames.Hash("f"), 1)!.Counts);
        Assert.Equal([7], result.Profile.Find(ProfileNames.Hash("f"), 1)!.Bitmap);
    }

    [Needs("llvm-profdata-22")]
    public void Values_profiled_are_skipped_in_text_and_in_indexed_profiles()
    {
        const string plain = "f\n1\n1\n3\n\ng\n2\n2\n4\n5\n";
        harness.Write("values", "f\n1\n1\n3\n1\n1\n2\n2\n5:3\n6:1\n1\n7:9\n\ng\n2\n2\n4\n5\n");
        harness.Must("llvm-profdata-22", "merge", "values", "-o", "values.profdata");
        harness.Write("plain", plain);
        var expected = Text(ProfileFile.Read(harness.Path("plain")));
        Assert.Equal(expected, Text(ProfileFile.Read(harness.Path("values"))));
        Assert.Equal(expected, Text(ProfileFile.Read(harness.Path("values.profdata"))));
    }

    [Needs("clang-22", "llvm-profdata-22")]
    public void A_damaged_profile_is_named_and_costs_only_itself()
    {
        var sample = CoveragePrograms.Get("c 22");
        var whole = File.ReadAllBytes(sample.RawProfiles[0]);
        File.WriteAllBytes(harness.Path("cut.profraw"), whole[..(whole.Length / 2)]);
        harness.Write("empty.profraw", "");
        harness.Write("text.profraw", "what is this?\nit is text\n");
        File.WriteAllBytes(harness.Path("new.profraw"), [.. whole[..8], 99, .. whole[9..]]);
        harness.Write("ir.proftext", ":ir\nf\n1\n1\n1\n");
        string[] bad = [harness.Path("cut.profraw"), harness.Path("empty.profraw"), harness.Path("text.profraw"), harness.Path("new.profraw"), harness.Path("ir.proftext"), harness.Path("absent")];

        var result = ProfileMerge.Merge([sample.RawProfiles[0], .. bad, sample.RawProfiles[0]]);
        Assert.Equal(2, result.Read);
        string[] reasons = ["cut short in", "it is empty", "is not a number", "version 99", "of another kind", "Could not find"];
        Assert.Equal(bad.Length, result.Skipped.Count);
        foreach (var (sentence, path, reason) in result.Skipped.Zip(bad, reasons))
        {
            Assert.Contains(path, sentence, StringComparison.Ordinal);
            Assert.Contains(reason, sentence, StringComparison.Ordinal);
        }
        harness.Must("llvm-profdata-22", "merge", "-text", sample.RawProfiles[0], sample.RawProfiles[0], "-o", "theirs");
        Assert.Equal(File.ReadAllText(harness.Path("theirs")), Text(result.Profile));
        Assert.Throws<WeftException>(() => ProfileMerge.Merge([sample.RawProfiles[0], bad[0]], failOnDamage: true));
    }

    [Fact]
    public void Many_profiles_add_up_in_any_order_of_reading()
    {
        const int count = 200;
        var files = Enumerable.Range(0, count).Select(i => harness.Write($"{i}.proftext", $"f\n1\n2\n1\n{i}\n\nf{i % 7}\n5\n1\n{i}\n")).ToList();
        var profile = ProfileMerge.Merge(files).Profile;
        Assert.Equal([count, count * (count - 1) / 2], profile.Find(ProfileNames.Hash("f"), 1)!.Counts.Select(c => (int)c));
        Assert.Equal(["f", "f0", "f1", "f2", "f3", "f4", "f5", "f6"], profile.Functions.Select(f => f.Name));
    }

    internal static string Text(Profile profile)
    {
        var text = new StringWriter();
        TextProfile.Write(profile, text);
        return text.ToString();
    }

    /// <summary>Sums of one and of several runs.</summary>
    private void AssertMerged(CoverageSample sample, string version, int format)
    {
        foreach (var inputs in (IReadOnlyList<string>[])[sample.RawProfiles, [.. sample.RawProfiles, sample.Indexed, .. sample.RawProfiles]])
        {
            harness.Must($"llvm-profdata-{version}", ["merge", .. inputs, "-o", "theirs"]);
            using var ours = new MemoryStream();
            IndexedProfileWriter.Write(ProfileMerge.Merge(inputs).Profile, format, ours);
            Assert.Equal(File.ReadAllBytes(harness.Path("theirs")), ours.ToArray());
        }
    }
}
