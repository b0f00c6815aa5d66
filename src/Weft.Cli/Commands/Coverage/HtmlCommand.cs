using System.CommandLine;
using Weft.Core;
using Weft.Coverage.PerTest;
using Weft.Llvm;

namespace Weft.Cli.Commands.Coverage;

/// <summary><c>weft coverage html</c>: coverage for people.</summary>
internal static class HtmlCommand
{
    public static Command Create()
    {
        var arguments = new CoverageArguments();
        var output = new Option<string?>("--output", "-o") { HelpName = "FILE", Description = "Write to a file, or to coverage.html in a folder [default: coverage.html]" };
        var open = new Option<bool>("--open") { Description = "Show it in a browser" };
        var maps = new Option<string[]>("--tests") { HelpName = "FILE", Description = $"Maps of tests, such as {TestStore.MapName}: show at each line which tests reach it; may be given several times", AllowMultipleArgumentsPerToken = false };
        var command = new Command("html", "Write coverage as one HTML file to read: sources with what ran of them.");
        arguments.AddTo(command);
        command.Add(output);
        command.Add(open);
        command.Add(maps);
        command.SetAction(parsed =>
        {
            var input = arguments.Of(parsed);
            HtmlReport.Write(input, folder: null, parsed.GetValue(output), parsed.GetValue(open), Tests(input, parsed.GetValue(maps) ?? []));
        });
        return command;
    }

    private static LineTests? Tests(CoverageInput input, string[] maps)
    {
        if (maps.Length == 0) return null;
        var tests = new LineTests(new TestReach(TestMaps.Read(maps, input.Paths), Demangler.Demangle));
        foreach (var file in input.Files.Where(tests.HasChanged)) Terminal.Warning($"source file '{input.Name(file)}' was changed since the tests ran: they are not shown there; run them again");
        return tests;
    }
}
