using Weft.Core;
using Weft.Hotpatch.Objects;

namespace Weft.Hotpatch.Patches;

/// <summary>Makes the snapshot of a program from the objects that were linked into it.</summary>
internal sealed class SnapshotMaker(Image image)
{
    private readonly Snapshot snapshot = new();

    /// <summary>Writes it into what was linked, if that is a program or library that patches can be made for.</summary>
    /// <param name="output">What the linker made.</param>
    /// <param name="inputs">Objects and archives.</param>
    public static void AddTo(string output, IReadOnlyList<string> inputs)
    {
        if (Image.TryRead(output) is not { } image) return; // a partial link, or another format
        List<ObjectFile> objects = [.. InParallel.Map(inputs, i => ReadObjects(LinkInput.Read(i)).ToList()).SelectMany(files => files)];
        ObjectFile.Prepare(objects, (file, symbol) => symbol.IsLocal ? image.FindLocals(file.Unit, symbol.Name).Any() : image.FindGlobal(symbol.Name) != null);
        ElfAppender.Append(output, Snapshot.SectionName, Make(image, objects).Write());
    }

    /// <summary>The objects in a file that this class can take apart.</summary>
    public static IEnumerable<ObjectFile> ReadObjects(LinkInput input)
    {
        if (!ArchiveFile.Is(input.Content))
        {
            if (ObjectFile.TryRead(input.Content, input.Path) is { } single) yield return single;
            yield break;
        }
        foreach (var member in ArchiveFile.Read(input.Content, input.Path))
            if (ObjectFile.TryRead(member.Content, $"{input.Path}({member.Name})") is { } file) yield return file;
    }

    public static Snapshot Make(Image image, IEnumerable<ObjectFile> objects)
    {
        var maker = new SnapshotMaker(image);
        foreach (var file in objects) maker.TryAdd(file);
        foreach (var name in maker.snapshot.Ambiguous) maker.snapshot.Entities.Remove(name);
        return maker.snapshot;
    }

    /// <summary>How the snapshot calls what an object defines.</summary>
    public static EntityName NameOf(ObjectFile file, ElfSymbol symbol) => new(symbol.IsLocal ? file.Unit : "", symbol.Name);

    public static EntityKind KindOf(ObjectFile file, ElfSymbol symbol)
    {
        var section = file.SectionOf(symbol.Section);
        if (section.IsCode) return EntityKind.Function;
        if (section.IsThreadLocal) return EntityKind.ThreadLocal;
        return section.IsConstant ? EntityKind.Constant : EntityKind.Variable;
    }

    // What other compilers make is linked whether it can be taken apart or not: then patches cannot change it.
    private void TryAdd(ObjectFile file)
    {
        try
        {
            Add(file);
        }
        catch (WeftException e)
        {
            Terminal.Warning($"{e.Message}: no patch can be made of it");
        }
    }

    private void Add(ObjectFile file)
    {
        snapshot.Objects.Add(file.Name);
        foreach (var (name, layout) in file.Types) snapshot.AddType(name, layout);
        foreach (var symbol in file.Definitions)
        {
            if (!file.SectionOf(symbol.Section).IsLoaded) continue;
            var name = NameOf(file, symbol);
            if (symbol.IsLocal) AddLocal(file, symbol, name);
            else if (!snapshot.Entities.ContainsKey(name) && image.FindGlobal(symbol.Name) is { } found) snapshot.Entities[name] = Describe(file, symbol, found.Offset); // of several the linker takes the first
        }
    }

    private void AddLocal(ObjectFile file, ElfSymbol symbol, EntityName name)
    {
        var found = image.FindLocals(file.Unit, symbol.Name).Take(2).ToList();
        if (found.Count == 0) return; // the linker has dropped it
        if (found.Count == 2 || !snapshot.Entities.TryAdd(name, Describe(file, symbol, found[0].Offset))) snapshot.Ambiguous.Add(name);
    }

    private static Entity Describe(ObjectFile file, ElfSymbol symbol, ulong offset) => new(KindOf(file, symbol), file.Digests.Of(symbol), symbol.Size, 0, offset);
}
