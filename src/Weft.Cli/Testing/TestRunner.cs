using Weft.Core;
using Weft.Coverage.PerTest;
using Weft.Toolchain;
using Weft.Toolchain.Cargo;

namespace Weft.Cli.Testing;

/// <summary>
/// The role that cargo starts for each test program under <c>--coverage-per-test</c>. What has Rust's test harness is asked for its
/// tests, and each runs in a process of its own: whatever a test starts counts for it, and one that crashes takes no other along.
/// </summary>
internal static class TestRunner
{
    /// <param name="arguments">The program, and its arguments.</param>
    public static int Run(IReadOnlyList<string> arguments)
    {
        if (arguments.Count == 0) throw WeftException.Usage("no program to run", "this command is started by cargo, not by hand");
        if (TestPlan.TryRead() is not { } plan)
        {
            Posix.Execute(arguments[0], [.. arguments.Skip(1)]);
            return (int)ExitCode.Failure;
        }
        var program = arguments[0];
        var wish = Documented(program) == null && LibtestProgram.Recognises(program) ? LibtestArguments.Parse([.. arguments.Skip(1)]) : null;
        using var run = new RecordedRun(Path.Combine(plan.Folder, "coverage"));
        foreach (var (name, value) in plan.Without()) run.Environment[name] = value;
        List<string> command = [.. plan.Runner, program];
        var exit = wish is { RunsTests: true } ? new LibtestProgram(command, wish, run).RunAll() : RunWhole([.. plan.Runner, .. arguments], program, run, isQuery: wish != null);
        run.Save();
        return exit;
    }

    private static int RunWhole(List<string> command, string program, RecordedRun run, bool isQuery)
    {
        var folder = run.NewFolder();
        var exit = ChildProcess.Run(command[0], command[1..], run.EnvironmentOf(folder));
        if (isQuery) return exit; // help or a list of tests
        if (Documented(program) is { } crate) run.Add(crate, "(documentation)", TestKind.Documentation, exit == 0, folder);
        else run.Add(Path.GetFileName(program), "(all)", TestKind.Program, exit == 0, folder);
        return exit;
    }

    /// <summary>The crate that an example in documentation is of: rustdoc's programs all have one name, and are gone when it ends.</summary>
    private static string? Documented(string program) =>
        Path.GetFileName(program) == "rust_out" && Environment.GetEnvironmentVariable("CARGO_CRATE_NAME") is { Length: > 0 } crate ? crate : null;
}
