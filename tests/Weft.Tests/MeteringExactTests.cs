namespace Weft.Tests;

/// <summary><c>--metering-limits exact</c>: the same memory at the limit, and the same way out, whatever the optimiser did.</summary>
public sealed class MeteringExactTests : IDisposable
{
    private static readonly string[] Levels = ["-O0", "-O1", "-O2", "-O3", "-Os", "-Oz"];

    private readonly Harness harness = new();

    public void Dispose() => harness.Dispose();

    [TheoryNeeds("clang-22")]
    [InlineData("exact.c")]
    [InlineData("chunks.c")]
    public void Memory_at_a_limit_is_the_same_at_every_level_and_in_the_reference_mode(string source) => SameEverywhere(source, "clang-22", [.. Limits(60)]);

    [Needs("clang-22")]
    public void What_a_caller_has_pending_counts_at_a_limit_in_a_function_that_calls_nothing() => SameEverywhere("pending.c", "clang-22");

    [TheoryNeeds("clang-22", "qemu-aarch64", "aarch64-linux-gnu-gcc"), Trait("Category", "Slow")]
    [InlineData("exact.c")]
    [InlineData("chunks.c")]
    public void Memory_at_1000_limits_is_the_same_at_every_level_and_on_aarch64(string source)
    {
        string[] limits = [.. Limits(1000)];
        Assert.Equal(SameEverywhere(source, "clang-22", limits), RunOnArm(source, limits));
    }

    [TheoryNeeds("clang-22", "qemu-aarch64", "aarch64-linux-gnu-gcc")]
    [InlineData("exact.c")]
    [InlineData("chunks.c")]
    public void Memory_at_a_limit_is_the_same_on_aarch64(string source)
    {
        harness.Environment["WEFT_CC"] = "clang-22";
        string[] limits = [.. Limits(20)];
        Assert.Equal(Run(source, ["-O2"], [], limits), RunOnArm(source, limits));
    }

    [TheoryNeeds("clang-22")]
    [InlineData("777")]
    [InlineData("2000")]
    [InlineData("200000")]
    public void An_exception_from_a_limit_runs_the_same_destructors_at_every_level(string units)
    {
        var output = SameEverywhere("unwinding.cpp", "clang++-22", units);
        Assert.Equal(5, output.Split("live 0").Length - 1);
    }

    [Needs("clang++-22")]
    public void A_callback_that_must_not_throw_is_told_so()
    {
        harness.Environment["WEFT_CC"] = "clang++-22";
        Build("unwinding.cpp", ["-O2", "--metering-limits=on", "-lstdc++"]);
        var outcome = harness.Run(harness.Path("p"), "2000");
        Assert.Equal(124, outcome.ExitCode);
        Assert.StartsWith("cannot unwind\n", outcome.Errors, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("on")]
    [InlineData("exact")]
    [InlineData("exact", "--release")]
    public void The_crate_s_own_tests_of_limits_pass(string limits, params string[] options)
    {
        var outcome = harness.RunWeft(["cargo", "test", "--offline", "--manifest-path", Path.Combine(Harness.Root, "crates/weft/Cargo.toml"), "--target-dir", harness.Path("target"), "--with", "metering", "--metering-limits", limits, .. options, "--test", "metering"]);
        Assert.True(outcome.ExitCode == 0, outcome.Output + outcome.Errors);
    }

    private string SameEverywhere(string source, string compiler, params string[] limits)
    {
        harness.Environment["WEFT_CC"] = compiler;
        var expected = Run(source, ["-O2", "--metering-mode=reference"], [], limits);
        foreach (var level in Levels) Assert.Equal((level, expected), (level, Run(source, [level], [], limits)));
        return expected;
    }

    private string RunOnArm(string source, string[] limits) => Run(source, ["-O2", "--target=aarch64-linux-gnu"], ["qemu-aarch64", "-L", "/usr/aarch64-linux-gnu"], limits);

    private string Run(string source, string[] options, string[] runner, string[] limits)
    {
        Build(source, ["--metering-limits=exact", .. options, .. source.EndsWith(".cpp", StringComparison.Ordinal) ? ["-lstdc++"] : Array.Empty<string>()]);
        string[] command = [.. runner, harness.Path("p"), .. limits];
        return harness.Must(command[0], command[1..]).Output;
    }

    private void Build(string source, string[] options) =>
        harness.Must(Harness.Weft, ["cc", "--with=metering", .. options, Path.Combine(Harness.Root, "tests/fixtures/metering", source), "-o", harness.Path("p")]);

    private static IEnumerable<string> Limits(int count)
    {
        var random = new Random(20261123);
        return Enumerable.Range(0, count).Select(_ => random.Next(400_000).ToString(System.Globalization.CultureInfo.InvariantCulture));
    }
}
