using System.CommandLine;
using Weft.Cli.Commands.Tracing;
using Weft.Core;
using Weft.Coverage.Export;
using Weft.Coverage.Sources;

namespace Weft.Cli.Commands.Coverage;

/// <summary>The forms of a report other than the table, and where they go: one flag each, as cargo-llvm-cov has them.</summary>
internal sealed class ReportOutputs
{
    private readonly (Option<bool> Flag, ExportFormat Format)[] formats = [.. ExportFormat.All.Select(f => (new Option<bool>("--" + f.Name) { Description = $"Write {f.What}" }, f))];
    private readonly Option<bool> text = new("--text") { Description = "Write sources with counts, as llvm-cov show does" };
    private readonly Option<bool> html = new("--html") { Description = "Write a page to read in a browser" };
    private readonly Option<bool> open = new("--open") { Description = "As --html, and open it in a browser" };
    private readonly Option<bool> summaryOnly = new("--summary-only") { Description = "Write sums only" };
    private readonly Option<bool> skipFunctions = new("--skip-functions") { Description = "Leave out what is told by function" };
    private readonly Option<string?> path = new("--output-path") { HelpName = "FILE", Description = "Write to a file [default: standard output]" };
    private readonly Option<string?> folder = new("--output-dir") { HelpName = "FOLDER", Description = "Write files to text/ or html/ in a folder" };

    public void AddTo(Command command)
    {
        foreach (var (flag, _) in formats) command.Add(flag);
        foreach (var option in (Option[])[text, html, open, summaryOnly, skipFunctions, path, folder]) command.Add(option);
    }

    /// <exception cref="WeftException">Some do not go together.</exception>
    public void Check(ParseResult parsed)
    {
        var chosen = formats.Select(f => f.Flag).Append(text).Append(html).Where(parsed.GetValue).Select(f => f.Name).ToList();
        if (chosen.Count > 1) throw WeftException.Usage($"{string.Join(" and ", chosen)} at once", "give one of them");
        var isPage = parsed.GetValue(html) || parsed.GetValue(open);
        if (parsed.GetValue(open) && chosen is [var other] && other != html.Name) throw WeftException.Usage($"--open and {other} at once", "a browser shows --html");
        if (parsed.GetValue(path) != null && chosen.Count == 0 && !isPage) throw WeftException.Usage("--output-path: for which form?", $"add one of {string.Join(", ", formats.Select(f => f.Flag.Name))}, --text, --html");
        if (parsed.GetValue(folder) != null && !isPage && !parsed.GetValue(text)) throw WeftException.Usage("--output-dir is for --text and --html", "give --output-path for a single file");
        if (parsed.GetValue(folder) != null && parsed.GetValue(path) != null) throw WeftException.Usage("--output-path and --output-dir at once", "give one of them");
    }

    /// <returns>Whether a form was asked for.</returns>
    public bool Write(ParseResult parsed, CoverageInput input, bool instantiations)
    {
        if (parsed.GetValue(html) || parsed.GetValue(open)) HtmlReport.Write(input, parsed.GetValue(folder), parsed.GetValue(path), parsed.GetValue(open));
        else if (parsed.GetValue(text)) WriteText(parsed, input, instantiations);
        else if (Array.Find(formats, f => parsed.GetValue(f.Flag)).Format is { } format) format.Save(input, new ExportOptions(parsed.GetValue(summaryOnly), parsed.GetValue(skipFunctions)), parsed.GetValue(path));
        else return false;
        return true;
    }

    private void WriteText(ParseResult parsed, CoverageInput input, bool instantiations)
    {
        foreach (var problem in SourceProblems.OfText(input.Files, input.Sources)) Terminal.Warning(problem);
        var toScreen = parsed.GetValue(path) == null && parsed.GetValue(folder) == null;
        var source = new AnnotatedSource(input.Data, input.Sources) { Instantiations = instantiations, Colour = toScreen && StandardOutput.Colour };
        if (parsed.GetValue(folder) is { } target) WriteFiles(input, source, Path.Combine(target, "text"));
        else if (parsed.GetValue(path) is { } file) Save(file, output => WriteAll(output, input, source));
        else StandardOutput.Text(output => WriteAll(output, input, source));
    }

    private static void WriteAll(TextWriter output, CoverageInput input, AnnotatedSource source)
    {
        foreach (var file in input.Files)
        {
            if (input.Files.Count > 1) output.Write(file + ":\n");
            source.Write(output, file);
            output.Write('\n');
        }
    }

    private static void WriteFiles(CoverageInput input, AnnotatedSource source, string folder)
    {
        foreach (var file in input.Files)
        {
            var target = Path.Combine(folder, input.Name(file).TrimStart('/') + ".txt");
            try { Directory.CreateDirectory(Path.GetDirectoryName(target)!); }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException) { throw new WeftException($"cannot write to '{folder}': {e.Message}", "name a folder that can be written", ExitCode.Failure, e); }
            Save(target, output => source.Write(output, file));
        }
        Terminal.Status("Wrote", folder);
    }

    private static void Save(string path, Action<TextWriter> write) => AtomicFile.Write(path, stream =>
    {
        using var writer = new StreamWriter(stream, bufferSize: 1 << 16, leaveOpen: true);
        write(writer);
    });
}
