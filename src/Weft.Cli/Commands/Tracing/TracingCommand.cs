using System.CommandLine;

namespace Weft.Cli.Commands.Tracing;

internal static class TracingCommand
{
    public static Command Create() => new("tracing", "Show what a traced program did.") { ExportCommand.Create() };
}
