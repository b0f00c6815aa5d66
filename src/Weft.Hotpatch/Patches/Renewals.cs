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
        var types = objects.SelectMany(o => o.Types).Where(IsOfInterest).Distinct().ToList();
        var now = types.ToLookup(t => t.Name, t => t.Layout);
        RefuseNewUses(now);
        return differences.Changed.Where(name => IsCalledOtherwise(name, now)).Concat(FindByClosures(objects, types)).ToList();
    }

    // Most lines are of types that are none, and of those there are very many.
    private static bool IsOfInterest((string Name, string Layout) line) => line.Name[0] switch
    {
        'T' => ClosureNames.IsIn(line.Name),
        'F' => ClosureNames.IsIn(line.Layout),
        _ => true,
    };

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

    private IEnumerable<EntityName> FindByClosures(IReadOnlyList<ObjectFile> objects, List<(string Name, string Layout)> types)
    {
        var closures = ChangedClosures(types);
        if (closures.Count == 0) yield break;
        var signatures = types.Where(t => t.Name[0] == 'F').ToLookup(t => t.Name[2..], t => t.Layout);
        foreach (var file in objects)
            foreach (var symbol in file.Definitions)
                if (SnapshotMaker.NameOf(file, symbol) is var name && snapshot.Entities.TryGetValue(name, out var old) && old.Kind == EntityKind.Function && TextsOf(symbol.Name, signatures).Any(t => closures.Any(c => t.Contains(c, StringComparison.Ordinal)))) yield return name;
    }

    private static IEnumerable<string> TextsOf(string symbol, ILookup<string, string> signatures) => ClosureNames.MayBeIn(symbol) ? signatures[symbol].Append(Demangler.Demangle(symbol)) : signatures[symbol];

    // Numbers of closures move when one is added or removed: then none of a function's can be told for sure.
    private HashSet<string> ChangedClosures(List<(string Name, string Layout)> types)
    {
        var changed = new HashSet<string>();
        var known = snapshot.Types.Keys.Where(IsClosure).ToLookup(k => ClosureNames.Family(k[2..]), k => k[2..]);
        foreach (var family in types.Where(t => t.Name[0] == 'T').GroupBy(t => ClosureNames.Family(t.Name[2..])))
        {
            if (!known.Contains(family.Key)) continue;
            var names = family.Select(t => t.Name[2..]).ToHashSet();
            if (!names.SetEquals(known[family.Key])) changed.UnionWith(names);
            else changed.UnionWith(family.Where(t => !snapshot.Types[t.Name].Contains(t.Layout)).Select(t => t.Name[2..]));
        }
        return changed;
    }

    private static bool IsClosure(string key) => key[0] == 'T' && ClosureNames.IsIn(key);
}
