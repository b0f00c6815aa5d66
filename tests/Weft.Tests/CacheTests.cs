using Weft.Core;

namespace Weft.Tests;

public sealed class CacheTests : IDisposable
{
    private readonly Harness harness = new();

    public void Dispose() => harness.Dispose();

    private LoweringCache Cache(long limit = 1 << 20) => new(harness.Path("cache"), limit);

    private static string Key(int i) => LoweringCache.Key(BitConverter.GetBytes(i), "test");

    [Fact]
    public void What_is_put_is_got_and_nothing_else()
    {
        var cache = Cache();
        cache.Put(Key(1), [1, 2, 3]);
        Assert.Equal([1, 2, 3], cache.TryGet(Key(1)));
        Assert.Null(cache.TryGet(Key(2)));
        Assert.Equal((1, 3 + 32), cache.Measure());
    }

    [Fact]
    public void Keys_differ_by_content_and_by_each_circumstance()
    {
        string[] keys = [LoweringCache.Key([1], "a", "b"), LoweringCache.Key([2], "a", "b"), LoweringCache.Key([1], "ab", ""), LoweringCache.Key([1], "a", "c"), LoweringCache.Key([1], "a")];
        Assert.Equal(keys.Length, keys.Distinct().Count());
    }

    [Fact]
    public void Many_writers_of_one_entry_never_show_half_of_it()
    {
        var cache = Cache(64 << 20);
        var contents = Enumerable.Range(0, 4).Select(i => Enumerable.Repeat((byte)i, 100_000 + i).ToArray()).ToArray();
        cache.Put(Key(0), contents[0]);
        var damaged = 0;
        Parallel.For(0, 8, worker =>
        {
            for (var i = 0; i < 60; i++)
            {
                if (worker % 2 == 0) cache.Put(Key(0), contents[i % 4]);
                else if (cache.TryGet(Key(0)) is not { } got || got.Length != 100_000 + got[0] || got.Any(b => b != got[0])) Interlocked.Increment(ref damaged);
            }
        });
        Assert.Equal(0, damaged);
        Assert.Equal(1, cache.Measure().Entries);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(31)]
    [InlineData(32)]
    [InlineData(40)]
    public void A_damaged_entry_counts_as_none_and_goes_away(int at)
    {
        var cache = Cache();
        cache.Put(Key(1), new byte[100]);
        var file = Assert.Single(Directory.EnumerateFiles(cache.Root, "*", SearchOption.AllDirectories));
        var content = File.ReadAllBytes(file);
        content[at] ^= 1;
        File.WriteAllBytes(file, content);
        Assert.Null(cache.TryGet(Key(1)));
        Assert.False(File.Exists(file));
    }

    [Fact]
    public void An_entry_cut_short_counts_as_none()
    {
        var cache = Cache();
        foreach (var length in (int[])[0, 10, 32, 100])
        {
            cache.Put(Key(1), new byte[100]);
            var file = Assert.Single(Directory.EnumerateFiles(cache.Root, "*", SearchOption.AllDirectories));
            File.WriteAllBytes(file, File.ReadAllBytes(file)[..length]);
            Assert.Null(cache.TryGet(Key(1)));
        }
    }

    [Fact]
    public void Trimming_keeps_what_was_used_last()
    {
        var cache = Cache(); // writing to a full one trims it now and then, by the key, which depends on the build
        for (var i = 0; i < 10; i++)
        {
            cache.Put(Key(i), new byte[1000]);
            Age(cache, minutes: 1);
        }
        Assert.NotNull(cache.TryGet(Key(0))); // used now, so the youngest
        cache = Cache(limit: 5 * 1032);
        cache.Trim();
        Assert.True(cache.Measure().Bytes <= cache.Limit, $"{cache.Measure()}");
        Assert.Equal([0, 6, 7, 8, 9], Enumerable.Range(0, 10).Where(i => cache.TryGet(Key(i)) != null));
    }

    [Fact]
    public void Temporaries_of_killed_builds_are_swept_and_fresh_ones_left()
    {
        var cache = Cache();
        cache.Put(Key(1), [1]);
        var folder = Path.GetDirectoryName(Directory.EnumerateFiles(cache.Root, "*", SearchOption.AllDirectories).Single())!;
        string old = Path.Combine(folder, "x.weft-1-1"), fresh = Path.Combine(folder, "y.weft-1-1");
        File.WriteAllText(old, "");
        File.WriteAllText(fresh, "");
        File.SetLastWriteTimeUtc(old, DateTime.UtcNow.AddHours(-2));
        cache.Trim();
        Assert.False(File.Exists(old));
        Assert.True(File.Exists(fresh));
        Assert.Equal([1], cache.TryGet(Key(1)));
    }

    [Fact]
    public void A_folder_that_cannot_be_written_only_costs_time()
    {
        var cache = new LoweringCache(harness.Write("file", "") + "/cache", 1000);
        cache.Put(Key(1), [1]);
        Assert.Null(cache.TryGet(Key(1)));
        harness.Write("a.ll", "target triple = \"x86_64-unknown-linux-gnu\"\ndefine void @f() { ret void }");
        harness.Environment["XDG_CACHE_HOME"] = "/proc/nowhere";
        var outcome = harness.Must(Harness.Weft, "lower", "a.ll", "-o", "a.o");
        Assert.Empty(outcome.Errors);
        Assert.True(File.Exists(harness.Path("a.o")));
    }

    [Fact]
    public void A_limit_of_nothing_turns_it_off()
    {
        var cache = Cache(limit: 0);
        cache.Put(Key(1), [1]);
        Assert.Null(cache.TryGet(Key(1)));
        Assert.False(Directory.Exists(cache.Root));
    }

    [Theory]
    [InlineData("1048576", 1 << 20)]
    [InlineData("500M", 500L << 20)]
    [InlineData("4g", 4L << 30)]
    [InlineData("0", 0)]
    [InlineData("", 4L << 30)]
    public void Sizes_are_read_as_people_write_them(string text, long bytes) => Assert.Equal(bytes, LoweringCache.ParseSize(text));

    [Theory]
    [InlineData("many")]
    [InlineData("-1")]
    [InlineData("1.5G")]
    [InlineData("G")]
    [InlineData("99999999999999T")]
    public void A_size_that_is_none_is_a_usage_error(string text) => Assert.Equal(ExitCode.Usage, Assert.Throws<WeftException>(() => LoweringCache.ParseSize(text)).ExitCode);

    [Fact]
    public void Processes_at_once_share_the_cache()
    {
        harness.Write("a.ll", "target triple = \"x86_64-unknown-linux-gnu\"\ndefine void @f() { ret void }");
        harness.Environment["XDG_CACHE_HOME"] = harness.Path("xdg");
        Parallel.For(0, 6, new ParallelOptions { MaxDegreeOfParallelism = 3 }, i => harness.Must(Harness.Weft, "lower", "a.ll", "-o", $"{i}.o"));
        var first = File.ReadAllBytes(harness.Path("0.o"));
        for (var i = 1; i < 6; i++) Assert.Equal(first, File.ReadAllBytes(harness.Path($"{i}.o")));
        Assert.Contains("entries  1\n", harness.RunWeft("cache", "show").Output);
    }

    private static void Age(LoweringCache cache, int minutes)
    {
        foreach (var file in Directory.EnumerateFiles(cache.Root, "*", SearchOption.AllDirectories)) File.SetLastWriteTimeUtc(file, File.GetLastWriteTimeUtc(file).AddMinutes(-minutes));
    }
}
