using System.Reflection;
using System.Security.Cryptography;
using System.Text;
using System.Text.RegularExpressions;

namespace Weft.Core;

/// <summary>
/// One HTML file that needs nothing beside it. Its frame, style and scripts are resources <c>page/*</c> of an instrument; what they
/// show comes in places of the frame that are marked <c>{{name}}</c>.
/// </summary>
/// <param name="resources">Where they are.</param>
/// <param name="scripts">In the order in which the one script of the page has them; they share a scope.</param>
public sealed partial class HtmlPage(Assembly resources, params IReadOnlyList<string> scripts)
{
    /// <param name="output">Gets UTF-8 and stays open.</param>
    /// <param name="parts">What comes in which place.</param>
    public void Write(Stream output, IReadOnlyDictionary<string, Action<Stream>> parts)
    {
        var style = Resource("page.css");
        var script = $"(() => {{\n\"use strict\";\n{string.Join('\n', scripts.Select(Resource))}}})();\n";
        // The frame has text and, at every second place, the name of what comes there.
        foreach (var (i, part) in Placeholder().Split(Resource("page.html")).Index())
            if (i % 2 == 0) Text(output, part);
            else if (part == "policy") Text(output, $"default-src 'none'; script-src {Hash(script)}; style-src {Hash(style)}; base-uri 'none'; form-action 'none'");
            else if (part == "style") Text(output, style);
            else if (part == "script") Text(output, script);
            else parts[part](output);
    }

    public static void Text(Stream output, string text) => output.Write(Encoding.UTF8.GetBytes(text));

    /// <summary>What would not be seen, or would reorder what is seen, becomes a replacement character.</summary>
    public static string Printable(string text) => text.Any(Hidden) ? string.Concat(text.Select(c => Hidden(c) ? '\ufffd' : c)) : text;

    private static bool Hidden(char c) => char.IsControl(c) || c is (>= '\u200b' and <= '\u200f') or (>= '\u2028' and <= '\u202e') or (>= '\u2060' and <= '\u206f') or '\ufeff' or '\ufffe' or '\uffff';

    // The policy names the page's own script and style by their hashes: nothing else runs, whatever got into the page.
    private static string Hash(string text) => $"'sha256-{Convert.ToBase64String(SHA256.HashData(Encoding.UTF8.GetBytes(text)))}'";

    private string Resource(string name)
    {
        using var stream = resources.GetManifestResourceStream("page/" + name)!;
        using var reader = new StreamReader(stream);
        return reader.ReadToEnd();
    }

    [GeneratedRegex(@"\{\{([a-z]+)\}\}")]
    private static partial Regex Placeholder();
}
