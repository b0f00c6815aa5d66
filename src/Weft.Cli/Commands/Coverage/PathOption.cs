using System.CommandLine;
using Weft.Core;
using Weft.Coverage.Sources;

namespace Weft.Cli.Commands.Coverage;

/// <summary>The option that says where sources are, if not where they were built.</summary>
internal sealed class PathOption
{
    private readonly Option<string[]> option = new("--path-equivalence") { HelpName = "FROM,TO", Description = "Sources that were built in folder FROM are in folder TO, and are the same file as others that were built there; may be given several times", AllowMultipleArgumentsPerToken = false };

    public PathOption() => option.Validators.Add(result => { foreach (var token in result.Tokens) if (PathEquivalence.Parse(token.Value) == null) result.AddError($"--path-equivalence: '{token.Value}' is not FROM,TO: two folders with a comma between them"); });

    public void AddTo(Command command) => command.Add(option);

    public PathEquivalence Of(ParseResult parsed) => parsed.GetValue(option) is { Length: > 0 } given ? new PathEquivalence(given.Select(text => PathEquivalence.Parse(text)!.Value)) : PathEquivalence.None;

    /// <summary>Says which are of no use, perhaps since they are misspelt.</summary>
    public static void WarnOfUnused(PathEquivalence paths)
    {
        foreach (var folder in paths.Unused) Terminal.Warning($"--path-equivalence: no source was built in '{folder}'");
    }
}
