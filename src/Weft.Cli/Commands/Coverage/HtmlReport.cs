using Weft.Core;

namespace Weft.Cli.Commands.Coverage;

/// <summary>Where <c>--html</c> and <c>--open</c> of a report lead.</summary>
internal static class HtmlReport
{
    /// <param name="input">What ran.</param>
    /// <param name="folder">See <c>--output-dir</c>.</param>
    /// <param name="path">See <c>--output-path</c>.</param>
    /// <param name="open">Show it in a browser.</param>
    public static void Write(CoverageInput input, string? folder, string? path, bool open) =>
        throw WeftException.Usage("there is no HTML page yet", "--text, --markdown and --cobertura show the same");
}
