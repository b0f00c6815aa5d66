using System.Globalization;

namespace Weft.Tests;

/// <summary>The judge of bots and the host of plugins, through the doors that people use.</summary>
public sealed class MeteringExamplesTests : IDisposable
{
    private const string Clang = "clang-22";

    private readonly Harness harness = new();

    public MeteringExamplesTests()
    {
        harness.Environment["WEFT_CC"] = Clang;
        harness.Environment["PATH"] = Path.GetDirectoryName(Harness.Weft) + ":" + Environment.GetEnvironmentVariable("PATH");
        harness.Environment["CARGO_TARGET_DIR"] = harness.Path("target");
    }

    public void Dispose() => harness.Dispose();

    [Needs(Clang, "make")]
    public void Each_bot_that_misbehaves_loses_for_its_own_reason()
    {
        string[] bots = ["hungry", "crash", "cheat", "babble", "waits"];
        BuildBots("-O2", ["greedy", .. bots]);
        var output = Judge(["greedy", .. bots]);
        Assert.Equal(
        [
            "greedy wins: hungry wanted more than 128 MB of memory",
            "greedy wins: crash crashed: Segmentation fault",
            "greedy wins: cheat took a cell that is not free: 12",
            "greedy wins: babble said what is no move",
            "greedy wins: waits gave no answer for 3 seconds",
        ], Results(output));
    }

    [Needs(Clang, "make")]
    public void A_match_is_the_same_in_every_run_and_at_every_level()
    {
        BuildBots("-O2", "greedy", "deep", "endless");
        var first = Judge("greedy", "deep", "endless");
        Assert.Equal(["deep wins: four in a row", "greedy wins: endless used up its 10000000 units"], Results(first));
        Assert.Equal(first, Judge("greedy", "deep", "endless"));
        harness.Must("make", "clean");
        BuildBots("-O0", "greedy", "deep", "endless");
        Assert.Equal(first, Judge("greedy", "deep", "endless"));
    }

    [Needs(Clang, "make")]
    public void Bots_that_no_meter_sees_are_not_built()
    {
        CopyJudge();
        var outcome = harness.Must("make", "refused");
        Assert.Contains("bots/refused/assembly.c:9: inline assembly in function 'choose'", outcome.Errors, StringComparison.Ordinal);
        Assert.Contains("bots/refused/suspend.c:11: 'weft_metering_suspend' changes what is counted or limited", outcome.Errors, StringComparison.Ordinal);
    }

    [Needs(Clang, "make")]
    public void Without_Weft_only_the_clock_ends_a_loop()
    {
        CopyJudge();
        harness.Must("make", $"CC={Clang}", "HOSTCC=" + Clang, Include, "judge", "bots/greedy", "bots/endless");
        var output = Judge("greedy", "endless");
        Assert.Equal(["greedy wins: endless gave no answer for 3 seconds"], Results(output));
        Assert.Contains("     1 x   12          0   10000000\n", output, StringComparison.Ordinal);
    }

    [TheoryNeeds("cargo")]
    [InlineData("")]
    [InlineData("--release")]
    public void Each_plugin_is_bounded_and_the_host_goes_on(string profile)
    {
        var first = Plugins("weft cargo run " + profile);
        var rows = first.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(l => l.Split(' ', 6, StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries)).Skip(1).ToList();
        Assert.Equal(
        [
            ("longest", "said \"foolishness\""),
            ("twins", "stopped at 300000 units"),
            ("endless", "stopped at 300000 units"),
            ("stubborn", "stopped at 300000 units"),
            ("careless", "panicked"),
        ], rows.Select(r => (r[0], r[5])));
        Assert.All(rows, r => Assert.InRange(int.Parse(r[4], CultureInfo.InvariantCulture), 100, r[0] == "stubborn" ? 902_000 : 301_000));
        Assert.Equal(first, Plugins("weft cargo run " + profile));
    }

    [Needs("cargo")]
    public void Without_Weft_no_plugin_is_run() => Assert.StartsWith("Built without Weft's metering", Plugins("cargo run"), StringComparison.Ordinal);

    // From its folder, where the settings in its Cargo.toml count.
    private string Plugins(string command) => harness.Must("sh", "-c", $"cd '{Path.Combine(Harness.Root, "examples/metering-plugins")}' && {command} --quiet --offline").Output;

    private static string Include => $"CPPFLAGS=-I{Path.Combine(Harness.Root, "runtime/include")}";

    private void CopyJudge()
    {
        var from = Path.Combine(Harness.Root, "examples/metering-judge");
        foreach (var file in Directory.EnumerateFiles(from, "*", SearchOption.AllDirectories).Where(f => Path.GetExtension(f) is ".c" or ".h" || Path.GetFileName(f) == "Makefile"))
            harness.Write(Path.GetRelativePath(from, file), File.ReadAllText(file));
    }

    private void BuildBots(string level, params string[] bots)
    {
        CopyJudge();
        harness.Must("make", ["-j2", Include, $"CFLAGS={level} -std=gnu11 -Wall -Wextra -Werror", "HOSTCC=" + Clang, "judge", .. bots.Select(b => "bots/" + b)]);
    }

    private string Judge(params string[] bots) => harness.Must(harness.Path("judge"), [.. bots.Select(b => harness.Path("bots/" + b))]).Output;

    private static List<string> Results(string output) => [.. output.Split('\n').Where(l => l.Contains(" wins", StringComparison.Ordinal))];
}
