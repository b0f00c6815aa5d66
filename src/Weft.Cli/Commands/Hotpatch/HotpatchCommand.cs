using System.CommandLine;

namespace Weft.Cli.Commands.Hotpatch;

internal static class HotpatchCommand
{
    public static Command Create() => new("hotpatch", "Work with functions that can be replaced in the running program.")
    {
        CheckCommand.Create(),
    };
}
