using System.CommandLine;
using Weft.Cli.Testing;
using Weft.Core;
using Weft.Coverage.PerTest;

namespace Weft.Cli.Commands.Coverage;

/// <summary><c>weft coverage record-test</c>: any command as one test of a map.</summary>
internal static class RecordTestCommand
{
    public static Command Create()
    {
        var name = new Argument<string>("NAME") { Description = "The test's name; a test of that name that ran before is replaced" };
        var program = new Argument<string[]>("COMMAND") { HelpName = "COMMAND...", Description = "What to run: programs built for coverage, or a script that starts them", Arity = ArgumentArity.OneOrMore };
        var objects = new Option<string[]>("--object") { HelpName = "FILE", Description = "A program or library that runs, if it was built by clang or rustc alone, and so does not name itself", AllowMultipleArgumentsPerToken = false };
        var command = new Command("record-test", "Run a command as one test, and keep what it reached for weft coverage tests.") { name, program, objects };
        command.SetAction(parsed => Run(parsed.GetRequiredValue(name), parsed.GetRequiredValue(program), parsed.GetValue(objects) ?? []));
        return command;
    }

    private static int Run(string name, string[] words, string[] objects)
    {
        var program = ChildProcess.Find(words[0]) ?? throw WeftException.Usage($"there is no program '{words[0]}'");
        using var run = new RecordedRun(Path.GetFullPath(TestMaps.Folder), objects);
        var folder = Path.GetFullPath(run.NewFolder());
        if (objects.Length > 0) run.Environment["LLVM_PROFILE_FILE"] = Path.Combine(folder, "%p-%m.profraw");
        var exit = ChildProcess.Run(program, words[1..], run.EnvironmentOf(folder));
        if (!Directory.Exists(folder)) Terminal.Warning($"'{words[0]}' left no profile: nothing that it ran was built for coverage, or it clears its environment");
        run.Add("", name, TestKind.Command, exit == 0, folder);
        run.Save();
        return exit;
    }
}
