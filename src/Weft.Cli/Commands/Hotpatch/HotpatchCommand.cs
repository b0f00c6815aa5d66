using System.CommandLine;
using Weft.Cli.Commands.Hotpatch.Watch;

namespace Weft.Cli.Commands.Hotpatch;

/// <summary><c>weft hotpatch</c>: replace functions of a running program that was built <c>--with hotpatch</c>.</summary>
internal static class HotpatchCommand
{
    public static Command Create() => new("hotpatch", "Replace functions of a running program built --with hotpatch.")
    {
        BuildCommand.Create(),
        ApplyCommand.Create(),
        RevertCommand.Create(),
        ListCommand.Create(),
        WatchCommand.Create(),
        CheckCommand.Create(),
        KeyCommand.Create(),
    };
}
