using Weft.Core;
using Weft.Hotpatch.Objects;
using Weft.Llvm;

namespace Weft.Hotpatch.Patches;

/// <summary>
/// Variables that the optimiser keeps in another form than their source has, in one build and not in the other: the state that the
/// program has in one would be lost in the other.
/// <code>
/// static struct { int a, b; } state;      state.0, state.1      its fields, when nothing needs all of it
/// </code>
/// One that only ever has two values becomes a byte of the same name, which <see cref="Differences"/> sees by the size.
/// Source: GlobalOpt.cpp of LLVM.
/// </summary>
internal static class SplitVariables
{
    public static IEnumerable<string> Refusals(Snapshot snapshot, IReadOnlyDictionary<EntityName, (ObjectFile File, ElfSymbol Symbol)> definitions)
    {
        var parts = snapshot.Entities.Where(e => e.Value.Kind == EntityKind.Variable && WholeOf(e.Key) != null).ToLookup(e => WholeOf(e.Key)!.Value, e => e.Key);
        foreach (var (name, (file, symbol)) in definitions)
        {
            if (name.Unit.Length == 0 || snapshot.Entities.ContainsKey(name) || SnapshotMaker.KindOf(file, symbol) != EntityKind.Variable) continue;
            if (parts[name].Any(p => !definitions.ContainsKey(p))) yield return Describe(name, parts[name].First(p => !definitions.ContainsKey(p)));
            else if (WholeOf(name) is { } whole && snapshot.Entities.ContainsKey(whole) && !definitions.ContainsKey(whole)) yield return Describe(whole, name);
        }
    }

    private static string Describe(EntityName name, EntityName part) =>
        $"the optimiser keeps the variable {Demangler.Demangle(name.Name)} in another form now ({name.Name} and {part.Name}): what it holds would be lost";

    private static EntityName? WholeOf(EntityName name)
    {
        var dot = name.Name.LastIndexOf('.');
        if (name.Unit.Length == 0 || dot <= 0 || dot == name.Name.Length - 1) return null;
        var end = name.Name.AsSpan(dot + 1);
        return end.IndexOfAnyExceptInRange('0', '9') < 0 ? name with { Name = name.Name[..dot] } : null;
    }
}
