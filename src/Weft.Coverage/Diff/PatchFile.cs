using System.Text;

namespace Weft.Coverage.Diff;

/// <summary>What a patch makes of a file.</summary>
/// <param name="Path">Its new path as the patch has it, without <c>b/</c>.</param>
/// <param name="Lines">Lines that are new or changed, from 1.</param>
public sealed record PatchedFile(string Path, IReadOnlyList<int> Lines);

/// <summary>Lines behind each other that a patch takes out, and those that it puts there.</summary>
/// <param name="OldLine">Number of the first old line, or of the one that follows if there are none.</param>
/// <param name="Old">May be empty.</param>
/// <param name="NewLine">Number of the first new line, or of the one that follows if there are none.</param>
/// <param name="New">May be empty.</param>
public sealed record PatchedRun(int OldLine, IReadOnlyList<string> Old, int NewLine, IReadOnlyList<string> New);

/// <summary>Both sides of what a patch does to a file.</summary>
/// <param name="OldPath">Null for a new file.</param>
/// <param name="NewPath">Null for one that is deleted.</param>
/// <param name="OldBlob">git's name for its old content, perhaps only the beginning of it; empty if the patch does not say.</param>
/// <param name="Runs">By line.</param>
public sealed record FileChange(string? OldPath, string? NewPath, string OldBlob, IReadOnlyList<PatchedRun> Runs);

/// <summary>
/// Reads unified diffs, of <c>git diff</c> and of <c>diff -u</c>, with any number of lines around the changes. Files that are
/// binary, or only renamed, have no lines.
/// </summary>
public static class PatchFile
{
    /// <param name="patch">The text; whatever is in lines of sources does not matter.</param>
    /// <returns>Files with new lines.</returns>
    /// <exception cref="Core.WeftException">It is no patch.</exception>
    public static IReadOnlyList<PatchedFile> Read(string patch) => [.. ReadChanges(patch)
        .Where(f => f.NewPath != null)
        .Select(f => new PatchedFile(f.NewPath!, [.. f.Runs.SelectMany(r => Enumerable.Range(r.NewLine, r.New.Count))]))
        .Where(f => f.Lines.Count > 0)];

    /// <inheritdoc cref="Read"/>
    /// <returns>Files with lines that are new or gone.</returns>
    public static IReadOnlyList<FileChange> ReadChanges(string patch)
    {
        var files = new List<FileChange>();
        List<PatchedRun>? runs = null;
        var (blob, oldPath) = ("", (string?)null);
        int oldLine = 0, newLine = 0, oldLeft = 0, newLeft = 0, number = 0;
        var isPatch = false;
        foreach (var text in patch.AsSpan().EnumerateLinesByFeed())
        {
            number++;
            if (oldLeft > 0 || newLeft > 0)
            {
                // Within a hunk, what begins with +++ is a line that begins with ++.
                var kind = text.IsEmpty ? ' ' : text[0];
                if (kind is '+' or '-') AddTo(runs, oldLine, newLine, kind, text[1..]);
                else if (kind is not (' ' or '\\')) throw Bad(number, "a hunk has fewer lines than it says");
                if (kind is '-' or ' ') (oldLine, oldLeft) = (oldLine + 1, oldLeft - 1);
                if (kind is '+' or ' ') (newLine, newLeft) = (newLine + 1, newLeft - 1);
            }
            else if (text.StartsWith("index ")) blob = text[6..].ToString().Split("..")[0];
            else if (text.StartsWith("--- ")) oldPath = PathOf(text[4..], "a/");
            else if (text.StartsWith("+++ "))
            {
                isPatch = true;
                files.Add(new FileChange(oldPath, PathOf(text[4..], "b/"), blob, runs = []));
            }
            else if (text.StartsWith("@@ -"))
            {
                (oldLine, oldLeft, newLine, newLeft) = Hunk(text, number);
            }
            else if (text.StartsWith("diff ") || text.StartsWith("Binary files ") || text.StartsWith("GIT binary patch"))
            {
                isPatch = true;
                (runs, blob) = (null, "");
            }
        }
        if (oldLeft > 0 || newLeft > 0) throw Bad(number, "it is cut short");
        if (!isPatch && patch.AsSpan().Trim().Length > 0) throw Bad(1, "it is no unified diff");
        return files.Where(f => f.Runs.Count > 0).ToList();
    }

