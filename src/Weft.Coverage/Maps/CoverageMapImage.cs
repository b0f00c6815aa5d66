using Weft.Coverage.Profiles;

namespace Weft.Coverage.Maps;

/// <summary>
/// The map of one linked or compiled image: section <c>__llvm_covmap</c> has the files of each compilation, <c>__llvm_covfun</c>
/// a record for each function, which name the files and the function by hash. Versions 4 to 7 (LLVM 11 to 22), which are
/// stored as 3 to 6; see LLVM's docs/CoverageMappingFormat.rst and CoverageMappingReader.cpp.
/// </summary>
internal sealed class CoverageMapImage
{
    private const int OldestVersion = 3, NewestVersion = 6;

    private readonly Dictionary<ulong, string[]> sourceFiles = [];
    private readonly Dictionary<ulong, int> byName = [];
    private readonly List<MapRecord> records = [];
    private readonly bool bigEndian;

    /// <exception cref="DamageException">It is damaged, or of a version that is not read.</exception>
    public CoverageMapImage(ElfSections sections)
    {
        bigEndian = sections.IsBigEndian;
        foreach (var content in sections.Contents("__llvm_covmap")) ReadSourceFiles(content.Span);
        if (sourceFiles.Count == 0) return;
        var names = new Dictionary<ulong, string>();
        foreach (var content in sections.Contents("__llvm_prf_names")) ProfileNames.Read(content.Span, names);
        foreach (var content in sections.Contents("__llvm_covfun")) ReadRecords(content, names);
    }

    public IReadOnlyList<MapRecord> Records => records;

    private void ReadSourceFiles(ReadOnlySpan<byte> section)
    {
        const string what = "its lists of files";
        var reader = new ByteReader(section, bigEndian);
        while (reader.Left > 0)
        {
            uint recordCount = reader.U32(what), size = reader.U32(what), mappingSize = reader.U32(what), version = reader.U32(what);
            if (version is < OldestVersion or > NewestVersion) throw new DamageException($"it is of version {version + 1L}; those of {OldestVersion + 1} to {NewestVersion + 1} are read, which LLVM 11 to 22 write");
            if (recordCount != 0 || mappingSize != 0) throw new DamageException($"{what} are damaged");
            var blob = reader.Take(size, what);
            sourceFiles.TryAdd(ProfileNames.Hash(blob), SourceFileList.Read(blob, (int)version));
            Align(ref reader, section.Length);
        }
    }

    private void ReadRecords(ReadOnlyMemory<byte> section, Dictionary<ulong, string> names)
    {
        const string what = "its records of functions";
        var reader = new ByteReader(section.Span, bigEndian);
        while (reader.Left > 0)
        {
            var name = reader.U64(what);
            ulong size = reader.U32(what), hash = reader.U64(what), files = reader.U64(what);
            var at = section.Length - reader.Left;
            reader.Take(size, what);
            if (!sourceFiles.TryGetValue(files, out var list)) throw new DamageException($"a function is of files {files:x}, which no compilation in it has");
            Add(name, hash, list, section.Slice(at, (int)size), names);
            Align(ref reader, section.Length);
        }
    }

    /// <summary>Of several records of a function the first is kept, but for one that only says that it was not used.</summary>
    private void Add(ulong nameHash, ulong hash, string[] files, ReadOnlyMemory<byte> encoded, Dictionary<ulong, string> names)
    {
        if (!byName.TryGetValue(nameHash, out var known))
        {
            if (!names.TryGetValue(nameHash, out var name)) throw new DamageException($"function {nameHash:x} has no name");
            byName.Add(nameHash, records.Count);
            records.Add(new MapRecord(name, nameHash, hash, files, encoded));
        }
        else if (IsDummy(records[known].StructuralHash, records[known].Encoded.Span) && !IsDummy(hash, encoded.Span))
        {
            records[known] = records[known] with { StructuralHash = hash, SourceFiles = files, Encoded = encoded };
        }
    }

    /// <summary>Whether it is what compilers write for a function that was not used: no hash, and one region without a counter.</summary>
    private static bool IsDummy(ulong hash, ReadOnlySpan<byte> encoded)
    {
        const string what = "a record of a function";
        var reader = new ByteReader(encoded);
        if (hash != 0 || reader.Leb(what) != 1) return false;
        reader.Leb(what); // the file
        return reader.Leb(what) == 0 && reader.Leb(what) == 1 && (reader.Leb(what) & 3) == 0;
    }

    private static void Align(ref ByteReader reader, int total)
    {
        var at = total - reader.Left;
        reader.Take((ulong)Math.Min(-at & 7, reader.Left), "padding");
    }
}
