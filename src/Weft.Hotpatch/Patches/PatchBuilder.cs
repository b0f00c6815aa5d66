using Weft.Core;
using Weft.Hotpatch.Objects;
using Weft.Llvm;

namespace Weft.Hotpatch.Patches;

/// <summary>What became of a build's differences.</summary>
/// <param name="File">The patch; null when nothing differs.</param>
/// <param name="Functions">What it replaces, demangled.</param>
/// <param name="Added">What is new in it.</param>
internal sealed record BuiltPatch(byte[]? File, IReadOnlyList<string> Functions, IReadOnlyList<string> Added);

/// <summary>Makes a patch of a program and the objects of a new build.</summary>
internal sealed class PatchBuilder
{
    private readonly Image image;
    private readonly List<AppliedPatch> earlier;
    private readonly Snapshot snapshot;

    private PatchBuilder(PatchRequest request)
    {
        image = Image.Read(request.Program);
        if (image.BuildId.Length == 0) throw new WeftException($"'{request.Program}' has no build id, which a patch is bound to", "link it with --build-id");
        snapshot = image.ReadSnapshot();
        earlier = [.. request.Earlier.Select(AppliedPatch.Read)];
        for (var i = 0; i < earlier.Count; i++) snapshot.CountWith(earlier[i], i + 1);
    }

    /// <param name="request">What is asked for.</param>
    /// <param name="objects">Objects and archives of the new build; those that have not changed may be missing.</param>
    /// <param name="archives">The toolchain's, for what new code needs and the program has not had.</param>
    /// <exception cref="WeftException">Something has changed that no patch can change.</exception>
    public static BuiltPatch Build(PatchRequest request, IReadOnlyList<string> objects, IReadOnlyList<string> archives)
    {
        var reading = Task.Run(() => SnapshotMaker.ReadAllObjects(objects));
        var builder = new PatchBuilder(request);
        var differences = Differences.Find(builder.snapshot, reading.GetAwaiter().GetResult(), request.KeepState);
        Refuse(differences.Refusals);
        return differences.Changed.Count == 0 ? new BuiltPatch(null, [], []) : builder.Link(request, differences, new Library(archives));
    }

    private BuiltPatch Link(PatchRequest request, Differences differences, Library library)
    {
        var linker = new PatchLinker(image, snapshot, differences, library, earlier.Count);
        var changed = differences.Changed.OrderBy(n => n.Name, StringComparer.Ordinal).Select(n => (Name: n, Code: linker.Add(n))).ToList();
        linker.Finish();
        var functions = changed.Select(c => Describe(c.Name, snapshot.Entities[c.Name], c.Code, linker)).ToList();
        Refuse(linker.Refusals);
        var file = new PatchFile
        {
            Name = request.Name,
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
        };
        return new BuiltPatch(request.Key is { } key ? PatchKey.Sign(file.Write(), key) : file.Write(), [.. functions.Select(f => f.Name)], [.. linker.News.Keys.Select(n => Demangler.Demangle(n.Name))]);
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

/// <summary>Where in a function its first instruction is exchanged.</summary>
internal static class EntryPoint
{
    private const int X86Room = 6, ArmRoom = 12;

    public delegate ReadOnlySpan<byte> Memory(ulong at, int size);

    /// <summary>Distance from the entry; null where there is no room for a jump.</summary>
    public static uint? Of(int machine, Memory memory, ulong entry) => machine == Architecture.X86 ? OfX86(memory, entry) : OfArm(memory, entry);

    private static uint? OfX86(Memory memory, ulong entry)
    {
        if (entry < X86Room || memory(entry - X86Room, X86Room) is not { Length: X86Room } room || room.IndexOfAnyExcept((byte)0xCC) >= 0) return null;
        return memory(entry, 4).SequenceEqual((ReadOnlySpan<byte>)[0xF3, 0x0F, 0x1E, 0xFA]) ? 4u : 0; // endbr64
    }

    private static uint? OfArm(Memory memory, ulong entry)
    {
        ReadOnlySpan<byte> trap = [0, 0, 0x20, 0xD4], landing = [0x5F, 0x24, 0x03, 0xD5], nop = [0x1F, 0x20, 0x03, 0xD5];
        if (entry < ArmRoom || !memory(entry - ArmRoom, 4).SequenceEqual(trap)) return null;
        var point = memory(entry, 4).SequenceEqual(landing) ? 4u : 0;
        return memory(entry + point, 4).SequenceEqual(nop) ? point : null;
    }
}
