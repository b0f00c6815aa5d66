using Weft.Core;
using Weft.Hotpatch.Objects;

namespace Weft.Hotpatch.Patches;

/// <summary>
/// What of the objects of a new build differs from a running program. Functions that were inlined need no thought here: whoever
/// took in code that changed has changed code.
/// </summary>
internal sealed class Differences
{
    private readonly Snapshot snapshot;
    private readonly bool keepState;
    private readonly Dictionary<EntityName, (ObjectFile File, ElfSymbol Symbol)> definitions = [];
    private readonly HashSet<EntityName> changed = [];
    private readonly HashSet<EntityName> renewed = [];

    private Differences(Snapshot snapshot, bool keepState)
    {
        this.snapshot = snapshot;
        this.keepState = keepState;
    }

    /// <param name="snapshot">What runs.</param>
    /// <param name="objects">The new build's, in the order of its link.</param>
    /// <param name="keepState">Variables keep their values although the source now says another for the start.</param>
    public static Differences Find(Snapshot snapshot, IReadOnlyList<ObjectFile> objects, bool keepState)
    {
        var differences = new Differences(snapshot, keepState);
        ObjectFile.Prepare(objects, (file, symbol) => snapshot.Entities.ContainsKey(SnapshotMaker.NameOf(file, symbol)));
        foreach (var file in objects) differences.TryCompare(file);
        differences.Refusals.AddRange(SplitVariables.Refusals(snapshot, differences.definitions));
        differences.renewed.UnionWith(new Renewals(snapshot, differences).Find(objects));
        if (differences.renewed.Count > 0) differences.FollowRenewed(objects);
        new TypeDifferences(snapshot, differences).Find(objects);
        differences.RefuseShared();
        return differences;
    }

    /// <summary>Functions of the program that have other code now, and take the place of the old.</summary>
    public IReadOnlyCollection<EntityName> Changed => changed;

    /// <summary>What cannot be patched, and why.</summary>
    public List<string> Refusals { get; } = [];

    /// <summary>Everything that the new objects define.</summary>
    public IReadOnlyDictionary<EntityName, (ObjectFile File, ElfSymbol Symbol)> Definitions => definitions;

    /// <summary>
    /// What comes as something new although the program has something of that name: constants with another content, and functions that
    /// are called otherwise (see <see cref="Renewals"/>). Code that refers to it changes with it, and old code keeps the old.
    /// </summary>
    public bool IsRenewed(EntityName name) => renewed.Contains(name);

    /// <summary>What the new build has under a name.</summary>
    public Entity Describe(EntityName name)
    {
        var (file, symbol) = definitions[name];
        return new Entity(SnapshotMaker.KindOf(file, symbol), file.Digests.Of(symbol), symbol.Size, 0, 0);
    }

    // What could not be taken apart when the program was linked, as of another compiler, has no part in patches.
    private void TryCompare(ObjectFile file)
    {
        try
        {
            Compare(file);
        }
        catch (WeftException) when (!file.Definitions.Any(s => s.IsFunction && snapshot.Entities.ContainsKey(SnapshotMaker.NameOf(file, s))))
        {
            foreach (var symbol in file.Definitions) definitions.Remove(SnapshotMaker.NameOf(file, symbol));
        }
    }

    private void Compare(ObjectFile file)
    {
        var digests = file.Digests;
        foreach (var symbol in file.Definitions)
        {
            var name = SnapshotMaker.NameOf(file, symbol);
            if (!file.SectionOf(symbol.Section).IsLoaded || !definitions.TryAdd(name, (file, symbol)) && !symbol.IsLocal) continue;
            if (snapshot.Entities.TryGetValue(name, out var old)) Compare(name, old, SnapshotMaker.KindOf(file, symbol), symbol, digests);
        }
    }

    private void Compare(EntityName name, Entity old, EntityKind kind, ElfSymbol symbol, Digests digests)
    {
        if (digests.Of(symbol) == old.Digest) return;
        if (kind != old.Kind) Refusals.Add($"{Demangled(name)} was a {Word(old.Kind)} and is a {Word(kind)} now");
        else if (kind == EntityKind.Function) changed.Add(name);
        else if (kind == EntityKind.Constant) renewed.Add(name);
        else if (symbol.Size != old.Size) Refusals.Add($"the {Word(kind)} {Demangled(name)} has {symbol.Size} bytes and had {old.Size}: what runs holds the old one");
        else if (!keepState) Refusals.Add($"the {Word(kind)} {Demangled(name)} has another initial value, and what runs may have changed the old one (--keep-state leaves it as it is)");
    }

    /// <summary>Code that refers to what is renewed counts as changed, and a constant that points at it is renewed in turn.</summary>
    private void FollowRenewed(IReadOnlyList<ObjectFile> objects)
    {
        changed.ExceptWith(renewed);
        while (objects.Aggregate(false, (again, file) => FollowRenewed(file) | again)) { }
    }

    /// <summary>Whose entry leads to new code takes those along that a linker, or an alias, has put there too.</summary>
    private void RefuseShared()
    {
        var places = changed.ToLookup(n => (snapshot.Entities[n].Home, snapshot.Entities[n].Offset));
        foreach (var (other, entity) in snapshot.Entities)
            if (entity.Kind == EntityKind.Function && places.Contains((entity.Home, entity.Offset)) && !changed.Contains(other) && definitions.ContainsKey(other))
                foreach (var name in places[(entity.Home, entity.Offset)])
                    Refusals.Add($"{Demangled(name)} shares its code with {Demangled(other)}, which has not changed: one of them is an alias, or the linker has folded them");
    }

    private bool FollowRenewed(ObjectFile file)
    {
        var again = false;
        foreach (var symbol in file.Definitions)
        {
            var name = SnapshotMaker.NameOf(file, symbol);
            if (!snapshot.Entities.TryGetValue(name, out var old) || changed.Contains(name) || renewed.Contains(name) || !RefersToRenewed(file, file.PlaceOf(symbol))) continue;
            if (old.Kind == EntityKind.Function) changed.Add(name);
            else if (old.Kind == EntityKind.Constant) again |= renewed.Add(name);
        }
        return again;
    }

    private bool RefersToRenewed(ObjectFile file, Place place)
    {
        foreach (var relocation in file.RelocationsIn(place.Section, place.Start, place.Size))
        {
            var target = file.Resolve(relocation, file.SectionOf(place.Section).IsCode);
            if (target.Symbol is { } symbol ? renewed.Contains(SnapshotMaker.NameOf(file, symbol)) : target.Section != place.Section && RefersToRenewed(file, target)) return true;
        }
        return false;
    }

    private static string Demangled(EntityName name) => Llvm.Demangler.Demangle(name.Name);

    private static string Word(EntityKind kind) => kind switch
    {
        EntityKind.Function => "function",
        EntityKind.Constant => "constant",
        EntityKind.Variable => "variable",
        _ => "thread-local variable",
    };
}
