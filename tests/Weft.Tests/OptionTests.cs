using Weft.Core;
using Weft.Llvm;
using Weft.Toolchain;

namespace Weft.Tests;

public sealed class OptionTests
{
    private static readonly InstrumentSet Instruments = new([new Fake("alpha"), new Fake("beta")]);

    [Fact]
    public void The_last_value_wins_and_all_are_taken()
    {
        List<string> arguments = ["build", "--x", "1", "-v", "--x=2", "--", "--x", "3"];
        Assert.Equal("2", new FlagReader(arguments).TakeValue("--x"));
        Assert.Equal(["build", "-v", "--", "--x", "3"], arguments);
    }

    [Fact]
    public void Nothing_after_a_lone_dash_pair_is_Wefts()
    {
        List<string> arguments = ["run", "--", "--with", "alpha", "--std"];
        var build = BuildOptions.Parse(arguments, Instruments);
        Assert.Empty(build.With);
        Assert.False(build.Std);
        Assert.Equal(["run", "--", "--with", "alpha", "--std"], arguments);
    }

    [Theory]
    [InlineData("--x")]
    [InlineData("--x", "--", "1")]
    public void A_flag_without_its_value_is_a_usage_error(params string[] arguments) =>
        Assert.Equal(ExitCode.Usage, Assert.Throws<WeftException>(() => new FlagReader([.. arguments]).TakeValue("--x")).ExitCode);

    [Fact]
    public void A_longer_flag_is_another_flag()
    {
        List<string> arguments = ["--xy=1", "--x-y", "2", "--xs"];
        Assert.Null(new FlagReader(arguments).TakeValue("--x"));
        Assert.False(new FlagReader(arguments).TakeSwitch("--x"));
        Assert.Equal(4, arguments.Count);
    }

    [Fact]
    public void Instruments_are_woven_in_their_own_order()
    {
        var build = BuildOptions.Parse(["--with", "beta, alpha,beta"], Instruments);
        Assert.Equal(["alpha", "beta"], build.With);
        Assert.Equal("alpha-beta", Instruments.Weaving(build).Name);
    }

    [Fact]
    public void An_unknown_instrument_is_a_usage_error_that_lists_them()
    {
        var error = Assert.Throws<WeftException>(() => BuildOptions.Parse(["--with=gamma"], Instruments));
        Assert.Equal(ExitCode.Usage, error.ExitCode);
        Assert.Contains("alpha, beta", error.Help);
    }

    [Fact]
    public void Flag_goes_before_environment_before_metadata()
    {
        Dictionary<string, string> metadata = new() { ["alpha-mode"] = "exact", ["with"] = "alpha", ["skip"] = "metadata" };
        Environment.SetEnvironmentVariable("WEFT_ALPHA_MODE", "off");
        Environment.SetEnvironmentVariable("WEFT_WITH", "beta");
        Environment.SetEnvironmentVariable("WEFT_SKIP", "");
        try
        {
            var build = BuildOptions.Parse(["--alpha-mode=fast"], Instruments, metadata);
            Assert.Equal(["beta"], build.With);
            Assert.False(build.Options.ContainsKey("alpha-mode")); // "fast" is the default
            Assert.Equal(["metadata"], build.Skip); // an empty variable is unset
            Assert.Equal("off", BuildOptions.Parse([], Instruments, metadata).Options["alpha-mode"]);
        }
        finally
        {
            foreach (var name in (string[])["WEFT_ALPHA_MODE", "WEFT_WITH", "WEFT_SKIP"]) Environment.SetEnvironmentVariable(name, null);
        }
        Assert.Equal("exact", BuildOptions.Parse([], Instruments, metadata).Options["alpha-mode"]);
    }

    [Fact]
    public void A_value_outside_the_list_is_a_usage_error_that_shows_the_list()
    {
        var error = Assert.Throws<WeftException>(() => BuildOptions.Parse(["--alpha-mode", "slow"], Instruments));
        Assert.Equal(ExitCode.Usage, error.ExitCode);
        Assert.Contains("fast, exact, off", error.Message);
    }

    [Fact]
    public void A_projects_denial_is_for_its_builds_with_an_instrument_that_can()
    {
        Dictionary<string, string> metadata = new() { ["deny-uninstrumented"] = "on", ["allow-uninstrumented"] = "a,b" };
        Assert.Equal("a,b", BuildOptions.Parse(["--with=alpha"], Instruments, metadata).Deny!.Allowed);
        Assert.Equal("c,d", BuildOptions.Parse(["--with=alpha", "--allow-uninstrumented=c", "--allow-uninstrumented", "d"], Instruments, metadata).Deny!.Allowed);
        Assert.Null(BuildOptions.Parse(["--with=beta"], Instruments, metadata).Deny);
        Assert.Equal(ExitCode.Usage, Assert.Throws<WeftException>(() => BuildOptions.Parse(["--with=beta", "--deny-uninstrumented"], Instruments, metadata)).ExitCode);
    }

    [Fact]
    public void Fingerprints_differ_when_the_result_would()
    {
        string[][] builds = [[], ["--with=alpha"], ["--with=alpha,beta"], ["--with=alpha", "--alpha-mode=exact"], ["--with=alpha", "--skip=a"], ["--with=alpha", "--std"], ["--with=alpha", "--deny-uninstrumented"], ["--with=alpha", "--deny-uninstrumented", "--allow-uninstrumented=a"]];
        Assert.Equal(builds.Length, builds.Select(b => BuildOptions.Parse([.. b], Instruments).Fingerprint).Distinct().Count());
        Assert.Equal(BuildOptions.Parse(["--with=alpha,beta"], Instruments).Fingerprint, BuildOptions.Parse(["--with=beta,alpha", "--weft-timings"], Instruments).Fingerprint);
    }

    private sealed class Fake(string name) : IInstrument
    {
        public string Name => name;
        public string Description => "for tests";
        public IReadOnlyList<InstrumentOption> Options => [new("mode", "fast", ["fast", "exact", "off"], "how")];
        public IReadOnlyList<Stage> Stages(InstrumentSettings settings) => [Stage.Back];
        public bool WantsCanonicalIr => false;
        public bool FindsUninstrumented => name == "alpha";
        public IReadOnlyList<string> SharedSymbols => [];
        public void Weave(Module module, WeaveContext context) { }
    }
}
