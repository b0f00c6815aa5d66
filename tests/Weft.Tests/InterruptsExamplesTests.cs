using System.Globalization;
using System.Text.RegularExpressions;

namespace Weft.Tests;

/// <summary>The examples of the interrupts instrument and the woven tests of its crates, through the doors that people use.</summary>
public sealed partial class InterruptsExamplesTests : IDisposable
{
    private const string Clang = "clang-22";

    private static readonly string Examples = Path.Combine(Harness.Root, "examples");

    private readonly Harness harness = new();

    public InterruptsExamplesTests()
    {
        harness.Environment["WEFT_CC"] = Clang;
        harness.Environment["CARGO_TARGET_DIR"] = harness.Path("target");
    }

    public void Dispose() => harness.Dispose();

    [TheoryNeeds(Clang)]
    [InlineData("-O2")]
    [InlineData("-O0")]
    public void Tasks_that_never_yield_get_equal_shares_in_a_repeatable_order(string level)
    {
        var first = harness.Must(Woven("interrupts-scheduler/scheduler.c", level)).Output;
        AssertFair(first);
        Assert.Equal(first, harness.Must(harness.Path("woven")).Output);
    }

    [Needs(Clang, "qemu-aarch64", "aarch64-linux-gnu-gcc")]
    public void Tasks_are_preempted_on_aarch64() =>
        AssertFair(harness.Must("qemu-aarch64", Woven("interrupts-scheduler/scheduler.c", "-O2", "--target=aarch64-linux-gnu", "-static")).Output);

    [Needs(Clang)]
    public void Tasks_are_preempted_by_time()
    {
        var output = harness.Must(Woven("interrupts-scheduler/scheduler.c"), "cycles").Output;
        Assert.True(Tasks(output).All(t => t.Slices > 10), output);
    }

    [Needs(Clang)]
    public void Without_Weft_each_task_runs_to_its_end()
    {
        var output = harness.Must(Plain("interrupts-scheduler/scheduler.c")).Output;
        Assert.Contains("Built without Weft's interrupts", output, StringComparison.Ordinal);
        Assert.True(Tasks(output) is { Count: 4 } tasks && tasks.All(t => t.Slices == 1), output);
    }

    [TheoryNeeds(Clang)]
    [InlineData("-O2")]
    [InlineData("-O0")]
    [InlineData("-O3", "-march=native", "-ffast-math")]
    public void A_library_that_knows_nothing_of_it_is_cancelled_and_does_the_next_job(params string[] options)
    {
        var output = harness.Must(Woven("interrupts-progress/progress.c", [.. options, Example("interrupts-progress/library.c"), "-lm"])).Output;
        Assert.Matches(@"^first job: 900 equations\n(  \d0 %\n)+first job: cancelled\nsecond job: 400 equations\n(  \d0 %\n)+second job: solved\n$", output);
        Assert.Equal(output, harness.Must(harness.Path("woven")).Output);
    }

    [Needs(Clang)]
    public void Without_Weft_no_job_is_cancelled()
    {
        var output = harness.Must(Plain("interrupts-progress/progress.c", Example("interrupts-progress/library.c"), "-lm")).Output;
        Assert.Contains("Built without Weft's interrupts", output, StringComparison.Ordinal);
        Assert.EndsWith("first job: 900 equations\nfirst job: solved\nsecond job: 400 equations\nsecond job: solved\n", output, StringComparison.Ordinal);
    }

    [TheoryNeeds(Clang)]
    [InlineData("cycles")]
    [InlineData("instructions")]
    [InlineData("flag")]
    public void The_demo_in_C_is_interrupted(string clock)
    {
        var output = harness.Must(Woven("ci-demo-c/demo.c", $"--interrupts-clock={clock}")).Output;
        Assert.Contains("the longest sequence has 350 steps", output, StringComparison.Ordinal);
        Assert.DoesNotContain("built without Weft", output, StringComparison.Ordinal);
        if (clock != "flag") AssertDemo(output);
        if (clock == "instructions") Assert.InRange(Average(output), 1000, 1100);
    }

    [Needs(Clang)]
    public void The_profiler_in_C_measures_every_interval() => AssertProfile(harness.Must(Woven("ci-demo-c/profiler.c")).Output);

    [Needs(Clang)]
    public void The_demo_in_C_runs_without_Weft()
    {
        Assert.Contains("0 interrupts: built without Weft", harness.Must(Plain("ci-demo-c/demo.c")).Output, StringComparison.Ordinal);
        Assert.Contains("built without Weft", harness.Must(Plain("ci-demo-c/profiler.c")).Output, StringComparison.Ordinal);
    }

    [Needs("cargo")]
    public void The_demo_in_Rust_is_interrupted()
    {
        AssertDemo(WeftCargo("ci-demo", "run", "--release", "--bin", "demo").Output);
        var counted = WeftCargo("ci-demo", "run", "--release", "--bin", "demo", "--interrupts-clock", "instructions").Output;
        AssertDemo(counted);
        Assert.InRange(Average(counted), 1000, 1100);
        AssertProfile(WeftCargo("ci-demo", "run", "--release", "--bin", "profiler").Output);
        AssertDemo(WeftCargo("ci-demo", "run", "--bin", "demo").Output);
        Assert.Contains("0 interrupts: built without Weft", Cargo("ci-demo", "run", "--bin", "demo").Output, StringComparison.Ordinal);
        Assert.Contains("built without Weft", Cargo("ci-demo", "run", "--bin", "profiler").Output, StringComparison.Ordinal);
    }

