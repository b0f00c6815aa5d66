using System.CommandLine;
using Weft.Core;

namespace Weft.Cli.Commands.Hotpatch;

/// <summary><c>weft hotpatch apply</c>: patches into a running program, all or none.</summary>
internal static class ApplyCommand
{
    public static Command Create()
    {
        var files = new Argument<string[]>("PATCH") { Description = "What 'weft hotpatch build' has made; of several all are applied, in their order, or none", Arity = ArgumentArity.OneOrMore };
        var who = LivePatches.ProcessOption();
        var wait = Quiescence.WaitOption("take the patch back");
        var command = new Command("apply", "Apply a patch to a running program.") { files, who, wait };
        command.SetAction(parsed =>
        {
            var patches = parsed.GetRequiredValue(files).Select(f => (Path: f, Bytes: AtomicFile.Read(f))).ToList();
            using var process = LivePatches.Attach(parsed.GetRequiredValue(who));
            var before = process.List().Count(p => p.IsActive);
            var applied = ApplyAll(process, patches, before);
            var numbers = applied.Select(a => a.Number).ToList();
            if (parsed.GetValue(wait) is { } seconds) Settle(process, numbers, seconds, before);
            foreach (var (number, functions, nanoseconds) in applied)
                Console.WriteLine($"patch {number}: {functions} function{(functions == 1 ? "" : "s")} replaced in {LivePatches.Microseconds(nanoseconds)}");
            if (parsed.GetValue(wait) == null) Quiescence.TellWhoIsInside(process, numbers);
            return 0;
        });
        return command;
    }

    private static List<(int Number, int Functions, long Nanoseconds)> ApplyAll(LivePatches process, List<(string Path, byte[] Bytes)> patches, int before)
    {
        var applied = new List<(int, int, long)>();
        foreach (var (path, bytes) in patches)
        {
            try
            {
                applied.Add(process.Apply(bytes));
            }
            catch (WeftException e) when (applied.Count > 0)
            {
                process.RevertTo(before);
                throw new WeftException($"'{path}': {e.Message}", "nothing is applied: the patches before it were taken back", e.ExitCode, e);
            }
        }
        return applied;
    }

    private static void Settle(LivePatches process, List<int> numbers, double seconds, int before)
    {
        var inside = Quiescence.Wait(process, numbers, seconds);
        if (inside.Count == 0) return;
        process.RevertTo(before);
        throw Quiescence.Failure(process, inside, seconds, numbers.Count == 1 ? "the patch was taken back" : "the patches were taken back");
    }
}
