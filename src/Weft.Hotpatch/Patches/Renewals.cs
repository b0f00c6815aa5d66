using Weft.Hotpatch.Objects;
using Weft.Hotpatch.Weaving;
using Weft.Llvm;

namespace Weft.Hotpatch.Patches;

/// <summary>
/// Functions that must not take the place of the ones they were, since old code calls those with something else than they expect:
/// <code>
/// move |x| x + a      ==>  move |x| x + a * b     what it has captured lies otherwise: all that is called with it
/// helper(x)           ==>  helper(x, y)           where the optimiser had removed y, since nothing looked at it
/// </code>
/// They come as new functions, with whoever refers to them. What runs of the old, and closures that have been made, keep the old ones:
/// sound, and all that can be done.
/// </summary>
internal sealed class Renewals(Snapshot snapshot, Differences differences)
{
    public IEnumerable<EntityName> Find(IReadOnlyList<ObjectFile> objects)
    {
        var keys = differences.Changed.SelectMany(n => (string[])[Snapshot.ConventionOf(n), Snapshot.UnusedBy(n)]).ToHashSet();
        var now = objects.SelectMany(o => o.CallTypes).Where(t => keys.Contains(t.Name)).ToLookup(t => t.Name, t => t.Layout);
        RefuseNewUses(now);
        return differences.Changed.Where(name => IsCalledOtherwise(name, now)).Concat(FindByClosures(objects)).ToList();
    }

    private bool IsCalledOtherwise(EntityName name, ILookup<string, string> now)
    {
        if (name.Unit.Length == 0) return false;
        var key = Snapshot.ConventionOf(name);
        return !now[key].ToHashSet().SetEquals(snapshot.Types.GetValueOrDefault(key) ?? []);
    }

    // Callers that are under way pass nothing for what it did not look at.
    private void RefuseNewUses(ILookup<string, string> now)
    {
        foreach (var name in differences.Changed)
            if (snapshot.Types.TryGetValue(Snapshot.UnusedBy(name), out var unused) && Numbers(unused).Except(Numbers(now[Snapshot.UnusedBy(name)])).ToList() is { Count: > 0 } used)
                differences.Refusals.Add($"{Demangler.Demangle(name.Name)} looks at its argument {used.Min() + 1} now, which optimised callers in its file leave undefined, and they may be under way");
    }

    private static IEnumerable<int> Numbers(IEnumerable<string> lists) => lists.SelectMany(l => l.Split(',')).Select(n => int.TryParse(n, out var number) ? number : 0);

    private IEnumerable<EntityName> FindByClosures(IReadOnlyList<ObjectFile> objects)
    {
        var closures = ChangedClosures([.. objects.SelectMany(o => o.CallTypes).Where(t => t.Name[0] == 'T')]);
        if (closures.Count == 0) yield break;
        var signatures = objects.SelectMany(o => o.CallTypes).Where(t => t.Name[0] == 'F').Distinct().ToLookup(t => t.Name[2..], t => t.Layout);
        foreach (var file in objects)
            foreach (var symbol in file.Definitions)
                if (SnapshotMaker.NameOf(file, symbol) is var name && snapshot.Entities.TryGetValue(name, out var old) && old.Kind == EntityKind.Function && TextsOf(symbol.Name, signatures).Any(t => closures.Any(c => t.Contains(c, StringComparison.Ordinal)))) yield return name;
    }

    private static IEnumerable<string> TextsOf(string symbol, ILookup<string, string> signatures) => ClosureNames.MayBeIn(symbol) ? signatures[symbol].Append(Demangler.Demangle(symbol)) : signatures[symbol];

    // Numbers of closures move when one is added or removed: then none of a function's can be told for sure.
    private HashSet<string> ChangedClosures(List<(string Name, string Layout)> closures)
    {
        var changed = closures.Where(c => snapshot.Types.TryGetValue(c.Name, out var known) && !known.Contains(c.Layout)).Select(c => c.Name[2..]).ToHashSet();
        var names = closures.Select(c => c.Name).ToHashSet();
        var gone = snapshot.Types.Keys.Where(k => IsClosure(k) && !names.Contains(k)).Select(Family).ToHashSet();
        var added = names.Where(n => !snapshot.Types.ContainsKey(n)).Select(Family).ToHashSet();
        if (gone.Count == 0 && added.Count == 0) return changed;
        var known = snapshot.Types.Keys.Where(IsClosure).Select(Family).ToHashSet();
        changed.UnionWith(names.Where(n => Family(n) is var family && known.Contains(family) && (gone.Contains(family) || added.Contains(family))).Select(n => n[2..]));
        return changed;
    }

    private static string Family(string key) => ClosureNames.Family(key[2..]);

    private static bool IsClosure(string key) => key[0] == 'T' && ClosureNames.IsIn(key);
}
