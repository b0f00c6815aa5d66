using Weft.Core;

namespace Weft.Toolchain.Cargo;

/// <summary>
/// What <c>weft cargo test --coverage-per-test</c> tells the role that cargo then starts for each test program, as it would start
/// an emulator (<c>target.TRIPLE.runner</c>).
/// </summary>
public sealed record TestPlan
{
    public const string Variable = "__WEFT_TESTS";

    private static readonly HashSet<string> Testing = ["test", "t", "bench"];

    /// <summary>The user's own runner, which programs run under; mostly empty.</summary>
    public required IReadOnlyList<string> Runner { get; init; }

    /// <summary>Where profiles go.</summary>
    public required string Folder { get; init; }

    public static TestPlan? TryRead()
    {
        using var plan = PlanReader.FromEnvironment(Variable);
        return plan == null ? null : new TestPlan { Runner = plan.List(), Folder = plan.Text()! };
    }

    /// <summary>Variables for programs below this one: whatever they start is not for the runner any more.</summary>
    public IEnumerable<(string Name, string? Value)> Without()
    {
        yield return (Variable, null);
        foreach (var name in Environment.GetEnvironmentVariables().Keys.Cast<string>().Where(n => n.StartsWith("CARGO_TARGET_", StringComparison.Ordinal) && Environment.GetEnvironmentVariable(n) == Role))
            yield return (name, Runner.Count > 0 ? string.Join(' ', Runner) : null);
    }

    internal static string Role => WeftFiles.Role("weft-test-runner");

    /// <summary>Takes the option out of cargo's arguments; null if it is not there.</summary>
    /// <param name="rest">Cargo's arguments.</param>
    /// <param name="weaving">What is woven.</param>
    /// <exception cref="WeftException">It cannot be done for this command.</exception>
    internal static string? TakeOption(List<string> rest, Weaving weaving)
    {
        var option = weaving.Instruments.Where(i => i.ProfileFolder != null).Select(i => $"--{i.Name}-per-test").FirstOrDefault(new FlagReader(rest).TakeSwitch);
        if (option == null) return null;
        if (rest.FirstOrDefault(a => !a.StartsWith('-')) is var subcommand && !Testing.Contains(subcommand ?? "")) throw WeftException.Usage($"{option} is for 'test' and 'bench', not for '{subcommand}'");
        if (Terminal.IsSet("LLVM_PROFILE_FILE")) throw WeftException.Usage($"{option}, and LLVM_PROFILE_FILE is set: each test needs a profile of its own", "unset LLVM_PROFILE_FILE; WEFT_OUT may name a folder");
        if (Role.Any(char.IsWhiteSpace)) throw WeftException.Usage($"{option}: cargo cannot start '{Role}', which has a space in its path", "install Weft elsewhere: weft install --prefix DIR");
        return option;
    }

    /// <summary>Variables that make cargo start the role.</summary>
    internal static IEnumerable<(string Name, string Value)> Variables(CargoProject project, IReadOnlyList<string> targets, string folder)
    {
        foreach (var target in targets.Select(t => t.EndsWith(".json", StringComparison.Ordinal) ? Path.GetFileNameWithoutExtension(t) : t))
            yield return (CargoProject.RunnerVariable(target), Role);
        using var plan = new PlanWriter();
        plan.List(project.RunnerOf(targets[0]));
        plan.Text(folder);
        yield return (Variable, plan.ToString());
    }
}
