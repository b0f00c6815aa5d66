using Weft.Hotpatch.Objects;
using Weft.Hotpatch.Weaving;
using Weft.Llvm;

namespace Weft.Hotpatch.Patches;

/// <summary>
/// What a build has changed of types and signatures, where that contradicts what runs: objects lie in memory by the old layout, and code that
/// has not changed calls by the old signature.
/// </summary>
internal sealed class TypeDifferences(Snapshot snapshot, Differences differences)
{
    public void Find(IReadOnlyList<ObjectFile> objects)
    {
        var signatures = new Dictionary<string, (string Old, string New)>();
        foreach (var file in objects)
            foreach (var (key, layout) in file.Types)
            {
                if (!snapshot.Types.TryGetValue(key, out var known) || known.Contains(layout)) continue;
                var name = key[2..];
                if (key[0] == 'F') signatures[name] = (string.Join(" or ", known), layout);
                else if (key[0] == 'T' && !ClosureNames.IsIn(name) && !known.Any(old => IsExtended(old, layout))) differences.Refusals.Add(Describe(name, known.First(), layout));
            }
        if (signatures.Count > 0) FindCallers(objects, signatures);
    }

    private static string Describe(string name, string old, string now)
    {
        return $"the type {name} lies in memory otherwise, and there may be one: {Shown(old)} became {Shown(now)}";
    }

    private static string Shown(string layout)
    {
        const int most = 160;
        var words = layout.Split(' ', 2);
        return $"{words[0]} bytes{(words.Length > 1 ? $" ({(words[1].Length > most ? words[1][..most] + "..." : words[1])})" : "")}";
    }

    // An enumeration that has all that it had, with the same numbers: "4 RED=0 GREEN=1".
    private static bool IsExtended(string old, string now)
    {
        string[] before = old.Split(' '), after = now.Split(' ');
        return before[0] == after[0] && before.Length > 1 && before.Skip(1).All(w => w.Contains('=') && !w.Contains('@')) && before.Skip(1).All(after.Contains);
    }

    private void FindCallers(IReadOnlyList<ObjectFile> objects, Dictionary<string, (string Old, string New)> signatures)
    {
        foreach (var file in objects)
            foreach (var symbol in file.Definitions)
            {
                var name = SnapshotMaker.NameOf(file, symbol);
                if (differences.Changed.Contains(name) || !snapshot.Entities.ContainsKey(name) || !file.SectionOf(symbol.Section).IsLoaded) continue;
                foreach (var called in Called(file, symbol).Where(signatures.ContainsKey).Distinct())
                    differences.Refusals.Add($"{called} was {signatures[called].Old} and is {signatures[called].New} now, and {Demangler.Demangle(symbol.Name)}, which has not changed, knows it as it was");
            }
    }

    private static IEnumerable<string> Called(ObjectFile file, Core.ElfSymbol symbol)
    {
        var place = file.PlaceOf(symbol);
        return file.RelocationsIn(place.Section, place.Start, place.Size).Select(r => file.Resolve(r, file.SectionOf(place.Section).IsCode).Symbol?.Name).OfType<string>().Where(n => n != symbol.Name);
    }
}
