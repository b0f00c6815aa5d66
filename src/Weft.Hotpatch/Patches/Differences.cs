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
    private readonly HashSet<EntityName> newConstants = [];
    private readonly Dictionary<ObjectFile, Digests> digestsOf = [];

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
        foreach (var (file, digests) in objects.Zip(InParallel.Map(objects, differences.Prepare))) differences.digestsOf[file] = digests;
        foreach (var file in objects) differences.Compare(file);
        if (differences.newConstants.Count > 0)
            foreach (var file in objects) differences.FollowConstants(file);
        new TypeDifferences(snapshot, differences).Find(objects);
        return differences;
    }

    /// <summary>Functions of the program that have other code now.</summary>
    public IReadOnlyCollection<EntityName> Changed => changed;

    /// <summary>What cannot be patched, and why.</summary>
    public List<string> Refusals { get; } = [];

    /// <summary>Everything that the new objects define.</summary>
    public IReadOnlyDictionary<EntityName, (ObjectFile File, ElfSymbol Symbol)> Definitions => definitions;

    /// <summary>Constants that have another content: code that reads them has to read the new one.</summary>
    public bool IsNewConstant(EntityName name) => newConstants.Contains(name);

    /// <summary>What the new build has under a name.</summary>
    public Entity Describe(EntityName name)
    {
        var (file, symbol) = definitions[name];
        return new Entity(SnapshotMaker.KindOf(file, symbol), DigestsOf(file).Of(symbol), symbol.Size, 0, 0);
    }

    private Digests DigestsOf(ObjectFile file) => digestsOf.TryGetValue(file, out var known) ? known : digestsOf[file] = new Digests(file);

    /// <summary>What takes the time of a comparison and needs no other object: digests, and layouts of types.</summary>
    private Digests Prepare(ObjectFile file)
    {
        try
        {
            var digests = new Digests(file);
            foreach (var symbol in file.Definitions)
                if (file.SectionOf(symbol.Section).IsLoaded && snapshot.Entities.ContainsKey(SnapshotMaker.NameOf(file, symbol))) digests.Of(symbol);
            _ = file.Types;
            return digests;
        }
        catch (WeftException)
        {
            return new Digests(file); // whoever compares what is damaged says so; some of it may not be compared
        }
    }

    private void Compare(ObjectFile file)
    {
        var digests = DigestsOf(file);
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
        else if (kind == EntityKind.Constant) newConstants.Add(name);
        else if (symbol.Size != old.Size) Refusals.Add($"the {Word(kind)} {Demangled(name)} has {symbol.Size} bytes and had {old.Size}: what runs holds the old one");
        else if (!keepState) Refusals.Add($"the {Word(kind)} {Demangled(name)} has another initial value, and what runs may have changed the old one (--keep-state leaves it as it is)");
    }

    /// <summary>Code that reads a constant which has changed counts as changed, and so does a constant that points at one.</summary>
    private void FollowConstants(ObjectFile file)
    {
        bool again;
        do
        {
            again = false;
            foreach (var symbol in file.Definitions)
            {
                var name = SnapshotMaker.NameOf(file, symbol);
                if (!snapshot.Entities.TryGetValue(name, out var old) || changed.Contains(name) || newConstants.Contains(name) || !RefersToNewConstant(file, file.PlaceOf(symbol))) continue;
                if (old.Kind == EntityKind.Function) changed.Add(name);
                else if (old.Kind == EntityKind.Constant) again = newConstants.Add(name);
            }
        }
        while (again);
    }

    private bool RefersToNewConstant(ObjectFile file, Place place)
    {
        foreach (var relocation in file.RelocationsIn(place.Section, place.Start, place.Size))
        {
            var target = file.Resolve(relocation, file.SectionOf(place.Section).IsCode);
            if (target.Symbol is { } symbol ? newConstants.Contains(SnapshotMaker.NameOf(file, symbol)) : target.Section != place.Section && RefersToNewConstant(file, target)) return true;
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
