using Weft.Core;
using Weft.Hotpatch.Objects;
using Weft.Llvm;

namespace Weft.Hotpatch.Patches;

/// <summary>What became of a build's differences.</summary>
/// <param name="File">The patch; null when nothing differs.</param>
/// <param name="Functions">What it replaces, demangled.</param>
/// <param name="Added">What is new in it.</param>
public sealed record BuiltPatch(byte[]? File, IReadOnlyList<string> Functions, IReadOnlyList<string> Added);

/// <summary>Makes a patch of a program and the objects of a new build.</summary>
public static class PatchBuilder
{
    /// <param name="name">What people will call it.</param>
    /// <param name="program">The program or shared library as it was linked, not stripped.</param>
    /// <param name="objects">Objects and archives of the new build; those that have not changed may be missing.</param>
    /// <param name="keepState">Variables keep their values although the source says another for the start.</param>
    /// <exception cref="WeftException">Something has changed that no patch can change.</exception>
    public static BuiltPatch Build(string name, string program, IEnumerable<string> objects, bool keepState)
    {
        var image = Image.Read(program);
        if (image.BuildId.Length == 0) throw new WeftException($"'{program}' has no build id, which a patch is bound to", "link it with --build-id");
        var snapshot = image.ReadSnapshot();
        var files = SnapshotMaker.ReadObjects(objects).ToList();
        var differences = Differences.Find(snapshot, files, keepState);
        Refuse(differences.Refusals);
        if (differences.Changed.Count == 0) return new BuiltPatch(null, [], []);
        return Link(name, image, snapshot, differences);
    }

    private static BuiltPatch Link(string name, Image image, Snapshot snapshot, Differences differences)
    {
        var linker = new PatchLinker(image, snapshot, differences);
        var changed = differences.Changed.OrderBy(n => n.Name, StringComparer.Ordinal).Select(n => (Name: n, Code: linker.Add(n))).ToList();
        linker.Finish();
        var functions = changed.Select(c => Describe(c.Name, snapshot.Entities[c.Name], linker.AddressOf(c.Code), image, linker.Refusals)).ToList();
        Refuse(linker.Refusals);
        var file = new PatchFile
        {
            Name = name,
            Machine = image.Machine,
            BuildId = image.BuildId,
            CodeSize = linker.Layout.Size(Region.Code),
            ConstantSize = linker.Layout.Size(Region.Constants),
            DataSize = linker.Layout.Size(Region.Data),
            Content = linker.Layout.ToArray(),
            Relocations = linker.Relocations,
            Functions = functions,
            Externals = linker.Externals,
            Frames = linker.FramesAt,
            Snapshot = [],
        };
        return new BuiltPatch(file.Write(), [.. functions.Select(f => f.Name)], [.. linker.News.Keys.Select(n => Demangler.Demangle(n.Name))]);
    }

    private static PatchedFunction Describe(EntityName name, Entity entity, uint code, Image image, List<string> refusals)
    {
        var text = Demangler.Demangle(name.Name);
        var point = EntryPoint.Of(image, entity.Offset);
        if (point == null) refusals.Add($"{text} was not built to be replaced: there is no room before it");
        return new PatchedFunction((byte)entity.Home, entity.Offset, point ?? 0, code, text);
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

    /// <summary>Distance from the entry; null where there is no room for a jump.</summary>
    public static uint? Of(Image image, ulong entry) => image.Machine == Architecture.X86 ? OfX86(image, entry) : OfArm(image, entry);

    private static uint? OfX86(Image image, ulong entry)
    {
        if (entry < X86Room || image.At(entry - X86Room, X86Room).Span is not { Length: X86Room } room || room.IndexOfAnyExcept((byte)0xCC) >= 0) return null;
        return image.At(entry, 4).Span.SequenceEqual((ReadOnlySpan<byte>)[0xF3, 0x0F, 0x1E, 0xFA]) ? 4u : 0; // endbr64
    }

    private static uint? OfArm(Image image, ulong entry)
    {
        ReadOnlySpan<byte> trap = [0, 0, 0x20, 0xD4], landing = [0x5F, 0x24, 0x03, 0xD5], nop = [0x1F, 0x20, 0x03, 0xD5];
        if (entry < ArmRoom || !image.At(entry - ArmRoom, 4).Span.SequenceEqual(trap)) return null;
        var point = image.At(entry, 4).Span.SequenceEqual(landing) ? 4u : 0;
        return image.At(entry + point, 4).Span.SequenceEqual(nop) ? point : null;
    }
}
