using Weft.Core;

namespace Weft.Cli.Testing;

/// <summary>How a test ended.</summary>
/// <param name="Name">As the harness has it.</param>
/// <param name="Folder">Where its profiles are; null if it did not run.</param>
/// <param name="Passed">Or was ignored.</param>
/// <param name="Line">What the harness says of it.</param>
/// <param name="Output">What it printed and the harness captured; with <c>--nocapture</c> all on standard output.</param>
/// <param name="Errors">What was on standard error.</param>
internal sealed record TestResult(string Name, string? Folder, bool Passed, string Line, string Output, string Errors)
{
    private const int FirstSignal = 128, TestFailed = 101;

    /// <summary>Reads what the harness printed about its only test.</summary>
    public static TestResult Of(string name, string folder, ChildProcess.Captured ended, bool isUncaptured)
    {
        var passed = ended.ExitCode == 0;
        var lines = ended.Output.Split('\n');
        // Such as "test NAME - should panic ... ok".
        var told = Array.Find(lines, l => l.StartsWith("test " + name, StringComparison.Ordinal) && (l.EndsWith(" ... ok", StringComparison.Ordinal) || l.EndsWith(" ... FAILED", StringComparison.Ordinal)));
        var line = told ?? $"test {name} ... {(passed ? "ok" : $"FAILED{HowItEnded(ended.ExitCode)}")}";
        return new TestResult(name, folder, passed, line, isUncaptured ? Own(lines, name) : Captured(ended.Output, name, passed), ended.Errors);
    }

    private static string HowItEnded(int exitCode) => exitCode switch
    {
        TestFailed => "",
        > FirstSignal => $" (signal {exitCode - FirstSignal})",
        _ => $" (exit code {exitCode})",
    };

    /// <summary>The block that the harness shows; all of the output if it did not come to that.</summary>
    private static string Captured(string output, string name, bool passed)
    {
        var head = $"---- {name} stdout ----\n";
        var begin = output.IndexOf(head, StringComparison.Ordinal);
        if (begin < 0) return passed ? "" : WithoutHead(output);
        var end = output.LastIndexOf($"\n\n{(passed ? "successes" : "failures")}:\n    {name}\n", StringComparison.Ordinal);
        return output[(begin + head.Length)..(end > begin ? end : output.Length)].TrimEnd('\n') + "\n";
    }

    private static string WithoutHead(string output) => output.StartsWith("\nrunning 1 test\n", StringComparison.Ordinal) ? output[16..] : output;

    /// <summary>Without the lines of the harness.</summary>
    private static string Own(string[] lines, string name)
    {
        var own = lines.Where(l => l is not ("running 1 test" or "failures:") && !l.StartsWith("test result: ", StringComparison.Ordinal) && l != "    " + name && !l.StartsWith($"test {name} ... ", StringComparison.Ordinal)).ToList();
        var text = string.Join('\n', own).Trim('\n');
        return text.Length > 0 ? text + "\n" : "";
    }
}
