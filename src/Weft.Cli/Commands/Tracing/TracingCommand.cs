using System.CommandLine;
using Weft.Core;

namespace Weft.Cli.Commands.Tracing;

/// <summary><c>weft tracing</c>: what a program built <c>--with tracing</c> did, call by call.</summary>
internal static class TracingCommand
{
    public static Command Create() => new("tracing", "Show what a program built --with tracing did, call by call.")
    {
        RecordCommand.Create(),
        AttachCommand.Create(),
        ReplayCommand.Create(),
        ReportCommand.Create(),
        GraphCommand.Create(),
        DiffCommand.Create(),
        FunctionsCommand.Create(),
        ExportCommand.Create(),
    };

    /// <summary>How rows are printed.</summary>
    internal sealed class FormatOptions
    {
        private readonly Option<bool> json = new("--json") { Description = "Print JSON" };
        private readonly Option<bool> csv = new("--csv") { Description = "Print comma-separated values" };

        public void AddTo(Command command)
        {
            command.Add(csv);
            command.Add(json);
        }

        public Format Of(ParseResult parsed) => (parsed.GetValue(json), parsed.GetValue(csv)) switch
        {
            (true, true) => throw WeftException.Usage("--json and --csv at once", "give one of them"),
            (true, _) => Format.Json,
            (_, true) => Format.Csv,
            _ => Format.Table,
        };
    }
}

internal enum Format { Table, Csv, Json }
