using System.CommandLine;
using Weft.Cli.Commands.Metering;

namespace Weft.Cli.Commands;

internal static class MeteringCommand
{
    public static Command Create() => new("metering", "Show what an instrumented program counted.") { ReportCommand.Create(), CompareCommand.Create() };
}
