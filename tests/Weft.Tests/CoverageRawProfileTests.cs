using Weft.Core;
using Weft.Coverage.Profiles;

namespace Weft.Tests;

/// <summary>Raw profiles of other machines and other versions of LLVM than are at hand.</summary>
public sealed class CoverageRawProfileTests : IDisposable
{
    private readonly Harness harness = new();

    public void Dispose() => harness.Dispose();

    public static TheoryData<int, bool, bool> Layouts
    {
        get
        {
            var layouts = new TheoryData<int, bool, bool>();
            foreach (var version in (int[])[8, 9, 10])
                foreach (var wide in (bool[])[true, false])
                    foreach (var bigEndian in (bool[])[false, true]) layouts.Add(version, wide, bigEndian);
            return layouts;
        }
    }

    [Theory]
    [MemberData(nameof(Layouts))]
    public void Profiles_of_any_version_width_and_byte_order_are_read_also_one_behind_the_other(int version, bool wide, bool bigEndian)
    {
        var functions = Functions(version >= 9);
        var one = new RawProfileWriter(version, wide, bigEndian).Write(functions, valueSites: true, binaryId: "0123456789");
        Assert.Equal(Text(functions, 1), Read(one));
        Assert.Equal(Text(functions, 2), Read([.. one, .. one]));
        Assert.Equal("30313233343536373839", Convert.ToHexString(ProfileFile.Read(harness.Path("p")).BinaryIds.Single()));
    }

    [TheoryNeeds("llvm-profdata-22")]
    [InlineData(true, false)]
    [InlineData(true, true)]
    [InlineData(false, false)]
    [InlineData(false, true)]
    public void What_the_tests_write_is_what_LLVM_takes_for_a_raw_profile(bool wide, bool bigEndian)
    {
        var functions = Functions(withBitmaps: true);
        File.WriteAllBytes(harness.Path("p.profraw"), new RawProfileWriter(10, wide, bigEndian).Write(functions, binaryId: "01234567"));
        harness.Must("llvm-profdata-22", "merge", "-text", "p.profraw", "-o", "p.proftext");
        Assert.Equal(File.ReadAllText(harness.Path("p.proftext")), Text(functions, 1));
    }

    [Theory]
    [InlineData(8)]
    [InlineData(10)]
    public void Single_bytes_become_counts_of_zero_and_one(int version)
    {
        var functions = Functions(withBitmaps: false);
        var file = new RawProfileWriter(version, variants: (ulong)ProfileVariants.SingleByte).Write(functions);
        Assert.Contains("\nmain\n# Func Hash:\n11\n# Num Counters:\n3\n# Counter Values:\n1\n0\n1\n", Read(file), StringComparison.Ordinal);
    }

    [Fact]
    public void Cut_anywhere_a_profile_is_refused_with_a_sentence()
    {
        var whole = new RawProfileWriter(10).Write(Functions(withBitmaps: true), valueSites: true, binaryId: "id");
        for (var length = 0; length < whole.Length; length++)
        {
            var refused = Assert.Throws<WeftException>(() => Read(whole.AsSpan(0, length)));
            Assert.NotNull(refused.Help);
            Assert.Contains(length == 0 ? "empty" : length < 8 ? "" : "cut short", refused.Message, StringComparison.Ordinal);
        }
    }

    [Theory]
    [InlineData((ulong)ProfileVariants.DebugInfoCorrelation, "debug information")]
    [InlineData((ulong)ProfileVariants.Temporal, "temporal")]
    public void Profiles_whose_names_or_counts_are_elsewhere_are_refused_by_name(ulong variants, string reason)
    {
        var file = new RawProfileWriter(10, variants: variants).Write(Functions(withBitmaps: false));
        Assert.Contains(reason, Assert.Throws<WeftException>(() => Read(file)).Message, StringComparison.Ordinal);
    }

    /// <summary>LLVM 18 had another layout of bitmaps: what it says must not be mixed with what later versions say.</summary>
    [Fact]
    public void Bitmaps_of_LLVM_18_are_not_added_to_those_of_later_versions()
    {
        var functions = Functions(withBitmaps: true);
        string[] files = [harness.Path("9.profraw"), harness.Path("10.profraw")];
        File.WriteAllBytes(files[0], new RawProfileWriter(9).Write(functions));
        File.WriteAllBytes(files[1], new RawProfileWriter(10).Write(functions));
        var result = ProfileMerge.Merge(files);
        Assert.True(result.Profile.BitmapsByCondition);
        Assert.Contains(files[1], Assert.Single(result.Skipped), StringComparison.Ordinal);
        File.WriteAllBytes(files[1], new RawProfileWriter(8).Write(Functions(withBitmaps: false)[..1]));
        Assert.Empty(ProfileMerge.Merge([files[1], files[0]]).Skipped);
    }

    private static List<FunctionCounts> Functions(bool withBitmaps) =>
    [
        Function("main", 11, [5, 0, 1UL << 40], withBitmaps ? [1, 2, 0x80] : []),
        Function("größe", 12, [1], []),
        Function("a.c;local", ulong.MaxValue >> 4, [0, 7], withBitmaps ? [0xFF] : []),
    ];

    private static FunctionCounts Function(string name, ulong hash, ulong[] counts, byte[] bitmap) => new(name, ProfileNames.Hash(name), hash, counts, bitmap);

    private static string Text(List<FunctionCounts> functions, int times)
    {
        var profile = new Profile();
        for (; times > 0; times--)
            foreach (var f in functions) profile.Add(new FunctionCounts(f.Name, f.NameHash, f.StructuralHash, [.. f.Counts], [.. f.Bitmap]));
        return CoverageProfileTests.Text(profile);
    }

    private string Read(ReadOnlySpan<byte> file)
    {
        File.WriteAllBytes(harness.Path("p"), file);
        return CoverageProfileTests.Text(ProfileFile.Read(harness.Path("p")));
    }
}
