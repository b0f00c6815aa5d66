using System.Globalization;
using System.Net;
using System.Text;
using Weft.Interrupts;

namespace Weft.Cli.Profile;

/// <summary>A profile as one HTML file that needs nothing beside it.</summary>
internal sealed class ProfilePage
{
    private const string Style = """
        :root { color-scheme: light dark; --bar: #2f6fae; }
        @media (prefers-color-scheme: dark) { :root { --bar: #6fb1ee; } }
        body { font: 16px/1.5 system-ui, sans-serif; max-width: 64em; margin: 2em auto; padding: 0 1em; }
        h1 { overflow-wrap: anywhere; }
        .scroll { overflow-x: auto; }
        table { border-collapse: collapse; width: 100%; margin: 1em 0; }
        th, td { text-align: left; padding: .3em .8em .3em 0; border-bottom: 1px solid #8884; vertical-align: top; }
        td.n, th.n { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
        code { font: 14px ui-monospace, monospace; overflow-wrap: anywhere; }
        summary { font-size: 1.15em; font-weight: 600; cursor: pointer; padding: .3em 0; overflow-wrap: anywhere; }
        :focus-visible { outline: 2px solid var(--bar); outline-offset: 2px; }
        figure { margin: 1em 0; }
        svg { width: 100%; max-width: 44em; height: auto; }
        svg rect { fill: var(--bar); }
        svg text { fill: currentColor; font: 12px system-ui, sans-serif; }
        """;

    private readonly StringBuilder html = new($"<!doctype html>\n<html lang=\"en\"><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"><title>Interrupts profile</title>\n<style>\n{Style}</style>\n<h1>Interrupts profile</h1>\n");

    public void Add(InterruptsProfile profile, Symbols symbols, int top)
    {
        Element("p", ProfileText.Headline(profile));
        Gaps(GapGroup.Of(profile, symbols, top));
        Element("h2", "Threads");
        foreach (var thread in profile.Threads) Thread(profile, thread);
    }

    public void Add(Overhead overhead)
    {
        Element("h2", "Overhead");
        Element("p", $"User CPU time, best of 3: {ProfileText.Overheads(overhead)}.");
    }

    public override string ToString() => html.ToString();

    private void Gaps(IReadOnlyList<GapGroup> groups)
    {
        if (groups.Count == 0) return;
        Element("h2", "Longest gaps");
        html.Append("<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"Longest gaps\"><table>\n<tr><th>thread<th class=\"n\">ticks<th class=\"n\">units<th class=\"n\">how often<th>begins at<th>ends at\n");
        foreach (var group in groups)
        {
            html.Append(CultureInfo.InvariantCulture, $"<tr><td>{Escape(group.Thread.Name)}<td class=\"n\">{ProfileText.Number(group.Gaps[0].Ticks)}<td class=\"n\">{ProfileText.Number(group.Gaps[0].Units)}<td class=\"n\">{group.Gaps.Count}");
            foreach (var place in (Place[])[group.From, group.To])
                html.Append("<td title=\"").Append(Escape(place.File.Length > 0 ? $"{place.File}:{place.Line}" : place.Module)).Append("\"><code>").Append(Escape(place.ToString())).Append("</code>");
            html.Append('\n');
        }
        html.Append("</table></div>\n");
    }

    private void Thread(InterruptsProfile profile, ProfiledThread thread)
    {
        html.Append("<details").Append(profile.Threads.Count <= 8 ? " open" : "").Append('>');
        Element("summary", ProfileText.Title(thread));
        Element("p", ProfileText.Summary(profile, thread));
        if (thread.Interrupts > 0)
        {
            html.Append("<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"Percentiles\"><table>\n<tr><th>");
            foreach (var title in ProfileText.PercentileTitles) html.Append("<th class=\"n\">").Append(title);
            foreach (var (name, values) in ProfileText.Distributions(thread))
            {
                html.Append("\n<tr><td>").Append(name);
                foreach (var value in ProfileText.PercentileValues(values)) html.Append("<td class=\"n\">").Append(ProfileText.Number(value));
            }
            html.Append("\n</table></div>\n");
            foreach (var (name, values) in ProfileText.Distributions(thread)) Histogram(name, values);
        }
        html.Append("</details>\n");
    }

    private void Histogram(string name, Distribution values)
    {
        const int line = 18, left = 120, right = 60, width = 600;
        var rows = values.Rows(20);
        var most = rows.Max(r => r.Count);
        html.Append(CultureInfo.InvariantCulture, $"<figure><figcaption>{name} between interrupts</figcaption><svg viewBox=\"0 0 {width} {rows.Count * line + 4}\" role=\"img\" aria-label=\"Histogram of {name}\">\n");
        for (var i = 0; i < rows.Count; i++)
        {
            var (from, to, count) = rows[i];
            var length = Math.Max(1, (double)(width - left - right) * count / most).ToString("F1", CultureInfo.InvariantCulture);
            html.Append(CultureInfo.InvariantCulture, $"<g><title>{ProfileText.Number(from)} to {ProfileText.Number(to)}: {ProfileText.Number(count)} intervals</title><text x=\"{left - 8}\" y=\"{i * line + 14}\" text-anchor=\"end\">{ProfileText.Number(from)}</text>");
            html.Append(CultureInfo.InvariantCulture, $"<rect x=\"{left}\" y=\"{i * line + 3}\" width=\"{length}\" height=\"{line - 4}\"/><text x=\"{width - right + 6}\" y=\"{i * line + 14}\">{ProfileText.Share(count, values.Count)}</text></g>\n");
        }
        html.Append("</svg></figure>\n");
    }

    private void Element(string tag, string text) => html.Append('<').Append(tag).Append('>').Append(Escape(text)).Append("</").Append(tag).Append(">\n");

    private static string Escape(string text) => WebUtility.HtmlEncode(ProfileText.Printable(text));
}
