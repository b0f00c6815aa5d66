namespace Weft.Cli.Commands.Hotpatch.Watch;

/// <summary>
/// Waits for files to change by looking at them. A look at a thousand files takes a millisecond, works on every file system, and needs no
/// folder to be watched that builds write thousands of files to.
/// </summary>
internal sealed class SourceWatch
{
    private static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(10), Quiet = TimeSpan.FromMilliseconds(5);

    private readonly Dictionary<string, (DateTime Written, long Size)> known = [];
    private DateTime looked = DateTime.UtcNow;

    /// <summary>Says what to look at; files that are known keep what is known of them.</summary>
    public void Follow(IEnumerable<string> files)
    {
        var wanted = files.ToHashSet();
        foreach (var gone in known.Keys.Where(k => !wanted.Contains(k)).ToList()) known.Remove(gone);
        foreach (var file in wanted) known.TryAdd(file, Look(file));
    }

    /// <summary>Files that have been saved, once nothing more is, and when the first was. Null when it was cancelled.</summary>
    public (IReadOnlyList<string> Files, DateTime Saved)? Wait(CancellationToken cancel)
    {
        var changed = new HashSet<string>();
        var saved = DateTime.MaxValue;
        while (!cancel.WaitHandle.WaitOne(changed.Count > 0 ? Quiet : Interval))
        {
            var before = looked;
            looked = DateTime.UtcNow;
            var now = Changes();
            if (now.Count == 0 && changed.Count > 0) return ([.. changed], saved);
            foreach (var (file, written) in now)
            {
                changed.Add(file);
                var when = written > before ? written : looked; // a file that is moved here, or just being emptied, has an older time
                if (when < saved) saved = when;
            }
        }
        return null;
    }

    private List<(string File, DateTime Written)> Changes()
    {
        var changes = new List<(string File, DateTime Written)>();
        foreach (var (file, before) in known.ToList())
        {
            var now = Look(file);
            if (now == before || now == default) continue; // editors take a file away before they put the new one there
            known[file] = now;
            changes.Add((file, now.Written));
        }
        return changes;
    }

    private static (DateTime Written, long Size) Look(string path)
    {
        var file = new FileInfo(path);
        return file.Exists ? (file.LastWriteTimeUtc, file.Length) : default;
    }
}
