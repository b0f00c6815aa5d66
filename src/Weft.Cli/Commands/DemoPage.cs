using System.Globalization;
using System.Net;
using System.Text;
using Weft.Llvm;
using Weft.Metering;

namespace Weft.Cli.Commands;

/// <summary>The page that <c>weft demo</c> leaves to look at: one HTML file that needs nothing beside it.</summary>
internal sealed class DemoPage
{
    private const string Style = """
        :root { color-scheme: light dark; }
        body { font: 16px/1.5 system-ui, sans-serif; max-width: 60em; margin: 2em auto; padding: 0 1em; }
        table { border-collapse: collapse; width: 100%; margin: 1em 0; }
        th, td { text-align: left; padding: .3em .8em .3em 0; border-bottom: 1px solid #8884; }
        td.n, th.n { text-align: right; font-variant-numeric: tabular-nums; }
        pre { overflow-x: auto; font: 14px/1.4 ui-monospace, monospace; }
        code { font: 14px ui-monospace, monospace; overflow-wrap: anywhere; }
        .bar { background: #3b82c4; height: .8em; border-radius: 2px; min-width: 1px; }
        """;

    private readonly StringBuilder html = new($"<!doctype html>\n<html lang=\"en\"><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\"><title>Weft demo</title>\n<style>\n{Style}</style>\n<h1>Weft demo</h1>\n");

    public void Text(string text) => html.Append("<p>").Append(Escape(text)).Append("</p>\n");

    public void Preformatted(string text) => html.Append("<pre>").Append(Escape(text)).Append("</pre>\n");

    public void Link(string file, string text) => html.Append("<p><a href=\"").Append(Escape(file)).Append("\">").Append(Escape(text)).Append("</a></p>\n");

    public void Heading(string text) => html.Append("<h2>").Append(Escape(text)).Append("</h2>\n");

    /// <summary>The first column is text, the others are numbers.</summary>
    public void Table(IReadOnlyList<string> titles, IEnumerable<IReadOnlyList<string>> rows)
    {
        html.Append("<table>\n");
        Row("th", titles);
        foreach (var row in rows) Row("td", row);
        html.Append("</table>\n");
    }

    /// <summary>Where a metered program spent its units, the most expensive functions first.</summary>
    public void Functions(MeteringReport report, int top)
    {
        html.Append("<table>\n<tr><th>function<th class=\"n\">units<th style=\"width:30%\">share\n");
        foreach (var function in report.Functions.OrderByDescending(f => f.Units).ThenBy(f => f.Name, StringComparer.Ordinal).Take(top))
        {
            var share = (100.0 * function.Units / Math.Max(report.Total, 1)).ToString("F1", CultureInfo.InvariantCulture);
            html.Append(CultureInfo.InvariantCulture, $"<tr><td><code>{Escape(Demangler.Demangle(function.Name))}</code><td class=\"n\">{function.Units:N0}<td title=\"{share} %\"><div class=\"bar\" style=\"width:{share}%\"></div>\n");
        }
        html.Append("</table>\n");
    }

    public override string ToString() => html.ToString();

    private void Row(string tag, IReadOnlyList<string> cells)
    {
        html.Append("<tr>");
        for (var i = 0; i < cells.Count; i++) html.Append('<').Append(tag).Append(i > 0 ? " class=\"n\">" : ">").Append(Escape(cells[i]));
        html.Append('\n');
    }

    private static string Escape(string text) => WebUtility.HtmlEncode(text);
}
