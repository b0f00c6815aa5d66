using System.CommandLine;
using Weft.Cli.Commands;
using Weft.Core;

namespace Weft.Cli.Ci;

/// <summary><c>--log</c>: how much is said on stderr beside cargo's own words.</summary>
internal static class LogLevel
{
    public static Option<string> Create()
    {
        var option = LowerCommand.Choice("--log", "How much to say beside what cargo says [default: warn]", "trace", "debug", "info", "warn", "error");
        option.Recursive = true;
        return option;
    }

    /// <summary>Null when nobody asked: cargo's own -v and -q then count.</summary>
    public static int? Verbosity(string? level) => level switch { null => null, "error" => -1, "debug" => 1, "trace" => 2, _ => 0 };

    public static void Info(string? level, string verb, string message)
    {
        if (level is "info" or "debug" or "trace") Terminal.Status(verb, message);
    }
}
