using System.CommandLine;

namespace Weft.Cli.Commands.Hotpatch;

/// <summary><c>weft hotpatch revert</c>: takes patches back, the newest first.</summary>
internal static class RevertCommand
{
    public static Command Create()
    {
        var who = LivePatches.ProcessOption();
        var keep = new Option<int?>("--keep") { HelpName = "N", Description = "Leave the first N patches applied; 0: none [default: all but the newest]" };
        var command = new Command("revert", "Take back patches of a running program, the newest first.") { who, keep };
        command.SetAction(parsed =>
        {
            using var process = LivePatches.Attach(parsed.GetRequiredValue(who));
            var before = process.List().Count(p => p.IsActive);
            var left = process.RevertTo(parsed.GetValue(keep) ?? Math.Max(0, before - 1));
            Console.WriteLine($"{before - left} taken back, {left} applied");
            return 0;
        });
        return command;
    }
}
