using Weft.Core;
using Weft.Hotpatch.Objects;

namespace Weft.Hotpatch.Patches;

/// <summary>
/// Archives that a program was linked with, of which it has only what it needed: where the rest comes from that new code needs. Nothing
/// is read until something is missing.
/// </summary>
internal sealed class Library(IReadOnlyList<string> archives)
{
    private readonly Dictionary<(int Archive, int Member), ObjectFile?> objects = [];
    private readonly HashSet<ObjectFile> own = [];
    private List<List<ArchiveMember>>? members;
    private Dictionary<string, (int Archive, int Member)>? index;

    /// <summary>Whether an object is one of these, and not of the build.</summary>
    public bool Has(ObjectFile file) => own.Contains(file);

    /// <summary>Who defines a name, as a linker would find it: the first.</summary>
    public (ObjectFile File, ElfSymbol Symbol)? Find(string name)
    {
        index ??= MakeIndex();
        if (!index.TryGetValue(name, out var place)) return null;
        if (!objects.TryGetValue(place, out var file))
        {
            var member = members![place.Archive][place.Member];
            objects[place] = file = ObjectFile.TryRead(member.Content, $"{archives[place.Archive]}({member.Name})");
            if (file != null) own.Add(file);
        }
        return file?.Definitions.FirstOrDefault(s => !s.IsLocal && s.Name == name) is { } symbol ? (file, symbol) : null;
    }

    private Dictionary<string, (int Archive, int Member)> MakeIndex()
    {
        members = [.. archives.Select(path => AtomicFile.Read(path) is var content && ArchiveFile.Is(content) ? ArchiveFile.Read(content, path) : [])];
        var names = new Dictionary<string, (int Archive, int Member)>();
        for (var a = 0; a < members.Count; a++)
            for (var m = 0; m < members[a].Count; m++)
                if (ElfFile.TryRead(members[a][m].Content, members[a][m].Name) is { Is64: true, IsRelocatable: true } elf)
                    foreach (var name in elf.DefinedGlobals()) names.TryAdd(name, (a, m));
        return names;
    }
}
