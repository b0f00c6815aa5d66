using Weft.Core;

namespace Weft.Cli.Commands.Coverage;

/// <summary>Where a patch comes from, and the folder that its paths are relative to.</summary>
internal static class PatchSource
{
    /// <summary>What is committed, staged or changed since the branch left <paramref name="commit"/>: lines are those of the files that are here, and were built.</summary>
    /// <exception cref="WeftException">There is no git, no repository or no such commit.</exception>
    public static (string Patch, string Root) FromGit(string commit)
    {
        if (ChildProcess.Find("git") == null) throw new WeftException("git is not installed", "install it, or give what changed with --patch FILE");
        var root = Toplevel() ?? throw WeftException.Usage($"'{Directory.GetCurrentDirectory()}' is in no git repository", "go to the repository, or give what changed with --patch FILE");
        if (Git("rev-parse", "--verify", "--quiet", "--end-of-options", commit + "^{commit}") is not { ExitCode: 0 } found)
            throw WeftException.Usage($"git knows no commit '{commit}'", "fetch it first: a clone of CI has often only the newest commit (fetch-depth: 0 gets all)");
        var start = Git("merge-base", found.Output.Trim(), "HEAD") is { ExitCode: 0 } fork ? fork.Output.Trim() : found.Output.Trim();
        var diff = Git("-c", "core.quotePath=false", "diff", "--unified=0", "--no-color", "--no-ext-diff", "--no-textconv", "--full-index", "--no-relative", "--ignore-submodules", "-M", "--src-prefix=a/", "--dst-prefix=b/", start, "--");
        return diff.ExitCode == 0 ? (diff.Output, root) : throw new WeftException($"git diff failed: {diff.Errors.Trim()}");
    }

    /// <param name="file">Or "-" for standard input.</param>
    public static (string Patch, string Root) FromFile(string file)
    {
        var root = (ChildProcess.Find("git") == null ? null : Toplevel()) ?? Directory.GetCurrentDirectory();
        if (file == "-") return (Console.In.ReadToEnd(), root);
        try { return (File.ReadAllText(file), root); }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException) { throw new WeftException($"cannot read the patch '{file}': {e.Message}", null, ExitCode.Failure, e); }
    }

    private static string? Toplevel() => Git("rev-parse", "--show-toplevel") is { ExitCode: 0 } answer ? answer.Output.TrimEnd('\n') : null;

    private static ChildProcess.Captured Git(params string[] arguments) => ChildProcess.Capture("git", arguments);
}
