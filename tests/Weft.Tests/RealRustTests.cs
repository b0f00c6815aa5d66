using System.Text.RegularExpressions;
using Weft.RealPrograms;

namespace Weft.Tests;

/// <summary>Debian's Rust programs under Weft: their own test suites pass, and they print what a plain build prints.</summary>
[Trait("Category", "Slow"), Collection("real programs")]
public sealed partial class RealRustTests
{
    [TheoryNeeds("cargo", "apt-get")]
    [InlineData("")]
    [InlineData("metering")]
    [InlineData("interrupts")]
    [InlineData("tracing")]
    [InlineData("coverage")]
    public void Ripgrep_passes_its_tests(string with) => AssertTestsPass(RustPrograms.Ripgrep(), with, 273);

    [TheoryNeeds("cargo", "apt-get")]
    [InlineData("")]
    [InlineData("metering")]
    [InlineData("interrupts")]
    [InlineData("tracing")]
    [InlineData("coverage")]
    public void Ripgrep_finds_what_a_plain_build_finds(string with)
    {
        var folder = RustPrograms.Ripgrep();
        var corpus = RustPrograms.Corpus();
        DebianSource.Must("cargo", ["build", "--offline", "--release"], folder);
        Weft(folder, ["build", "--offline", "--release"], with);
        string[] search = ["--no-config", "-uuu", "-c", "--sort", "path", @"(?i)\b(\w+)e(r|d)\s\w{5}\s+\w+\b", corpus];
        var plain = DebianSource.Must(Path.Combine(folder, "target/release/rg"), search, folder);
        Assert.NotEmpty(plain);
        Assert.Equal(plain, DebianSource.Must(Program(folder, with), search, folder));
    }

    // As root everything is executable, so the test that looks for what is not cannot pass, woven or not.
    [TheoryNeeds("cargo", "apt-get")]
    [InlineData("")]
    [InlineData("metering")]
    [InlineData("interrupts")]
    [InlineData("tracing")]
    [InlineData("coverage")]
    public void Fd_with_threads_and_fat_lto_passes_its_tests(string with) => AssertTestsPass(RustPrograms.Fd(), with, 220, "--release", "--", "--skip", "test_type_executable");

    [TheoryNeeds("cargo", "apt-get")]
    [InlineData("")]
    [InlineData("metering")]
    [InlineData("interrupts")]
    [InlineData("tracing")]
    [InlineData("coverage")]
    public void Hashbrown_with_its_generics_passes_its_tests(string with) => AssertTestsPass(RustPrograms.Hashbrown(), with, 151, "--lib", "--tests", "--features", "rayon,serde,raw");

    [TheoryNeeds("cargo", "apt-get")]
    [InlineData("")]
    [InlineData("metering")]
    [InlineData("interrupts")]
    [InlineData("tracing")]
    [InlineData("coverage")]
    public void Tokio_with_its_tasks_and_timers_passes_its_tests(string with) =>
        AssertTestsPass(RustPrograms.Tokio(), with, 782, "--no-fail-fast", "--features", "full,test-util", "--test", "*", "--config", "profile.dev.debug=0");

    // With options an instrument's folder has a suffix.
    private static string Program(string folder, string with) =>
        Directory.GetDirectories(Path.Combine(folder, "target/weft"), with.Length == 0 ? "plain" : with + "*").Select(d => Path.Combine(d, "x86_64-unknown-linux-gnu/release/rg")).First(File.Exists);

    private static void AssertTestsPass(string folder, string with, int atLeast, params string[] more)
    {
        var output = Weft(folder, ["test", "--offline", .. more], with);
        var passed = Passed().Matches(output).Sum(m => int.Parse(m.Groups[1].ValueSpan));
        Assert.True(passed >= atLeast, $"{passed} tests passed, a plain build passes {atLeast}\n{output}");
    }

    private static string Weft(string folder, string[] arguments, string with)
    {
        string[] weaving = with.Length == 0 ? [] : ["--with", with];
        return DebianSource.Must(Harness.Weft, ["cargo", arguments[0], .. weaving, .. arguments[1..]], folder, new Dictionary<string, string?>(Everything.Of(with)) { ["WEFT_FORCE_LOWER"] = "1" }); // also without an instrument
    }

    [GeneratedRegex(@"test result: ok\. (\d+) passed")]
    private static partial Regex Passed();
}
