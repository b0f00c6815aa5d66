using System.CommandLine;

namespace Weft.Cli.Commands.Coverage;

/// <summary><c>weft coverage html</c>: coverage for people.</summary>
internal static class HtmlCommand
{
    public static Command Create()
    {
        var arguments = new CoverageArguments();
        var output = new Option<string?>("--output", "-o") { HelpName = "FILE", Description = "Write to a file, or to coverage.html in a folder [default: coverage.html]" };
        var open = new Option<bool>("--open") { Description = "Show it in a browser" };
        var command = new Command("html", "Write coverage as one HTML file to read: sources with what ran of them.");
        arguments.AddTo(command);
        command.Add(output);
        command.Add(open);
        command.SetAction(parsed => HtmlReport.Write(arguments.Of(parsed), folder: null, parsed.GetValue(output), parsed.GetValue(open)));
        return command;
    }
}