    private static void AddTo(List<PatchedRun>? runs, int oldLine, int newLine, char kind, ReadOnlySpan<char> text)
    {
        if (runs == null) return;
        if (runs.Count == 0 || runs[^1].OldLine + runs[^1].Old.Count != oldLine || runs[^1].NewLine + runs[^1].New.Count != newLine) runs.Add(new PatchedRun(oldLine, new List<string>(), newLine, new List<string>()));
        ((List<string>)(kind == '-' ? runs[^1].Old : runs[^1].New)).Add(text.ToString());
    }

    /// <summary><c>@@ -3,2 +4,5 @@</c>; a count of one may be left out.</summary>
    private static (int OldLine, int Old, int NewLine, int New) Hunk(ReadOnlySpan<char> text, int number)
    {
        var parts = text[3..].ToString().Split(' ', 3);
        if (parts.Length < 2 || !parts[1].StartsWith('+')) throw Bad(number, "a hunk does not say which lines it is of");
        var (before, after) = (parts[0][1..].Split(','), parts[1][1..].Split(','));
        if (!int.TryParse(before[0], out var oldLine) || !int.TryParse(after[0], out var newLine) || !TryCount(before, out var old) || !TryCount(after, out var added)) throw Bad(number, "a hunk does not say which lines it is of");
        // Where there are none, the number is that of the line before.
        return (old == 0 ? oldLine + 1 : oldLine, old, added == 0 ? newLine + 1 : newLine, added);
    }

    private static bool TryCount(string[] range, out int count)
    {
        count = 1;
        return range.Length == 1 || int.TryParse(range[1], out count);
    }

    /// <summary>Null for a file that is not there.</summary>
    private static string? PathOf(ReadOnlySpan<char> text, string prefix)
    {
        var path = text.StartsWith("\"") ? Unquote(text) : (text.IndexOf('\t') is var tab and >= 0 ? text[..tab] : text).TrimEnd('\r').ToString();
        if (path == "/dev/null") return null;
        return path.StartsWith(prefix, StringComparison.Ordinal) ? path[2..] : path;
    }

    /// <summary>git quotes as C does, with bytes in octal.</summary>
    private static string Unquote(ReadOnlySpan<char> text)
    {
        var bytes = new List<byte>();
        for (var i = 1; i < text.Length && text[i] != '"'; i++)
        {
            if (text[i] != '\\' || i + 1 == text.Length)
            {
                bytes.AddRange(Encoding.UTF8.GetBytes([text[i]]));
                continue;
            }
            i++;
            if (text[i] is >= '0' and <= '7' && i + 2 < text.Length)
            {
                bytes.Add((byte)((text[i] - '0') * 64 + (text[i + 1] - '0') * 8 + (text[i + 2] - '0')));
                i += 2;
            }
            else
            {
                bytes.Add((byte)(text[i] switch { 'n' => '\n', 't' => '\t', 'r' => '\r', 'a' => '\a', 'b' => '\b', 'f' => '\f', 'v' => '\v', var other => other }));
            }
        }
        return Encoding.UTF8.GetString([.. bytes]);
    }

    private static Core.WeftException Bad(int line, string what) => new($"cannot read the patch: line {line}: {what}", "give what 'git diff' or 'diff -u' prints");

    /// <summary>Lines that end in a line feed, and in nothing else: sources may have other ends of lines within.</summary>
    private static LinesByFeed EnumerateLinesByFeed(this ReadOnlySpan<char> text) => new(text);

    private ref struct LinesByFeed(ReadOnlySpan<char> rest)
    {
        private ReadOnlySpan<char> rest = rest;

        public ReadOnlySpan<char> Current { get; private set; }

        public readonly LinesByFeed GetEnumerator() => this;

        public bool MoveNext()
        {
            if (rest.IsEmpty) return false;
            var end = rest.IndexOf('\n');
            Current = end < 0 ? rest : rest[..end];
            rest = end < 0 ? [] : rest[(end + 1)..];
            return true;
        }
    }
}
