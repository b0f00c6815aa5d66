using Weft.Core;
using Weft.Coverage.Model;
using Weft.Coverage.PerTest;
using Weft.Coverage.Sources;

namespace Weft.Coverage.Page;

/// <summary>What a page says of where it is from.</summary>
/// <param name="Program">Name of what ran.</param>
/// <param name="Command">That made the page.</param>
/// <param name="Profile">Where counts are from.</param>
/// <param name="Written">When the page was.</param>
/// <param name="Built">When the program was; sources that are newer are said to have changed.</param>
/// <param name="Remarks">What readers should know, a sentence each.</param>
public sealed record PageFacts(string Program, string Command, string Profile, DateTimeOffset Written, DateTime? Built, IReadOnlyList<string> Remarks)
{
    /// <summary>Where sources are now.</summary>
    public PathEquivalence Paths { get; init; } = PathEquivalence.None;

    /// <summary>Who reaches what, if that is to be shown.</summary>
    public LineTests? Tests { get; init; }
}

/// <summary>
/// Coverage as one HTML file that needs nothing beside it. Sources and counts are in it as compressed JSON, a piece for each
/// file that is read only when somebody looks at it (see docs/coverage-page.md); its script shows them as text and nothing else.
/// </summary>
public static class CoveragePage
{
    // In the order in which the one script of the page has them; they share a scope.
    private static readonly string[] Scripts = ["data.js", "tokens.js", "spans.js", "model.js", "look.js", "overview.js", "code.js", "details.js", "functions.js", "file.js", "search.js", "page.js"];

    /// <param name="output">Gets UTF-8 and stays open.</param>
    /// <param name="data">What ran.</param>
    /// <param name="files">Those of its files that are wanted, in order.</param>
    /// <param name="facts">For the head of the page.</param>
    public static void Write(Stream output, CoverageData data, IReadOnlyList<string> files, PageFacts facts)
    {
        using var index = new PageIndex(facts);
        new HtmlPage(typeof(CoveragePage).Assembly, Scripts).Write(output, new Dictionary<string, Action<Stream>>
        {
            ["files"] = stream => WriteFiles(stream, data, files, facts, index),
            ["functions"] = index.WriteFunctions,
            ["index"] = index.WriteIndex,
            ["static"] = stream => StaticTable.Write(stream, facts, index),
        });
    }

    /// <summary>Some files at a time, so that there is work for all processors and little in memory.</summary>
    private static void WriteFiles(Stream output, CoverageData data, IReadOnlyList<string> files, PageFacts facts, PageIndex index)
    {
        var sources = new PageSources(facts.Built, facts.Paths);
        foreach (var paths in files.Chunk(8 * Environment.ProcessorCount))
        {
            var batch = new PageFile[paths.Length];
            Parallel.For(0, paths.Length, i => batch[i] = PageFile.Of(data, paths[i], sources, facts.Tests));
            foreach (var file in batch)
            {
                HtmlPage.Text(output, $"<script type=\"application/octet-stream\" id=\"file-{index.Files.Count}\">");
                file.Data.WriteTo(output);
                HtmlPage.Text(output, "</script>\n");
                file.Data.Dispose();
                index.Add(file);
            }
        }
    }
}
