using System.Globalization;
using System.Net;
using System.Text;
using Weft.Core;
using Weft.Coverage.Model;

namespace Weft.Coverage.Page;

/// <summary>What those see who have no JavaScript: sums of all and of each file.</summary>
internal static class StaticTable
{
    private const int MostFiles = 5000;

    public static void Write(Stream output, PageFacts facts, PageIndex index)
    {
        var text = new StringBuilder();
        text.Append(CultureInfo.InvariantCulture, $"<h1>Coverage of {Escape(facts.Program)}</h1>\n<p>Sources and details need JavaScript; these are the sums.</p>\n<table>\n<thead><tr><th scope=\"col\">File</th>");
        foreach (var (title, _) in Columns) text.Append(CultureInfo.InvariantCulture, $"<th scope=\"col\">{title}</th>");
        text.Append("</tr></thead>\n<tbody>\n");
        Row(text, "Total", index.Totals);
        var root = index.Root().Length;
        foreach (var (path, summary, _) in index.Files.Take(MostFiles)) Row(text, path[root..], summary);
        text.Append("</tbody>\n</table>\n");
        if (index.Files.Count > MostFiles) text.Append(CultureInfo.InvariantCulture, $"<p>and {index.Files.Count - MostFiles:N0} more files</p>\n");
        output.Write(Encoding.UTF8.GetBytes(text.ToString()));
    }

    private static (string Title, Func<CoverageSummary, Ratio> Of)[] Columns { get; } =
        [("Lines", s => s.Lines), ("Regions", s => s.Regions), ("Functions", s => s.Functions), ("Branches", s => s.Branches), ("MC/DC", s => s.Mcdc)];

    private static void Row(StringBuilder text, string name, CoverageSummary summary)
    {
        text.Append(CultureInfo.InvariantCulture, $"<tr><th scope=\"row\">{Escape(name)}</th>");
        foreach (var (_, of) in Columns)
        {
            var ratio = of(summary);
            text.Append(ratio.Count == 0 ? "<td>–</td>" : string.Create(CultureInfo.InvariantCulture, $"<td>{Math.Floor(ratio.Percent * 10) / 10:F1} % ({ratio.Covered:N0} of {ratio.Count:N0})</td>"));
        }
        text.Append("</tr>\n");
    }

    private static string Escape(string text) => WebUtility.HtmlEncode(HtmlPage.Printable(text));
}
