using System.CommandLine;
using Weft.Core;

namespace Weft.Cli.Commands.Hotpatch;

/// <summary><c>weft hotpatch apply</c>: a patch into a running program.</summary>
internal static class ApplyCommand
{
    public static Command Create()
    {
        var file = new Argument<string>("PATCH") { Description = "What 'weft hotpatch build' has made" };
        var who = LivePatches.ProcessOption();
        var command = new Command("apply", "Apply a patch to a running program.") { file, who };
        command.SetAction(parsed =>
        {
            var patch = AtomicFile.Read(parsed.GetRequiredValue(file));
            using var process = LivePatches.Attach(parsed.GetRequiredValue(who));
            var (number, functions, switched) = process.Apply(patch);
            Console.WriteLine($"patch {number}: {functions} function{(functions == 1 ? "" : "s")} replaced in {switched.TotalMicroseconds:0.0} µs");
            return 0;
        });
        return command;
    }
}
