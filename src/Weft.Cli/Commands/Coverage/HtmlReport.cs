using Weft.Core;
using Weft.Coverage.Page;
using Weft.Coverage.PerTest;

namespace Weft.Cli.Commands.Coverage;

/// <summary>Writes the page, and shows it.</summary>
internal static class HtmlReport
{
    private const string DefaultFile = "coverage.html";

    /// <param name="input">What ran.</param>
    /// <param name="folder">See <c>--output-dir</c>.</param>
    /// <param name="path">See <c>--output-path</c>; a folder gets a file of the usual name.</param>
    /// <param name="open">Show it in a browser.</param>
    /// <param name="tests">Who reaches what, if that is to be shown.</param>
    public static void Write(CoverageInput input, string? folder, string? path, bool open, LineTests? tests = null)
    {
        var target = Target(folder != null ? folder.TrimEnd('/') + "/" : path);
        var facts = Facts(input) with { Paths = input.Paths, Tests = tests };
        AtomicFile.Write(target, stream => CoveragePage.Write(stream, input.Data, input.Files, facts));
        Terminal.Status("Wrote", target);
        if (open) Open(target);
    }

    private static PageFacts Facts(CoverageInput input)
    {
        var program = Path.GetFileName(input.Binaries[0]);
        if (input.Binaries.Count > 1) program += $" and {input.Binaries.Count - 1} more";
        var command = string.Join(' ', Environment.GetCommandLineArgs().Skip(1).Prepend("weft").Select(Terminal.ShellQuote));
        return new PageFacts(program, command, input.Profiles == 1 ? "1 profile" : $"{input.Profiles:N0} profiles", DateTimeOffset.UtcNow, input.Binaries.Max(File.GetLastWriteTimeUtc), [.. input.Remarks]);
    }

    private static string Target(string? wish)
    {
        if (wish == null) return DefaultFile;
        if (!Directory.Exists(wish) && !wish.EndsWith('/')) return wish;
        try { Directory.CreateDirectory(wish); }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException) { throw new WeftException($"cannot write to '{wish}': {e.Message}", "name a folder or file that can be written"); }
        return Path.Combine(wish, DefaultFile);
    }

    private static void Open(string path)
    {
        var opener = ((string[])["xdg-open", "open", "wslview"]).FirstOrDefault(program => ChildProcess.Find(program) != null);
        if (opener == null) Terminal.Warning($"no program here opens files in a browser; open {Path.GetFullPath(path)} yourself");
        else if (ChildProcess.Capture(opener, [Path.GetFullPath(path)]).ExitCode != 0) Terminal.Warning($"{opener} could not open {Path.GetFullPath(path)}");
    }
}
