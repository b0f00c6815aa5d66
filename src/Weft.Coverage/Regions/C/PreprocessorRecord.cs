using System.Globalization;
using System.Text;

namespace Weft.Coverage.Regions.C;

/// <summary>One inclusion of a file, as the compiler's own preprocessor saw it.</summary>
/// <param name="path">As the compiler names the file.</param>
/// <param name="isSystem">A header of the system.</param>
internal sealed class RecordedInclusion(string path, bool isSystem)
{
    public string Path { get; } = path;

    public bool IsSystem { get; } = isSystem;

    /// <summary>The files that this one includes, by the line of the directive.</summary>
    public Dictionary<int, RecordedInclusion> Included { get; } = [];

    /// <summary>The <c>#define</c> and <c>#undef</c> lines of a system's header and of all that it includes, in order.</summary>
    public List<string> Definitions { get; } = [];

    /// <summary>What a system's header and all that it includes declare.</summary>
    public StringBuilder Declarations { get; } = new();
}

/// <summary>
/// Reads what <c>clang -E -dD</c> prints: the system's headers come from there, already preprocessed, because only the
/// compiler knows where they are and what they mean to it. Files of the user are only named; their text is read as it stands.
/// </summary>
internal static class PreprocessorRecord
{
    public static RecordedInclusion Read(string output, string mainFile)
    {
        var main = new RecordedInclusion(mainFile, isSystem: false);
        var stack = new Stack<(RecordedInclusion File, int Line)>();
        stack.Push((main, 0));
        foreach (var text in output.Split('\n'))
        {
            if (Marker(text) is { } marker) Enter(stack, marker);
            else Text(stack, text);
        }
        return main;
    }

    private static void Text(Stack<(RecordedInclusion File, int Line)> stack, string text)
    {
        var (file, line) = stack.Pop();
        stack.Push((file, line + 1));
        if (!file.IsSystem) return;
        if (text.StartsWith("#define ", StringComparison.Ordinal) || text.StartsWith("#undef ", StringComparison.Ordinal)) file.Definitions.Add(text);
        else file.Declarations.Append(text).Append('\n');
    }

    private static void Enter(Stack<(RecordedInclusion File, int Line)> stack, (int Line, string Path, string Flags) marker)
    {
        var (current, line) = stack.Pop();
        if (marker.Flags.Contains('2') && stack.TryPop(out var outer))
        {
            stack.Push((outer.File, marker.Line));
        }
        else if (marker.Flags.Contains('1'))
        {
            stack.Push((current, line));
            stack.Push((Included(current, line, marker), marker.Line));
        }
        else
        {
            stack.Push((current, marker.Line));
        }
    }

    private static RecordedInclusion Included(RecordedInclusion current, int line, (int Line, string Path, string Flags) marker)
    {
        if (current.IsSystem) return current; // what a system's header includes is taken for a part of it
        var isMadeUp = marker.Path.StartsWith('<'); // <built-in> and <command line>, one after the other before the first line
        if (isMadeUp && current.Included.TryGetValue(0, out var known)) return known;
        return current.Included[isMadeUp ? 0 : line] = new RecordedInclusion(marker.Path, isMadeUp || marker.Flags.Contains('3'));
    }

    /// <summary><c># 12 "file.h" 1 3</c></summary>
    private static (int Line, string Path, string Flags)? Marker(string text)
    {
        if (!text.StartsWith("# ", StringComparison.Ordinal) || text.Length < 3 || !char.IsAsciiDigit(text[2])) return null;
        var open = text.IndexOf('"');
        var close = text.LastIndexOf('"');
        return (int.Parse(text.AsSpan(2, open - 3), CultureInfo.InvariantCulture), text[(open + 1)..close].Replace("\\\\", "\\"), text[(close + 1)..]);
    }
}
