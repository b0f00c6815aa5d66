using Weft.Core;
using Weft.Hotpatch.Objects;

namespace Weft.Hotpatch.Patches;

/// <summary>Where something is that a patch refers to.</summary>
/// <param name="Home">As in <see cref="PatchRelocation"/>.</param>
/// <param name="Offset">From the beginning of that; within a patch, in a region.</param>
/// <param name="Region">Of the patch itself.</param>
internal readonly record struct Destination(byte Home, long Offset, Region Region = default);

/// <summary>
/// Links functions that have changed into a patch. What they refer to and the program has, of functions, variables, thread-locals and
/// constants, is the program's own; what it has not comes along, with what that refers to in turn:
/// <code>
/// work (changed):  call helper       helper is in the program             the program's
///                  call fresh        fresh is new                         comes along, and what it needs
///                  call work         the name of a function that changed  the program's entry, which leads to the newest
///                  lea "text"        the program has such a text          the program's
///                  jmp *table(,i,8)  places within work                   comes along
/// </code>
/// </summary>
internal sealed class PatchLinker
{
    private readonly Image image;
    private readonly Snapshot snapshot;
    private readonly Differences differences;
    private readonly Library library;
    private readonly Dictionary<(ObjectFile File, int Section, long Start), Placed> placed = [];
    private readonly Queue<Placed> unfinished = new();
    private readonly Dictionary<string, Destination> externals = [];
    private readonly Dictionary<EntityName, Placed> news = [];
    private readonly List<PatchRelocation> relocations = [];
    private readonly List<int> parents = [];
    private readonly FrameTable frames;
    private readonly ThreadRoom threadLocals;
    private readonly ImageConstants constants;

    public PatchLinker(Image image, Snapshot snapshot, Differences differences, Library library, int earlier)
    {
        if (earlier > 0) HomeOf(earlier); // this one comes after it, whatever it refers to
        this.image = image;
        this.snapshot = snapshot;
        this.differences = differences;
        this.library = library;
        Layout = new PatchLayout(image.Machine == Architecture.X86 ? 4096u : 65536u);
        Relocator = Relocator.For(this, image);
        frames = new FrameTable(this);
        constants = new ImageConstants(image, FindInProgram);
        threadLocals = new ThreadRoom(image, snapshot, Refusals);
    }

    public PatchLayout Layout { get; }

    public Relocator Relocator { get; }

    public List<string> Refusals { get; } = [];

    /// <summary>Numbers of earlier patches that this one needs; how it calls them itself is their place in the list.</summary>
    public IReadOnlyList<int> Parents => parents;

    /// <summary>New thread-locals, with their place in the program's template.</summary>
    public IReadOnlyDictionary<EntityName, Entity> NewThreadLocals => threadLocals.News;

    public byte HomeOf(int home)
    {
        if (home == 0) return 0;
        if (!parents.Contains(home)) parents.Add(home);
        if (parents.Count == PatchRelocation.Self) throw new WeftException($"this change needs {parents.Count} earlier patches at once, and a patch can need {PatchRelocation.Self - 1}", "start the program again with the new build");
        return (byte)(parents.IndexOf(home) + 1);
    }

    public IReadOnlyList<PatchRelocation> Relocations => relocations;

    public IReadOnlyList<string> Externals => [.. externals.Keys];

    public uint FramesAt { get; private set; }

    /// <summary>What the program has not had, by name.</summary>
    public IReadOnlyDictionary<EntityName, Placed> News => news;

    /// <summary>New code of a function of the program; call <see cref="Finish"/> when all are in.</summary>
    public Placed Add(EntityName name)
    {
        var (file, symbol) = differences.Definitions[name];
        return Take(file.PlaceOf(symbol));
    }

    /// <summary>Takes in what is referred to until nothing is missing, then writes all distances and addresses.</summary>
    public void Finish()
    {
        var all = new List<Placed>();
        while (unfinished.TryDequeue(out var piece))
        {
            all.Add(piece);
            Relocator.Scan(piece);
            if (piece.Region == Region.Code) frames.Scan(piece);
        }
        if (Refusals.Count > 0) return; // there will be no patch
        Relocator.ReserveTables();
        frames.Reserve();
        foreach (var piece in all) Relocator.Apply(piece);
        Relocator.FillTables();
        FramesAt = frames.Fill();
    }

    /// <summary>From the patch's beginning; only once nothing more is reserved.</summary>
    public uint AddressOf(Placed piece) => Layout.Start(piece.Region) + piece.Offset;

    public uint AddressOf(Destination own) => Layout.Start(own.Region) + (uint)own.Offset;

    public void Relocate(PatchRelocation relocation) => relocations.Add(relocation);

