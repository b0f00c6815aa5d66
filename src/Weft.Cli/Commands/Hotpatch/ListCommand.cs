using System.CommandLine;

namespace Weft.Cli.Commands.Hotpatch;

/// <summary><c>weft hotpatch list</c>: what has been applied to a running program.</summary>
internal static class ListCommand
{
    public static Command Create()
    {
        var who = LivePatches.ProcessOption();
        var functions = new Option<bool>("--functions") { Description = "Also list the functions that each patch replaces" };
        var command = new Command("list", "List the patches of a running program.") { who, functions };
        command.SetAction(parsed =>
        {
            using var process = LivePatches.Attach(parsed.GetRequiredValue(who));
            foreach (var patch in process.List())
            {
                Console.WriteLine($"{patch.Number,4}  {(patch.IsActive ? "applied " : "reverted")}  {patch.Functions,5} functions  {patch.Id[..12]}  {patch.Name}");
                if (!parsed.GetValue(functions)) continue;
                foreach (var name in process.Functions(patch.Number)) Console.WriteLine($"      {name}");
            }
            return 0;
        });
        return command;
    }
}
