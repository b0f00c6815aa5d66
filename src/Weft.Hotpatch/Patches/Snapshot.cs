using System.IO.Compression;
using System.Text;
using Weft.Core;
using Weft.Hotpatch.Weaving;

namespace Weft.Hotpatch.Patches;

internal enum EntityKind : byte
{
    Function,
    /// <summary>Data that nothing writes once the loader is done with it.</summary>
    Constant,
    Variable,
    ThreadLocal,
}

/// <summary>What has a name in a program. Local names are told apart by the source file that they are of.</summary>
internal readonly record struct EntityName(string Unit, string Name);

/// <param name="Kind">What it is.</param>
/// <param name="Digest">Of its code or content: see <see cref="Objects.Digests"/>.</param>
/// <param name="Size">In bytes.</param>
/// <param name="Home">0: the program; n: the n-th patch that the snapshot counts with.</param>
/// <param name="Offset">From the beginning of that in memory; of a thread-local, in the template of its module.</param>
internal sealed record Entity(EntityKind Kind, UInt128 Digest, ulong Size, int Home, ulong Offset);

/// <summary>
/// What a program is made of, kept in its file beside the code, where no loader looks (section <see cref="SectionName"/>): what a later
/// build is compared with, and where its functions and variables are. Of Weft's own objects only; what else is linked in cannot change.
/// </summary>
internal sealed class Snapshot
{
    public const string SectionName = ".weft.hotpatch";
    private const int Format = 2;

    public Dictionary<EntityName, Entity> Entities { get; } = [];

    /// <summary>Names that several of one unit have, which a patch cannot tell apart.</summary>
    public HashSet<EntityName> Ambiguous { get; } = [];

    /// <summary>Layouts of types and signatures of functions, by name (see <see cref="Weaving.TypeLayouts"/>). Files of C may use one name for several.</summary>
    public Dictionary<string, HashSet<string>> Types { get; } = [];

    /// <summary>Objects that were linked, as the linker was told: a path, or "archive(member)".</summary>
    public List<string> Objects { get; } = [];

    public void AddType(string name, string layout)
    {
        if (!Types.TryGetValue(name, out var known)) Types[name] = known = [];
        known.Add(layout);
    }

    /// <summary>Offset of what a patch has replaced, and not moved: calls still go where it was.</summary>
    public const ulong Replaced = ulong.MaxValue;

    /// <summary>Makes it the snapshot of the program with a patch.</summary>
    /// <param name="patch">Applied after all others.</param>
    /// <param name="home">Its number.</param>
    public void CountWith(AppliedPatch patch, int home)
    {
        foreach (var name in patch.Snapshot.Entities.Where(e => e.Value.Kind == EntityKind.Function).Select(e => e.Key))
        {
            Types.Remove(ConventionOf(name));
            Types.Remove(UnusedBy(name));
        }
        foreach (var (name, entity) in patch.Snapshot.Entities)
            if (entity.Offset != Replaced) Entities[name] = entity with { Home = entity.Kind == EntityKind.ThreadLocal ? 0 : home }; // those are in the program's threads
            else if (Entities.TryGetValue(name, out var old)) Entities[name] = old with { Digest = entity.Digest, Size = entity.Size };
        foreach (var (name, layouts) in patch.Snapshot.Types)
        {
            if (name[0] != 'T' || ClosureNames.IsIn(name)) Types.Remove(name); // what the patch has is what new code goes by
            foreach (var layout in layouts) AddType(name, layout);
        }
    }

    /// <summary>Under what name <see cref="Types"/> says how a function is called that only its file knows (<see cref="Conventions"/>).</summary>
    public static string ConventionOf(EntityName name) => $"C {name.Unit} {name.Name}";

    /// <summary>And which of its arguments it does not look at.</summary>
    public static string UnusedBy(EntityName name) => $"U {name.Name}";

    public byte[] Write()
    {
        using var memory = new MemoryStream();
        using (var deflate = new DeflateStream(memory, CompressionLevel.Fastest))
        using (var writer = new BinaryWriter(deflate, Encoding.UTF8))
        {
            writer.Write(Format);
            var units = Entities.Keys.Concat(Ambiguous).Select(n => n.Unit).Distinct().ToList();
            var numbers = units.Select((u, i) => (u, i)).ToDictionary(p => p.u, p => p.i);
            writer.Write(units.Count);
            foreach (var unit in units) writer.Write(unit);
            writer.Write(Entities.Count);
            foreach (var (name, entity) in Entities)
            {
                WriteName(writer, name, numbers);
                writer.Write((byte)entity.Kind);
                writer.Write((ulong)entity.Digest);
                writer.Write((ulong)(entity.Digest >> 64));
                writer.Write7BitEncodedInt64((long)entity.Size);
                writer.Write7BitEncodedInt64((long)entity.Offset);
            }
            writer.Write(Ambiguous.Count);
            foreach (var name in Ambiguous) WriteName(writer, name, numbers);
            writer.Write(Objects.Count);
            foreach (var path in Objects) writer.Write(path);
            writer.Write(Types.Sum(t => t.Value.Count));
            foreach (var (name, layouts) in Types)
                foreach (var layout in layouts)
                {
                    writer.Write(name);
                    writer.Write(layout);
                }
        }
        return memory.ToArray();
    }

    /// <exception cref="WeftException">Damaged, or of another Weft.</exception>
    public static Snapshot Read(ReadOnlyMemory<byte> content, string file)
    {
        try
        {
            using var reader = new BinaryReader(new DeflateStream(new MemoryStream(content.ToArray()), CompressionMode.Decompress), Encoding.UTF8);
            if (reader.ReadInt32() is var format && format != Format) throw new WeftException($"'{file}' was made by another version of Weft (format {format}, this one reads {Format})", "build the program again");
            return Read(reader);
        }
        catch (Exception e) when (e is IOException or InvalidDataException or ArgumentException or FormatException or OverflowException or IndexOutOfRangeException)
        {
            throw new WeftException($"'{file}': what it says of its functions is damaged", "build it again", ExitCode.Failure, e);
        }
    }

    private static Snapshot Read(BinaryReader reader)
    {
        var snapshot = new Snapshot();
        var units = new string[Count(reader)];
        for (var i = 0; i < units.Length; i++) units[i] = reader.ReadString();
        EntityName ReadName() => new(units[reader.Read7BitEncodedInt()], reader.ReadString());
        for (var count = Count(reader); count > 0; count--)
        {
            var name = ReadName();
            var kind = (EntityKind)reader.ReadByte();
            var digest = new UInt128(0, reader.ReadUInt64());
            digest |= new UInt128(reader.ReadUInt64(), 0);
            snapshot.Entities[name] = new Entity(kind, digest, (ulong)reader.Read7BitEncodedInt64(), 0, (ulong)reader.Read7BitEncodedInt64());
        }
        for (var count = Count(reader); count > 0; count--) snapshot.Ambiguous.Add(ReadName());
        for (var count = Count(reader); count > 0; count--) snapshot.Objects.Add(reader.ReadString());
        for (var count = Count(reader); count > 0; count--) snapshot.AddType(reader.ReadString(), reader.ReadString());
        return snapshot;
    }

    // Damaged ones would ask for all of the memory.
    private static int Count(BinaryReader reader) => reader.ReadInt32() is >= 0 and <= 1 << 24 and var count ? count : throw new InvalidDataException();

    private static void WriteName(BinaryWriter writer, EntityName name, Dictionary<string, int> units)
    {
        writer.Write7BitEncodedInt(units[name.Unit]);
        writer.Write(name.Name);
    }
}