    /// <summary>Where a target is; takes it in if the program has none.</summary>
    /// <param name="target">What is referred to.</param>
    /// <param name="isInside">A place within a function that is not its entry, as jump tables have them: that of the code at hand.</param>
    public Destination Bind(Place target, bool isInside)
    {
        if (target.Symbol is not { } symbol) return BindPiece(target);
        var name = SnapshotMaker.NameOf(target.File, symbol);
        if (snapshot.Ambiguous.Contains(name)) Refusals.Add($"two things are called {Llvm.Demangler.Demangle(name.Name)} in files called {name.Unit}: which one is meant cannot be told");
        if (isInside && placed.TryGetValue((target.File, target.Section, target.Start), out var here)) return Own(here);
        if (snapshot.Entities.TryGetValue(name, out var entity) && !differences.IsRenewed(name)) return new Destination(HomeOf(entity.Home), (long)entity.Offset);
        if (library.Has(target.File) && FindInImage(target.File, symbol) is { } shared) return new Destination(0, (long)shared);
        if (target.Section != 0) return Own(TakeNew(name, target));
        if (differences.Definitions.TryGetValue(name, out var definition)) return Own(TakeNew(name, definition.File.PlaceOf(definition.Symbol)));
        if (image.FindGlobal(symbol.Name) is { } found) return new Destination(0, (long)found.Offset);
        if (image.Imports(symbol.Name)) return External(symbol.Name);
        if (library.Find(symbol.Name) is { } missing) return Own(Take(missing.File.PlaceOf(missing.Symbol)));
        return External(symbol.Name);
    }

    private Destination External(string name)
    {
        if (!externals.TryGetValue(name, out var external)) externals[name] = external = new Destination(PatchRelocation.External, externals.Count);
        return external;
    }

    // What the toolchain's libraries have of variables is the program's, though no snapshot speaks of it.
    private ulong? FindInImage(ObjectFile file, ElfSymbol symbol)
    {
        if (!symbol.IsLocal) return image.FindGlobal(symbol.Name)?.Offset;
        return image.FindLocals(file.Unit, symbol.Name).Take(2).ToList() is [var only] ? only.Offset : null;
    }

    /// <summary>Where a thread-local is in the template of the program's; null, and a refusal, when it cannot be there.</summary>
    public ulong? BindThreadLocal(Place target)
    {
        var symbol = target.Symbol ?? throw target.File.Damaged("a thread-local has no name");
        var name = SnapshotMaker.NameOf(target.File, symbol);
        if (snapshot.Entities.TryGetValue(name, out var entity) && entity.Kind == EntityKind.ThreadLocal) return entity.Offset;
        if ((target.Section == 0 || library.Has(target.File)) && image.FindGlobal(symbol.Name) is { Symbol.IsThreadLocal: true } found) return found.Offset;
        if (library.Has(target.File) && FindInImage(target.File, symbol) is { } shared) return shared;
        return threadLocals.Take(name, target, symbol);
    }

    private Placed TakeNew(EntityName name, Place place)
    {
        var piece = Take(place with { Addend = 0 });
        if (!library.Has(place.File)) news.TryAdd(name, piece);
        return piece;
    }

    private Destination BindPiece(Place target)
    {
        return constants.Find(target) is { } offset ? new Destination(0, (long)offset) : Own(Take(target with { Addend = 0 }));
    }

    // As Bind has it, of the program alone, and without taking anything in.
    private ulong? FindInProgram(Place target)
    {
        var symbol = target.Symbol!;
        var name = SnapshotMaker.NameOf(target.File, symbol);
        if (snapshot.Entities.TryGetValue(name, out var entity) && !differences.IsRenewed(name)) return entity.Home == 0 ? entity.Offset : null;
        if (library.Has(target.File)) return FindInImage(target.File, symbol);
        return target.Section == 0 && !differences.Definitions.ContainsKey(name) ? image.FindGlobal(symbol.Name)?.Offset : null;
    }

    private static Destination Own(Placed piece) => new(PatchRelocation.Self, piece.Offset, piece.Region);

    private Placed Take(Place place)
    {
        var key = (place.File, place.Section, place.Start);
        if (placed.TryGetValue(key, out var known)) return known;
        var section = place.File.SectionOf(place.Section);
        var region = section.IsCode ? Region.Code : section.IsConstant ? Region.Constants : Region.Data;
        var offset = region == Region.Code ? Relocator.ReserveFunction(place) : Layout.Reserve(region, place.Size, (long)Math.Max(1, section.IsText ? 1 : section.Alignment));
        var content = place.File.Elf.Content(section).Span;
        if (content.Length > 0) content.Slice((int)place.Start, (int)place.Size).CopyTo(Layout.Bytes(region, offset, (int)place.Size));
        var piece = new Placed(place, region, offset);
        placed[key] = piece;
        unfinished.Enqueue(piece);
        return piece;
    }
}
