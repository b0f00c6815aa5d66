using System.CommandLine;
using Weft.Core;

namespace Weft.Cli.Commands.Hotpatch;

/// <summary><c>weft hotpatch revert</c>: takes patches back, the newest first.</summary>
internal static class RevertCommand
{
    public static Command Create()
    {
        var who = LivePatches.ProcessOption();
        var keep = new Option<int?>("--keep") { HelpName = "N", Description = "Leave the first N patches applied; 0: none [default: all but the newest]" };
        var wait = Quiescence.WaitOption("apply the patch again");
        var command = new Command("revert", "Take back patches of a running program, the newest first.") { who, keep, wait };
        command.SetAction(parsed =>
        {
            if (parsed.GetValue(keep) < 0) throw WeftException.Usage($"--keep: '{parsed.GetValue(keep)}' is no number of patches");
            using var process = LivePatches.Attach(parsed.GetRequiredValue(who));
            var before = process.List().Where(p => p.IsActive).OrderBy(p => p.Number).ToList();
            var wanted = parsed.GetValue(keep) ?? Math.Max(0, before.Count - 1);
            var left = process.RevertTo(wanted);
            var taken = before.Skip(left).Select(p => p.Number).ToList();
            if (taken.Count > 0 && parsed.GetValue(wait) is { } seconds) Settle(process, taken, seconds);
            Console.WriteLine($"{taken.Count} taken back, {left} applied");
            return 0;
        });
        return command;
    }

    private static void Settle(LivePatches process, List<int> numbers, double seconds)
    {
        var inside = Quiescence.Wait(process, numbers, seconds);
        if (inside.Count == 0) return;
        foreach (var number in numbers) process.Restore(number);
        throw Quiescence.Failure(process, inside, seconds, numbers.Count == 1 ? "the patch was applied again" : "the patches were applied again");
    }
}
