using Weft.Core;

namespace Weft.Coverage.Maps;

/// <summary>
/// The coverage maps in a file that <c>clang -fcoverage-mapping</c>, <c>rustc -C instrument-coverage</c> or Weft made: an ELF
/// executable, a shared library, an object, or an archive of those. The file stays open and mapped, since it may be large, and
/// records are decoded when asked for.
/// </summary>
public sealed class CoverageMapFile : IDisposable
{
    private readonly MappedFile file;
    private readonly string path;

    private CoverageMapFile(string path)
    {
        this.path = path;
        file = new MappedFile(path);
        try
        {
            Records = Guarded(() => Images().SelectMany(image => new CoverageMapImage(image).Records).ToArray());
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    /// <summary>Each function once for each binary it is in; empty if none was compiled for coverage, or that was stripped.</summary>
    public IReadOnlyList<MapRecord> Records { get; }

    /// <exception cref="WeftException">The file cannot be read, is of no format that is read, or is damaged.</exception>
    public static CoverageMapFile Read(string path) => new(path);

    /// <summary>What a record says.</summary>
    /// <exception cref="WeftException">It is damaged.</exception>
    public MappedFunction Decode(MapRecord record) => Guarded(() => RegionDecoder.Decode(record));

    public void Dispose() => file.Dispose();

    private IEnumerable<ElfSections> Images()
    {
        var head = file.Slice(0, (ulong)Math.Min(file.Length, 8), "its header").Span;
        if (ArchiveMembers.RecognisesThin(head)) throw new DamageException("it is a thin archive, which has names of objects only; name the objects");
        if (ArchiveMembers.Recognises(head)) return ArchiveMembers.Of(file).Select(m => ElfSections.TryRead(file, m.Begin, m.Size)).OfType<ElfSections>();
        return [ElfSections.TryRead(file, 0, (ulong)file.Length) ?? throw new DamageException("it is neither an ELF file nor an archive")];
    }

    private T Guarded<T>(Func<T> read)
    {
        try { return read(); }
        catch (DamageException e) { throw new WeftException($"cannot read coverage map of '{path}': {e.Message}", "name the program, library or archive that ran; if it is damaged, build it again", ExitCode.Failure, e); }
    }
}

/// <summary>A function's record in a coverage map, not decoded yet.</summary>
/// <param name="Name">As in profiles.</param>
/// <param name="NameHash">Of the name.</param>
/// <param name="StructuralHash">Which counts must carry too.</param>
/// <param name="SourceFiles">Those of its compilation; the record has indexes into them.</param>
/// <param name="Encoded">The record.</param>
public sealed record MapRecord(string Name, ulong NameHash, ulong StructuralHash, string[] SourceFiles, ReadOnlyMemory<byte> Encoded);
