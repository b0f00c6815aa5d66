using Weft.Core;
using Weft.Hotpatch.Objects;
using Weft.Llvm;

namespace Weft.Hotpatch.Patches;

/// <summary>What became of a build's differences.</summary>
/// <param name="File">The patch; null when nothing differs.</param>
/// <param name="Functions">What it replaces, demangled.</param>
/// <param name="Added">What is new in it.</param>
public sealed record BuiltPatch(byte[]? File, IReadOnlyList<string> Functions, IReadOnlyList<string> Added);

/// <summary>
/// Makes patches of a program, each from a newer build than the last. It remembers what it has seen of each object, so that what a build has not
/// changed costs nothing the next time. For one thread.
/// </summary>
public sealed class PatchMaker
{
    private readonly Image image;
    private readonly List<AppliedPatch> earlier = [];
    private readonly Snapshot snapshot;
    private Dictionary<LinkInput, IReadOnlyList<ObjectFile>> known = [];

    /// <param name="program">What runs, as it was linked.</param>
    /// <exception cref="WeftException">It was not built with hotpatch.</exception>
    public PatchMaker(string program)
    {
        image = Image.Read(program);
        if (image.BuildId.Length == 0) throw new WeftException($"'{program}' has no build id, which a patch is bound to", "link it with --build-id");
        snapshot = image.ReadSnapshot();
    }

    /// <summary>Variables keep their values although the source now says another for the start.</summary>
    public bool KeepState { get; init; }

    /// <summary>The private key that signs patches: see <see cref="PatchKey"/>; null: nobody does.</summary>
    public string? Key { get; init; }

    /// <summary>What a program was linked from, as the linker was told: a path, or "archive(member)".</summary>
    /// <exception cref="WeftException">It was not built with hotpatch.</exception>
    public static IReadOnlyList<string> ObjectsOf(string program) => Image.Read(program).ReadSnapshot().Objects;

    /// <summary>Takes note that the program has got a patch, after all that were counted before: the next is made for the program with it.</summary>
    /// <param name="patch">The file.</param>
    /// <param name="name">What messages call it.</param>
    public void Count(byte[] patch, string name)
    {
        earlier.Add(AppliedPatch.Read(patch, name));
        snapshot.CountWith(earlier[^1], earlier.Count);
    }

    /// <summary>Does ahead what the first patch would wait for: objects that the program was linked from are looked at, by code that .NET has compiled then.</summary>
    public void Prepare(IReadOnlyList<LinkInput> inputs) => _ = Differences.Find(snapshot, Read(inputs), KeepState);

    /// <param name="name">What the patch is called.</param>
    /// <param name="inputs">Objects and archives of the new build; those that have not changed may be missing.</param>
    /// <param name="archives">The toolchain's, for what new code needs and the program has not had.</param>
    /// <exception cref="WeftException">Something has changed that no patch can change.</exception>
    public BuiltPatch Make(string name, IReadOnlyList<LinkInput> inputs, IReadOnlyList<string> archives)
    {
        var differences = Differences.Find(snapshot, Read(inputs), KeepState);
        Refuse(differences.Refusals);
        return differences.Changed.Count == 0 ? new BuiltPatch(null, [], []) : Link(name, differences, new Library(archives));
    }

    private List<ObjectFile> Read(IReadOnlyList<LinkInput> inputs)
    {
        var read = InParallel.Map(inputs, input => known.TryGetValue(input, out var files) ? files : [.. SnapshotMaker.ReadObjects(input)]);
        known = inputs.Zip(read).DistinctBy(p => p.First).ToDictionary(p => p.First, p => p.Second);
        return [.. read.SelectMany(files => files)];
    }

    private BuiltPatch Link(string name, Differences differences, Library library)
    {
        var linker = new PatchLinker(image, snapshot, differences, library, earlier.Count);
        var changed = differences.Changed.OrderBy(n => n.Name, StringComparer.Ordinal).Select(n => (Name: n, Code: linker.Add(n))).ToList();
        linker.Finish();
        var functions = changed.Select(c => Describe(c.Name, snapshot.Entities[c.Name], c.Code, linker)).ToList();
        Refuse(linker.Refusals);
        var file = new PatchFile
        {
            Name = name,
            Machine = image.Machine,
            BuildId = image.BuildId,
            Parents = [.. linker.Parents.Select(p => earlier[p - 1].Id)],
            CodeSize = linker.Layout.Size(Region.Code),
            ConstantSize = linker.Layout.Size(Region.Constants),
            DataSize = linker.Layout.Size(Region.Data),
            Content = linker.Layout.ToArray(),
            Relocations = linker.Relocations,
            Functions = functions,
            Externals = linker.Externals,
            Frames = linker.FramesAt,
            Snapshot = Describe(changed.Select(c => c.Name), linker, differences).Write(),
        }.Write();
        return new BuiltPatch(Key == null ? file : PatchKey.Sign(file, Key), [.. functions.Select(f => f.Name)], [.. linker.News.Keys.Select(n => Demangler.Demangle(n.Name))]);
    }

    private PatchedFunction Describe(EntityName name, Entity entity, Placed code, PatchLinker linker)
    {
        var text = Demangler.Demangle(name.Name);
        var point = EntryPoint.Of(image.Machine, (at, size) => entity.Home == 0 ? image.At(at, size).Span : earlier[entity.Home - 1].At(at, size), entity.Offset);
        if (point == null) linker.Refusals.Add($"{text} was not built to be replaced: there is no room before it");
        return new PatchedFunction(linker.HomeOf(entity.Home), entity.Offset, point ?? 0, linker.AddressOf(code), text, (uint)entity.Size, (uint)code.Place.Size);
    }

    private Snapshot Describe(IEnumerable<EntityName> changed, PatchLinker linker, Differences differences)
    {
        var described = new Snapshot();
        foreach (var name in changed) described.Entities[name] = differences.Describe(name) with { Offset = Snapshot.Replaced };
        foreach (var (name, piece) in linker.News) described.Entities[name] = differences.Describe(name) with { Offset = linker.AddressOf(piece) };
        foreach (var file in differences.Definitions.Values.Select(d => d.File).Distinct())
            foreach (var (name, layout) in file.Types)
                if (name[0] is 'C' or 'U' || !(snapshot.Types.TryGetValue(name, out var known) && known.Contains(layout))) described.AddType(name, layout);
        foreach (var (name, entity) in linker.NewThreadLocals) described.Entities[name] = differences.Definitions.ContainsKey(name) ? differences.Describe(name) with { Offset = entity.Offset } : entity;
        return described;
    }

    private static void Refuse(List<string> reasons)
    {
        const int most = 20;
        if (reasons.Count == 0) return;
        var more = reasons.Count > most ? $"\n  and {reasons.Count - most} more" : "";
        throw new WeftException($"this change cannot be patched into the running program:\n  {string.Join("\n  ", reasons.Distinct().Take(most))}{more}", "start the program again with the new build");
    }
}
