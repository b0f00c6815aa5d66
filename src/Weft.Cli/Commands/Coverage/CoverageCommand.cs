using System.CommandLine;

namespace Weft.Cli.Commands.Coverage;

/// <summary><c>weft coverage</c>: what of the source ran.</summary>
internal static class CoverageCommand
{
    public static Command Create() => new("coverage", "Show what of the source a program ran that was built for coverage.")
    {
        MergeCommand.Create(),
        ReportCommand.Create(),
        DiffCommand.Create(),
        CompareCommand.Create(),
        TestsCommand.Create(),
        RecordTestCommand.Create(),
        HtmlCommand.Create(),
        ExportCommand.Create(),
        ShowProfileCommand.Create(),
    };
}
