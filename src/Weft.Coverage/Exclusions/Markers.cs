using System.Text;
using System.Text.RegularExpressions;
using Weft.Coverage.Sources;

namespace Weft.Coverage.Exclusions;

/// <summary>Lines that comments take out of coverage.</summary>
/// <param name="Lines">Of which nothing counts.</param>
/// <param name="Branches">Of which branches do not count.</param>
/// <param name="Problems">Markers that do not go in pairs: a line and what is wrong.</param>
public sealed record ExcludedLines(LineSet Lines, LineSet Branches, IReadOnlyList<(int Line, string What)> Problems);

/// <summary>
/// Markers in comments: <c>weft: coverage off</c> to <c>weft: coverage on</c>, <c>weft: no coverage</c> for a line, and what lcov,
/// gcovr and grcov have for the same. A range has the line it begins in, and not that of its end.
/// </summary>
public static partial class Markers
{
    private static readonly byte[][] Hints = ["weft:"u8.ToArray(), "_EXCL_"u8.ToArray(), "cov:excl-"u8.ToArray()];

    /// <returns>Null if nothing is excluded.</returns>
    public static ExcludedLines? Find(SourceText source, bool isRust)
    {
        if (!Array.Exists(Hints, hint => source.Bytes.IndexOf(hint) >= 0)) return null;
        Ranges lines = new(source.LineCount), branches = new(source.LineCount);
        var comments = new Comments(source.Bytes, isRust);
        while (comments.Next() is { } comment)
        {
            var text = Encoding.Latin1.GetString(source.Bytes[comment.Start..comment.End]);
            foreach (Match match in Marker().Matches(text))
            {
                var isBranch = match.Groups["branch"].Success;
                (isBranch ? branches : lines).Add(Kind(match), source.LineAt(comment.Start + match.Index), match.Value);
            }
        }
        var problems = lines.Problems().Concat(branches.Problems()).OrderBy(p => p.Line).ToList();
        return lines.IsEmpty && branches.IsEmpty && problems.Count == 0 ? null : new ExcludedLines(lines.ToSet(), branches.ToSet(), problems);
    }

    private static Mark Kind(Match match) => match.Groups["start"].Success ? Mark.Start : match.Groups["stop"].Success ? Mark.Stop : Mark.Line;

    private enum Mark { Line, Start, Stop }

    private sealed class Ranges(int lineCount)
    {
        private readonly List<(int First, int Last)> ranges = [];
        private readonly List<(int Line, string What)> problems = [];
        private (int Line, string Text)? open;

        public bool IsEmpty => ranges.Count == 0 && open == null;

        public void Add(Mark mark, int line, string text)
        {
            if (mark == Mark.Line) ranges.Add((line, line));
            else if (mark == Mark.Start && open is { } earlier) problems.Add((line, $"'{text}' follows '{earlier.Text}' of line {earlier.Line}, which is still open"));
            else if (mark == Mark.Start) open = (line, text);
            else if (open is { } begin)
            {
                if (line > begin.Line) ranges.Add((begin.Line, line - 1));
                open = null;
            }
            else problems.Add((line, $"'{text}' ends nothing"));
        }

        /// <summary>What is still open at the end goes on to the end.</summary>
        public LineSet ToSet() => new(open is { } begin ? [.. ranges, (begin.Line, lineCount)] : ranges);

        public List<(int Line, string What)> Problems() => open is { } begin ? [.. problems, (begin.Line, $"'{begin.Text}' is never ended: all that follows is left out")] : problems;
    }

    [GeneratedRegex("""
        \bweft:[ \t]*(?:no[ ]coverage | (?<start>coverage[ ]off) | (?<stop>coverage[ ]on))\b
        | \b(?:LCOV|GCOVR?)_EXCL_(?<branch>BR_)?(?:LINE | (?<start>START) | (?<stop>STOP))\b
        | \bcov:excl-(?<branch>br-)?(?:line | (?<start>start) | (?<stop>stop))\b
        """, RegexOptions.CultureInvariant | RegexOptions.IgnorePatternWhitespace | RegexOptions.ExplicitCapture)]
    private static partial Regex Marker();
}