    [TheoryNeeds("cargo")]
    [InlineData("--release")]
    [InlineData("--release", "--interrupts-clock", "flag")]
    [InlineData("--release", "--interrupts-clock", "instructions")]
    [InlineData]
    public void The_watchdog_names_the_stuck_function(params string[] options)
    {
        var outcome = harness.RunWeft([.. CargoArguments("interrupts-watchdog", ["run", "--with", "interrupts", .. options])]);
        Assert.True(outcome.ExitCode == 3, outcome.ToString());
        Assert.Matches(@"stuck for more than 200ms:\n(.*\n){0,4} +\d+: (interrupts_watchdog::parser::)?skip\n +at .*main\.rs:\d+", outcome.Output);
        Assert.StartsWith("\"1 and 2\":\n  3\n\"30 apples 12 pears\":\n  42\n", outcome.Output, StringComparison.Ordinal);
    }

    [Needs("cargo")]
    public void Without_Weft_nobody_watches()
    {
        var output = Cargo("interrupts-watchdog", "run").Output;
        Assert.Contains("Built without Weft's interrupts", output, StringComparison.Ordinal);
        Assert.DoesNotContain("stuck", output, StringComparison.Ordinal);
    }

    [TheoryNeeds("cargo")]
    [InlineData("weft", "--tests")]
    [InlineData("weft", "--release", "--tests")]
    [InlineData("weft", "--release", "--tests", "--interrupts-clock", "instructions")]
    [InlineData("weft", "--release", "--interrupts-clock", "flag")]
    [InlineData("compiler-interrupts", "--tests")]
    [InlineData("compiler-interrupts", "--release", "--tests")]
    [InlineData("compiler-interrupts", "--release", "--tests", "--interrupts-clock", "instructions")]
    [InlineData("compiler-interrupts", "--release", "--interrupts-clock", "flag")]
    public void The_tests_of_the_crates_pass_when_they_are_woven(string crate, params string[] options)
    {
        var outcome = harness.RunWeft(["cargo", "test", "--offline", "--manifest-path", Path.Combine(Harness.Root, "crates", crate, "Cargo.toml"), "--with", "interrupts", .. options]);
        Assert.True(outcome.ExitCode == 0, outcome.ToString());
        Assert.Matches(@"test (the_program_is_woven|disabling_nests_and_runs_the_hooks) \.\.\. ok", outcome.Output);
    }

    private static string Example(string name) => Path.Combine(Examples, name);

    private string Woven(string source, params string[] options)
    {
        harness.Must(Harness.Weft, ["cc", "--with=interrupts", "-O2", "-Wall", "-Wextra", "-Werror", Example(source), .. options, "-o", "woven"]);
        return harness.Path("woven");
    }

    private string Plain(string source, params string[] options)
    {
        harness.Must(Clang, ["-O2", "-Wall", "-Wextra", "-Werror", "-I", Path.Combine(Harness.Root, "runtime/include"), Example(source), .. options, "-o", "plain"]);
        return harness.Path("plain");
    }

    private static string[] CargoArguments(string example, string[] arguments) =>
        ["cargo", arguments[0], "--quiet", "--offline", "--manifest-path", Example($"{example}/Cargo.toml"), .. arguments[1..]];

    private Outcome WeftCargo(string example, params string[] arguments) => harness.Must(Harness.Weft, CargoArguments(example, [.. arguments, "--with", "interrupts"]));

    private Outcome Cargo(string example, params string[] arguments) => harness.Must("cargo", CargoArguments(example, arguments)[1..]);

    private static void AssertDemo(string output)
    {
        for (var i = 1; i <= 10; i++) Assert.Matches($@"(?m)^interrupt +{i}: \d+ instructions since the last one$", output);
        Assert.Matches(@"(?m)^\d{3,} interrupts, \d+ instructions apart on average$", output);
    }

    private static int Average(string output) => int.Parse(Regex.Match(output, @"(\d+) instructions apart").Groups[1].Value, CultureInfo.InvariantCulture);

    private static void AssertProfile(string output)
    {
        var rows = output.Split('\n').Select(l => l.Split(' ', StringSplitOptions.RemoveEmptyEntries)).Where(w => w.Length == 9 && w[0] != "interval").ToList();
        Assert.Equal(["2000", "5000", "10000", "50000", "100000"], rows.Select(r => r[0]));
        foreach (var row in rows)
        {
            var deviations = row[2..].Select(w => long.Parse(w, CultureInfo.InvariantCulture)).ToList();
            Assert.Equal(deviations.Order(), deviations);
            Assert.True(int.Parse(row[1], CultureInfo.InvariantCulture) > 50, output);
        }
    }

    private static void AssertFair(string output)
    {
        var tasks = Tasks(output);
        Assert.True(tasks.Count == 4 && tasks.All(t => t.Share is > 24 and < 26 && t.Slices > 50), output);
        Assert.Matches("(?m)^schedule [0-9a-f]{16}$", output);
    }

    private static List<(long Slices, double Share)> Tasks(string output) =>
        [.. TaskRow().Matches(output).Select(m => (long.Parse(m.Groups["slices"].Value, CultureInfo.InvariantCulture), m.Groups["share"].Success ? double.Parse(m.Groups["share"].Value, CultureInfo.InvariantCulture) : 0))];

    [GeneratedRegex(@"^(collatz|primes|numbers|matrices) +(?<slices>\d+) +\d+( +(?<share>[\d.]+) %)?$", RegexOptions.Multiline | RegexOptions.ExplicitCapture)]
    private static partial Regex TaskRow();
}
