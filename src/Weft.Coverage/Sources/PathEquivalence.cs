using System.Collections.Concurrent;

namespace Weft.Coverage.Sources;

/// <summary>
/// Folders that sources were built in, and where they are instead: llvm-cov's <c>-path-equivalence</c>. The first that fits a path
/// is taken. May be used by several threads at once.
/// </summary>
public sealed class PathEquivalence
{
    private readonly (string From, string FullFrom, string To)[] pairs;
    private readonly ConcurrentDictionary<string, (string Path, int Pair)> known = [];
    private readonly ConcurrentDictionary<string, bool> moved = [];

    /// <param name="pairs">Folders or files. Relative ones are in the working directory; those to come from stand for relative paths of builds, too.</param>
    public PathEquivalence(IEnumerable<(string From, string To)> pairs) =>
        this.pairs = [.. pairs.Select(p => (Trimmed(p.From), Trimmed(Path.GetFullPath(p.From)), Trimmed(Path.GetFullPath(p.To))))];

    public static PathEquivalence None { get; } = new([]);

    /// <summary>Those that no path was under so far.</summary>
    public IEnumerable<string> Unused => pairs.Where((_, i) => !known.Values.Any(found => found.Pair == i)).Select(p => p.From);

    /// <param name="text"><c>FROM,TO</c>; only TO may have commas.</param>
    /// <returns>Null for anything else.</returns>
    public static (string From, string To)? Parse(string text) => text.Split(',', 2) is [{ Length: > 0 } from, { Length: > 0 } to] ? (from, to) : null;

    /// <summary>Where a source is.</summary>
    /// <param name="path">As the build has it.</param>
    public string Find(string path) => pairs.Length == 0 ? path : known.GetOrAdd(path, Look).Path;

    /// <summary>Whether a path is what another one became.</summary>
    public bool HasMoved(string path) => moved.ContainsKey(path);

    private (string Path, int Pair) Look(string path)
    {
        // rustc leaves ".." in paths of modules that are elsewhere.
        var plain = Path.IsPathRooted(path) ? Path.GetFullPath(path) : path;
        for (var i = 0; i < pairs.Length; i++)
        {
            if (Below(Path.IsPathRooted(path) ? pairs[i].FullFrom : pairs[i].From, plain) is not { } rest) continue;
            var target = pairs[i].To + rest;
            if (target != path) moved[target] = true;
            return (target, i);
        }
        return (path, -1);
    }

    /// <summary>What follows the folder, with its slash; nothing for the folder itself; null if the path is elsewhere.</summary>
    private static string? Below(string folder, string path)
    {
        if (folder == ".") return "/" + path;
        return path.StartsWith(folder, StringComparison.Ordinal) && (path.Length == folder.Length || path[folder.Length] == '/') ? path[folder.Length..] : null;
    }

    /// <summary>Without the slash at its end; the root is nothing.</summary>
    private static string Trimmed(string path) => path.TrimEnd('/');
}
